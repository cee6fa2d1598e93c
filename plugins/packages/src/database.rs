//! The installed packages of a system, from whichever database it has.

use crate::model::{INSTALLED, Installed, Manager};
use crate::text::shown;
use crate::unpack::{self, Packing};
use crate::{apk, dpkg};
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::root::{Root, Unseen};
use orch_plugin_lockfiles::parse::rpm;
use orch_sdk::TaskError;

/// The databases, by what keeps them; the first that is there counts.
const DATABASES: [(Manager, &str); 8] = [
    (Manager::Apt, "var/lib/dpkg/status"),
    (Manager::Apk, "lib/apk/db/installed"),
    (Manager::Apk, "usr/lib/apk/db/installed"),
    (Manager::Dnf, "usr/lib/sysimage/rpm/rpmdb.sqlite"),
    (Manager::Dnf, "var/lib/rpm/rpmdb.sqlite"),
    (Manager::Dnf, "usr/lib/sysimage/rpm/Packages.db"),
    (Manager::Dnf, "var/lib/rpm/Packages.db"),
    (Manager::Dnf, "var/lib/rpm/Packages"),
];

/// The packages of a system.
#[derive(Debug, Clone)]
pub struct Database {
    /// What keeps them.
    pub manager: Manager,
    /// The file, below the root.
    pub path: &'static str,
    /// In the order of the file.
    pub packages: Vec<Installed>,
}

impl Database {
    /// Finds and reads the database; of `manager`, if one is named.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(root: &Root, manager: Option<Manager>) -> Result<Database, TaskError> {
        let wanted = DATABASES.into_iter().filter(|(one, _)| manager.is_none_or(|manager| manager == *one));
        let Some((manager, path)) = wanted.clone().find(|(_, path)| root.has(path)) else {
            let looked: Vec<_> = wanted.map(|(_, path)| format!("`{path}`")).collect();
            return Err(TaskError::Failed(format!(
                "there is no database of packages below `root`: no {}",
                looked.join(", ")
            )));
        };
        let packages = packages(root, manager, path)
            .map_err(|reason| TaskError::Failed(format!("`{path}`: {}", shown(&reason, 300))))?;
        Ok(Database { manager, path, packages })
    }

    /// The installed packages that fit a name and, if one is given, an architecture.
    pub fn find<'a, 'b>(
        &'a self,
        name: &'b str,
        architecture: Option<&'b str>,
    ) -> impl Iterator<Item = &'a Installed> + use<'a, 'b> {
        self.packages.iter().filter(move |package| {
            package.name == name && architecture.is_none_or(|wanted| package.architecture.as_deref() == Some(wanted))
        })
    }
}

fn packages(root: &Root, manager: Manager, path: &str) -> Result<Vec<Installed>, String> {
    let file = root.open(path).map_err(|error| error.to_string())?;
    match manager {
        Manager::Apt => dpkg::parse(unpack::open(file, Packing::None)?),
        Manager::Apk => {
            // Without the file nothing is pinned; one that cannot be read must not look like that.
            let world = match root.text("etc/apk/world", 1 << 20) {
                Err(Unseen::Missing) => String::new(),
                world => world.map_err(|error| format!("`etc/apk/world`: {error}"))?,
            };
            apk::installed(unpack::open(file, Packing::None)?, &world)
        }
        Manager::Dnf => {
            let mut all = Vec::new();
            rpm::headers(file, &mut |header| {
                if all.len() == dpkg::MAX_PACKAGES {
                    return Err(ParseError::whole(format!("more than {} packages", dpkg::MAX_PACKAGES)));
                }
                all.push(of_rpm(header));
                Ok(())
            })
            .map_err(|error| error.to_string())?;
            Ok(all)
        }
    }
}

fn of_rpm(header: rpm::Header) -> Installed {
    let epoch = header.epoch.filter(|epoch| *epoch > 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    // `bash-5.1.8-6.el9.src.rpm`: the source's name stands before its version and release.
    let source = header.source_rpm.as_deref().and_then(|file| file.rsplitn(3, '-').nth(2)).map(str::to_owned);
    Installed {
        name: header.name,
        version: format!("{epoch}{}-{}", header.version, header.release),
        architecture: header.arch,
        source,
        state: INSTALLED.to_owned(),
        ..Installed::default()
    }
}
