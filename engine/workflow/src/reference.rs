//! What stands behind `uses`: `orch/secret-scan@^1.2`, `orch/packages/list@^1`, `./scan.wasm`, `./packages.wasm#list`.

use camino::Utf8PathBuf;
use orch_core::{Code, PluginName, PluginTaskName, shorten, visible};
use std::fmt;

/// Where a plugin comes from, and which of its tasks is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginReference {
    /// From a registry.
    Registry {
        /// `namespace/name`
        name: PluginName,
        /// Which task; absent for plugins with one.
        task: Option<PluginTaskName>,
        /// Which versions fit.
        requirement: semver::VersionReq,
    },
    /// A component beside the workflow, for whoever is writing one.
    File {
        /// As written, relative to the workflow's folder.
        path: Utf8PathBuf,
        /// Which task; absent for plugins with one.
        task: Option<PluginTaskName>,
    },
}

/// What is wrong with a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidReference {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl PluginReference {
    /// The task that is named.
    pub fn task(&self) -> Option<&PluginTaskName> {
        match self {
            PluginReference::Registry { task, .. } | PluginReference::File { task, .. } => task.as_ref(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<PluginReference, InvalidReference> {
        let shown = || shorten(&visible(text), 80).into_owned();
        let wrong = |message: String, help: &str| {
            let help = (!help.is_empty()).then(|| help.to_owned());
            Err(InvalidReference { code: Code::InvalidReference, message, help })
        };
        if text.starts_with("oci://") || text.starts_with("https://") {
            let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
            let message = format!("`{scheme}://` references are not supported yet");
            return Err(InvalidReference { code: Code::NotSupportedYet, message, help: None });
        }
        let task = |name: &str| {
            PluginTaskName::try_from(name).map_err(|error| InvalidReference {
                code: Code::InvalidName,
                message: error.to_string(),
                help: None,
            })
        };
        if text.starts_with("./") || text.starts_with("../") || text.starts_with('/') {
            let (path, name) = match text.split_once('#') {
                Some((path, name)) => (path, Some(task(name)?)),
                None => (text, None),
            };
            if !path.ends_with(".wasm") {
                return wrong(format!("`{}` does not end with `.wasm`", shown()), "name the component's file");
            }
            return Ok(PluginReference::File { path: Utf8PathBuf::from(path), task: name });
        }
        let form = "write `namespace/name@^1.2` for the registry or `./file.wasm` for a file";
        if text.ends_with(".wasm") {
            return wrong(format!("`{}` is no plugin reference", shown()), "a file's path starts with `./`");
        }
        let Some((name, requirement)) = text.split_once('@') else {
            return wrong(format!("`{}` names no version", shown()), form);
        };
        let (name, task_name) = match name.match_indices('/').nth(1) {
            Some((slash, _)) => (&name[..slash], Some(task(&name[slash + 1..])?)),
            None => (name, None),
        };
        let name = PluginName::try_from(name).map_err(|error| InvalidReference {
            code: Code::InvalidReference,
            message: error.to_string(),
            help: Some(form.to_owned()),
        })?;
        match semver::VersionReq::parse(requirement) {
            Ok(requirement) => Ok(PluginReference::Registry { name, task: task_name, requirement }),
            Err(error) => {
                let requirement = shorten(&visible(requirement), 40).into_owned();
                wrong(
                    format!("`{requirement}` is no version requirement: {error}"),
                    "write `^1.2`, `~1.2.3` or `=1.2.3`",
                )
            }
        }
    }
}

impl fmt::Display for PluginReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PluginReference::Registry { name, task: None, requirement } => write!(f, "{name}@{requirement}"),
            PluginReference::Registry { name, task: Some(task), requirement } => {
                write!(f, "{name}/{task}@{requirement}")
            }
            PluginReference::File { path, task: None } => write!(f, "{path}"),
            PluginReference::File { path, task: Some(task) } => write!(f, "{path}#{task}"),
        }
    }
}
