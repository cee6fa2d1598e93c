//! `orch/secret-scan`: finds leaked credentials in a file tree.
//!
//! The pieces, in the order in which a scan uses them: [`config`] reads rules, [`walk`] finds files, [`detect`] searches one
//! file, [`secret`] masks and names what was found, [`baseline`] knows what was there before, [`scan()`] puts them together.

pub mod baseline;
pub mod config;
pub mod detect;
pub mod input;
pub mod pattern;
mod required;
pub mod rule;
pub mod ruleset;
mod scan;
pub mod secret;
pub mod walk;

pub use input::{ByteSize, Input, Output, Skipped, Suppressed};
pub use scan::scan;

orch_sdk::plugin! { "scan" => crate::scan }

#[cfg(test)]
mod tests {
    #[test]
    fn the_task_describes_itself() {
        let host = orch_sdk::TestHost::new();
        let described = orch_sdk::dispatch(&crate::tasks(), orch_sdk::DESCRIBE_TASK, "{}", &host).unwrap();
        let described: serde_json::Value = serde_json::from_str(&described.succeeded().unwrap()).unwrap();
        let names = |schema: &serde_json::Value| -> Vec<String> {
            schema["properties"].as_object().unwrap().keys().cloned().collect()
        };
        let input = &described["scan"]["input"];
        assert_eq!(names(input), ["baseline", "config", "exclude", "include", "max-file-size", "respect-gitignore"]);
        assert_eq!(input["additionalProperties"], false);
        assert!(names(&described["scan"]["output"]).contains(&"files_skipped".to_owned()));
    }
}
