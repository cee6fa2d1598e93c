//! Reads policies and their data from the mount, and evaluates them.

use orch_plugin_kit::tree;
use orch_sdk::TaskError;
use regorus::{Engine, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// A longer file is no policy that anybody wrote.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The policies with their data.
pub struct Policies {
    engine: Engine,
    /// As Rego names them: `data.main`.
    pub packages: BTreeSet<String>,
}

/// What a rule says, with the name of the rule and of its package.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// `deny`, `violation` or `warn`.
    pub rule: &'static str,
    /// The package, without `data.`.
    pub package: String,
    /// A text, or an object with one.
    pub what: serde_json::Value,
}

/// Which Rego the policies are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rego {
    /// As of OPA 1.0.
    V1,
    /// As before.
    V0,
}

impl Policies {
    /// Reads every `.rego` below a folder, and every `.json`, `.yaml` and `.yml` as data. Tests (`_test.rego`) are left out.
    ///
    /// # Errors
    /// When there is no policy, or one cannot be read: the text has the place as the parser tells it.
    pub fn read(root: &Path, version: Rego) -> Result<Policies, TaskError> {
        let mut engine = Engine::new();
        engine.set_rego_v0(version == Rego::V0);
        // A builtin that fails is undefined, as in OPA: `deny` rules written for it rely on that.
        engine.set_strict_builtin_errors(false);
        let mut packages = BTreeSet::new();
        for path in files(root)? {
            let wrong = |reason: String| TaskError::InvalidInput(format!("`policies/{path}`: {reason}"));
            let text = tree::text(root, &path, MAX_FILE).map_err(|error| wrong(error.to_string()))?;
            if path.ends_with(".rego") {
                packages.insert(engine.add_policy(path.clone(), text).map_err(|error| wrong(error.to_string()))?);
                continue;
            }
            let value = match path.ends_with(".json") {
                true => Value::from_json_str(&text),
                false => Value::from_yaml_str(&text),
            };
            let value = value.map_err(|error| wrong(error.to_string()))?;
            engine
                .add_data(value)
                .map_err(|error| wrong(format!("its data does not fit that of another file: {error}")))?;
        }
        if packages.is_empty() {
            let reason = "`policies`: there is no file that ends with `.rego` in the mount";
            return Err(TaskError::InvalidInput(reason.to_owned()));
        }
        Ok(Policies { engine, packages })
    }

    /// What the rules say of an input.
    ///
    /// # Errors
    /// When a policy cannot be evaluated.
    pub fn ask(&mut self, input: &serde_json::Value) -> Result<Vec<Said>, TaskError> {
        self.engine.set_input(Value::from(input.clone()));
        let mut said = Vec::new();
        for package in &self.packages {
            for rule in ["deny", "violation", "warn"] {
                let query = format!("{package}.{rule}");
                let broken = |error: String| TaskError::Failed(format!("`{query}` cannot be evaluated: {error}"));
                let found = self.engine.eval_query(query.clone(), false).map_err(|error| broken(error.to_string()))?;
                let values = found.result.into_iter().flat_map(|one| one.expressions).map(|one| one.value);
                let name = package.strip_prefix("data.").unwrap_or(package);
                for value in values {
                    let value = serde_json::to_value(&value).map_err(|error| broken(error.to_string()))?;
                    let say = |what| Said { rule, package: name.to_owned(), what };
                    match value {
                        serde_json::Value::Array(all) => said.extend(all.into_iter().map(say)),
                        // A partial object: what it says are its values.
                        serde_json::Value::Object(all) => said.extend(all.into_iter().map(|(_, what)| say(what))),
                        serde_json::Value::Null | serde_json::Value::Bool(false) => {}
                        other => said.push(say(other)),
                    }
                }
            }
        }
        Ok(said)
    }
}

/// Policies and data, sorted, data first: a policy may look at it while it is compiled.
fn files(root: &Path) -> Result<Vec<String>, TaskError> {
    let mut files = Vec::new();
    let incomplete = tree::walk::<TaskError>(root, &[], &mut |folder| {
        let is_read = |name: &&String| {
            let is_data = [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
            is_data || (name.ends_with(".rego") && !name.ends_with("_test.rego"))
        };
        files.extend(folder.files.iter().filter(is_read).map(|name| folder.join(name)));
        Ok(())
    })?;
    if let Some(reason) = incomplete.first() {
        return Err(TaskError::InvalidInput(format!("`policies`: {reason}")));
    }
    files.sort_by_key(|path| (path.ends_with(".rego"), path.clone()));
    Ok(files)
}
