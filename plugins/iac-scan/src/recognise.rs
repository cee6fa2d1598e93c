//! What a file is, by its name and, for YAML, by what stands in it.

use crate::input::Family;

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A file of a family.
    As(Family),
    /// YAML that its content has to tell about.
    Yaml,
}

/// What the path of a file says, if it may be one of ours.
pub fn by_name(path: &str) -> Option<Named> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let lower = name.to_ascii_lowercase();
    let is_docker = ["dockerfile", "containerfile"].iter().any(|word| {
        // `Dockerfile.web` and `web.Dockerfile`, but not the ignore file that belongs to it.
        let before = lower.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        (before || lower.strip_suffix(word).is_some_and(|rest| rest.ends_with('.')))
            && !lower.ends_with(".dockerignore")
    });
    if is_docker {
        return Some(Named::As(Family::Dockerfile));
    }
    let (stem, ending) = lower.rsplit_once('.')?;
    match ending {
        "tf" | "tofu" => Some(Named::As(Family::Terraform)),
        "yaml" | "yml" => {
            let is_compose = ["compose", "docker-compose"].iter().any(|word| {
                stem.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
            });
            let is_workflow = folder == ".github/workflows" || folder.ends_with("/.github/workflows");
            Some(match () {
                () if is_workflow || stem == "action" => Named::As(Family::Actions),
                () if is_compose => Named::As(Family::Compose),
                () => Named::Yaml,
            })
        }
        _ => None,
    }
}

/// Whether a text may be a manifest of Kubernetes. Looked at before it is parsed: most YAML of a tree is something else.
pub fn may_be_kubernetes(text: &str) -> bool {
    text.contains("apiVersion") && text.contains("kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let cases = [
            ("Dockerfile", Some(Named::As(Family::Dockerfile))),
            ("a/Containerfile.web", Some(Named::As(Family::Dockerfile))),
            ("a/web.dockerfile", Some(Named::As(Family::Dockerfile))),
            ("Dockerfile.dockerignore", None),
            ("Dockerfiles", None),
            ("main.tf", Some(Named::As(Family::Terraform))),
            ("main.tf.json", None),
            ("compose.override.yml", Some(Named::As(Family::Compose))),
            ("docker-compose.yaml", Some(Named::As(Family::Compose))),
            ("composer.yaml", Some(Named::Yaml)),
            (".github/workflows/ci.yml", Some(Named::As(Family::Actions))),
            ("a/action.yml", Some(Named::As(Family::Actions))),
            (".github/dependabot.yml", Some(Named::Yaml)),
            ("notes.txt", None),
        ];
        for (path, expected) in cases {
            assert_eq!(by_name(path), expected, "{path}");
        }
    }
}
