//! A system that a test writes, and programs that change it as a package manager does.

use orch_plugin_packages::model::Update;
use orch_sdk::{Exit, Printed, TestHost};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A Debian root in a folder that goes away.
pub struct System {
    folder: Rc<tempfile::TempDir>,
}

/// A package in dpkg's database.
pub fn package(name: &str, version: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
}

/// An entry of an index.
pub fn entry(name: &str, version: &str, architecture: &str, size: u64) -> String {
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nSize: {size}\nFilename: pool/{name}.deb\n\n"
    )
}

/// An update as `outdated` returns it.
pub fn wanted(name: &str, from: &str, to: &str) -> Update {
    let architecture = Some("amd64".to_owned());
    Update {
        name: name.into(),
        architecture,
        from: from.into(),
        to: to.into(),
        security: None,
        size: None,
        source: None,
    }
}

/// How a program ended that failed.
pub fn failed(code: i32, stderr: &str) -> Printed {
    let exit = Exit { code: Some(code), signal: None, truncated: false };
    Printed { exit, stdout: Vec::new(), stderr: stderr.as_bytes().to_vec() }
}

impl System {
    pub fn new(status: &str) -> System {
        let system = System::empty();
        system.write("var/lib/dpkg/status", status.as_bytes());
        system
    }

    pub fn empty() -> System {
        System { folder: Rc::new(tempfile::tempdir().unwrap()) }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        write(self.folder.path(), path, content);
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// An index of an archive, with its release.
    pub fn index(&self, dist: &str, release: &str, entries: &str) {
        let lists = "var/lib/apt/lists";
        self.write(&format!("{lists}/{dist}_InRelease"), release.as_bytes());
        self.write(&format!("{lists}/{dist}_main_binary-amd64_Packages"), entries.as_bytes());
    }

    pub fn host(&self) -> TestHost {
        TestHost::new().with_mount("root", self.folder.path())
    }

    /// A host with a program `update` that does what apt does with `name=version`, unless `also` says otherwise: it gets the
    /// database and the name, and says what the program prints and how it ends.
    pub fn with_update(
        &self,
        host: TestHost,
        also: impl Fn(&mut String, &str) -> Option<Printed> + 'static,
    ) -> TestHost {
        let folder = Rc::clone(&self.folder);
        host.with_program("update", move |slots| {
            let [("root", root), ("package", name), ("version", version)] = slots else { panic!("{slots:?}") };
            assert_eq!(Path::new(root), folder.path());
            let path = folder.path().join("var/lib/dpkg/status");
            let mut status = std::fs::read_to_string(&path).unwrap();
            let printed = also(&mut status, name);
            if printed.as_ref().is_none_or(|printed| printed.exit.is_success()) {
                set_version(&mut status, name, version);
            }
            std::fs::write(path, status).unwrap();
            Ok(printed.unwrap_or_else(|| Printed::from("done\n")))
        })
    }
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Gives a package another version in the text of a database.
pub fn set_version(status: &mut String, name: &str, version: &str) {
    let paragraphs = status.split_inclusive("\n\n").map(|paragraph| {
        if !paragraph.starts_with(&format!("Package: {name}\n")) {
            return paragraph.to_owned();
        }
        let old = paragraph.lines().find(|line| line.starts_with("Version: ")).unwrap();
        paragraph.replace(old, &format!("Version: {version}"))
    });
    *status = paragraphs.collect();
}
