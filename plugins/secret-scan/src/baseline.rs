//! Finds that are known: a list of our fingerprints, or a report that gitleaks wrote.

use serde_json::Value;
use std::collections::HashSet;

/// Known finds.
#[derive(Debug, Default)]
pub struct Baseline {
    fingerprints: HashSet<String>,
    /// Path, rule and line, as gitleaks names a find.
    places: HashSet<(String, String, u32)>,
}

impl Baseline {
    /// Reads JSON: an array of fingerprints; an object with such an array under `fingerprints`; an array of objects with
    /// `fingerprint`; or gitleaks' report, an array of objects with `File`, `RuleID` and `StartLine`, or with `Fingerprint`.
    ///
    /// # Errors
    /// What it is instead.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let value: Value =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
        let items = match &value {
            Value::Array(items) => items,
            Value::Object(object) => {
                let list = object.get("fingerprints").or_else(|| object.get("findings"));
                list.and_then(Value::as_array).ok_or("an object without an array `fingerprints` or `findings`")?
            }
            _ => return Err("neither an array nor an object".into()),
        };
        let mut baseline = Baseline::default();
        for (index, item) in items.iter().enumerate() {
            baseline.add(item).ok_or_else(|| format!("entry {} names no finding", index + 1))?;
        }
        Ok(baseline)
    }

    fn add(&mut self, item: &Value) -> Option<()> {
        if let Some(fingerprint) = item.as_str() {
            return self.add_fingerprint(fingerprint);
        }
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        if let (Some(file), Some(rule), Some(line)) =
            (text("File"), text("RuleID"), item.get("StartLine").and_then(Value::as_u64))
        {
            let line = u32::try_from(line).ok()?;
            self.places.insert((normal(file), rule.to_owned(), line));
            return Some(());
        }
        self.add_fingerprint(text("fingerprint").or_else(|| text("Fingerprint"))?)
    }

    /// Ours is one word; gitleaks' is `file:rule:line`, with the commit before it where it read a history.
    fn add_fingerprint(&mut self, fingerprint: &str) -> Option<()> {
        let mut parts = fingerprint.rsplitn(3, ':');
        if let (Some(line), Some(rule), Some(file)) = (parts.next(), parts.next(), parts.next()) {
            let line = line.parse().ok()?;
            let is_commit = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let file = file.split_once(':').filter(|(commit, _)| is_commit(commit)).map_or(file, |(_, file)| file);
            self.places.insert((normal(file), rule.to_owned(), line));
        } else if fingerprint.is_empty() {
            return None;
        } else {
            self.fingerprints.insert(fingerprint.to_owned());
        }
        Some(())
    }

    /// Whether a find is known, by its fingerprint or by one of the lines that name it.
    pub fn knows(&self, fingerprint: &str, path: &str, rule: &str, lines: [u32; 2]) -> bool {
        self.fingerprints.contains(fingerprint)
            || (!self.places.is_empty()
                && lines.iter().any(|line| self.places.contains(&(path.to_owned(), rule.to_owned(), *line))))
    }
}

fn normal(file: &str) -> String {
    file.replace('\\', "/").trim_start_matches("./").to_owned()
}
