//! Gradle's locks: `gradle.lockfile`, `buildscript-gradle.lockfile`, and the older files of `gradle/dependency-locks`, one for each
//! configuration. Lines are `group:name:version=configurations`; there are no edges and no hashes.

use super::{check_count, finish};
use crate::model::{Ecosystem, Package, Packages, Scope};
use orch_plugin_kit::parse::ParseError;

/// Reads a lock. What is only in configurations of tests and build tools, or locks the build script itself, is for development.
///
/// # Errors
/// With the line that is not of this form.
pub fn parse(text: &str, path: &str) -> Result<Packages, ParseError> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let is_build_script = file.starts_with("buildscript-");
    // The older files are named after their configuration.
    let of_file = file.strip_suffix(".lockfile").filter(|name| *name != "gradle" && !is_build_script);
    let mut found = Packages::default();
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (coordinates, configurations) = line.split_once('=').unwrap_or((line, ""));
        // This line lists configurations without any package.
        if coordinates == "empty" {
            continue;
        }
        let mut parts = coordinates.split(':');
        let (Some(group), Some(name), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ParseError::at(number, "no `group:name:version`"));
        };
        if [group, name, version].iter().any(|part| part.is_empty() || part.contains(char::is_whitespace)) {
            return Err(ParseError::at(number, "no `group:name:version`"));
        }
        check_count(found.packages.len() + 1)?;
        let mut package = Package::new(Ecosystem::Maven, name, Some(version.to_owned()));
        package.group = Some(group.to_owned());
        package.line = Some(number);
        package.direct = true;
        let mut all = configurations.split(',').chain(of_file).filter(|name| !name.is_empty()).peekable();
        let only_for_tools = all.peek().is_some() && all.all(is_of_development);
        if is_build_script || only_for_tools {
            package.scope = Scope::Dev;
        }
        if !configurations.is_empty() {
            package.properties.push(("configurations", super::shorten(configurations)));
        }
        found.packages.push(package);
    }
    finish(found)
}

/// Configurations of tests and of tools that Gradle's own plugins and the best-known others make.
fn is_of_development(configuration: &str) -> bool {
    const TOOLS: [&str; 9] =
        ["checkstyle", "codenarc", "detekt", "jacoco", "ktlint", "pmd", "spotbugs", "errorprone", "kotlinCompiler"];
    configuration.starts_with("test")
        || configuration.contains("Test")
        || configuration.to_ascii_lowercase().contains("annotationprocessor")
        || TOOLS.iter().any(|tool| configuration.starts_with(tool))
}

/// Whether a build script names dependencies: a line that begins with one of the usual configurations and has a text in it.
pub fn names_dependencies(script: &str) -> bool {
    const CONFIGURATIONS: [&str; 7] =
        ["implementation", "api", "compileOnly", "runtimeOnly", "testImplementation", "compile", "annotationProcessor"];
    script.lines().any(|line| {
        let line = line.trim();
        let rest = CONFIGURATIONS.iter().find_map(|name| line.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with([' ', '(']) && (rest.contains(['\'', '"']) || rest.contains("libs.")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl::purl;

    #[test]
    fn scopes_by_configuration() {
        let text = "# This is a Gradle generated file\norg.example:Kit:1.2=compileClasspath,testRuntimeClasspath\n\
                    org.example:check:2=testCompileClasspath,integrationTestRuntimeClasspath\norg.example:made:3=annotationProcessor\nempty=signatures\n";
        let found = parse(text, "app/gradle.lockfile").unwrap();
        let seen: Vec<_> = found.packages.iter().map(|it| (purl(it).unwrap(), it.scope, it.line)).collect();
        let expected = [
            ("pkg:maven/org.example/Kit@1.2".to_owned(), Scope::Required, Some(2)),
            ("pkg:maven/org.example/check@2".to_owned(), Scope::Dev, Some(3)),
            ("pkg:maven/org.example/made@3".to_owned(), Scope::Dev, Some(4)),
        ];
        assert_eq!(seen, expected);
        let scope = |path: &str| parse("a:b:1\n", path).unwrap().packages[0].scope;
        assert_eq!(scope("buildscript-gradle.lockfile"), Scope::Dev);
        assert_eq!(scope("gradle/dependency-locks/runtimeClasspath.lockfile"), Scope::Required);
        assert_eq!(scope("gradle/dependency-locks/testRuntimeClasspath.lockfile"), Scope::Dev);
    }

    #[test]
    fn mistakes_have_a_line() {
        for text in ["a:b\n", "a:b:c:d\n", "a: b:1\n", "::\n", "nonsense"] {
            assert_eq!(parse(text, "").unwrap_err().line, Some(1), "{text}");
        }
    }

    #[test]
    fn scripts() {
        assert!(names_dependencies("dependencies {\n    implementation 'a:b:1'\n}"));
        assert!(names_dependencies("  testImplementation(libs.kit)\n"));
        assert!(!names_dependencies("plugins { id 'java' }\napiVersion = \"1\"\n"));
    }
}
