//! `orch/secret-scan`: finds leaked credentials in a file tree.
//!
//! The pieces, in the order in which a scan uses them: [`config`] reads rules, [`history`] walks the commits that [`git`] reads,
//! [`walk`] finds files, [`content`] knows what they are and opens those that are an [`archive`], [`detect`] searches a text,
//! [`secret`] masks and names what was found, [`baseline`] knows what was there before, [`scan()`] puts them together.

pub mod archive;
pub mod baseline;
pub mod config;
pub mod content;
pub mod detect;
pub mod git;
pub mod history;
pub mod input;
mod keywords;
pub mod pattern;
pub mod report;
mod required;
pub mod rule;
pub mod ruleset;
mod scan;
pub mod secret;
mod section;
pub mod walk;

pub use input::{ByteSize, FileList, History, HistoryInput, HistoryOutput, Input, Output, Skipped, Suppressed};
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
        assert_eq!(
            names(input),
            [
                "archives",
                "baseline",
                "config",
                "exclude",
                "history",
                "include",
                "max-archive-size",
                "max-file-size",
                "respect-gitignore"
            ]
        );
        assert_eq!(input["additionalProperties"], false);
        assert!(names(&described["scan"]["output"]).contains(&"files_skipped".to_owned()));
    }
}
