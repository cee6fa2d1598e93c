//! The task `list`: what is installed.

use crate::database::Database;
use crate::model::Manager;
use crate::system::System;
use orch_sdk::{Host, Outcome, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Packages in the output; with some 200 bytes each they stay below the limit of an output, 4 MiB.
const MOST_LISTED: usize = 15_000;

/// What `list` takes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// Whose packages; without it the first database that is there: dpkg's, apk's, rpm's.
    #[serde(default)]
    pub manager: Option<Manager>,
}

/// What `list` returns.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// What keeps the packages.
    pub manager: Manager,
    /// How many there are.
    pub installed: usize,
    /// How many of them are to stay at their version.
    pub held: usize,
    /// How many of them are not wholly installed.
    pub not_well: usize,
    /// The packages by name, at most 15,000.
    pub packages: Vec<Package>,
    /// Whether some are left out of `packages`.
    pub truncated: bool,
}

/// One installed package.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it was built for.
    pub architecture: Option<String>,
    /// The package of source code, where it has another name.
    pub source: Option<String>,
    /// Whether it is to stay at its version.
    pub held: bool,
    /// dpkg's word for its state; `installed` elsewhere.
    pub state: String,
}

/// Lists the installed packages.
///
/// # Errors
/// When the root is not granted, or has no database that can be read.
pub fn list(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let system = System::new(host)?;
    let database = Database::read(&system.root, input.manager)?;
    let count = |which: fn(&crate::model::Installed) -> bool| database.packages.iter().filter(|one| which(one)).count();
    let (held, not_well) = (count(|one| one.held), count(|one| !one.is_well()));
    let installed = database.packages.len();
    let mut packages: Vec<Package> = database
        .packages
        .into_iter()
        .map(|one| Package {
            source: one.source.filter(|source| *source != one.name),
            name: one.name,
            version: one.version,
            architecture: one.architecture,
            held: one.held,
            state: one.state,
        })
        .collect();
    packages.sort_by(|left, right| (&left.name, &left.architecture).cmp(&(&right.name, &right.architecture)));
    packages.truncate(MOST_LISTED);
    let truncated = packages.len() < installed;
    Ok(Outcome::Succeeded(Output { manager: database.manager, installed, held, not_well, packages, truncated }))
}
