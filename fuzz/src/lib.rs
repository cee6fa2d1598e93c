//! What the targets share: what has to hold for every problem that is told, and a plugin that fits every name.

use orch_core::{
    Ask, Diagnostic, Digest, LimitsRequest, Manifest, PluginName, PluginTaskName, Source, Sources, TaskManifest,
};
use orch_workflow::Resolved;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// The text of an input; what is no UTF-8 is refused before any parser sees it.
pub fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// Every span lies in its text on the borders of characters, nothing invisible is in a message, there are not more messages
/// than anybody reads, and they can be rendered.
pub fn sound(source: &Source, found: &[Diagnostic]) {
    for problem in found {
        if let Some(span) = &problem.span {
            assert!(source.text.get(span.clone()).is_some(), "{span:?} is not in the text: {problem:?}");
        }
        for text in std::iter::once(&problem.message).chain(&problem.notes).chain(&problem.help) {
            assert_eq!(orch_core::visible(text), *text, "something invisible in a message");
            assert!(text.len() < 16 << 10, "{} bytes of one message", text.len());
        }
    }
    // Each byte can be wrong in a few ways only.
    assert!(found.len() <= 2 * source.text.len() + 10, "{} problems in {} bytes", found.len(), source.text.len());
    let mut sources = Sources::default();
    sources.add(source.clone());
    // Rendering a problem costs the whole file, so only a few of very many.
    orch_report::render_diagnostics(&found[..found.len().min(8)], &sources, false);
}

/// A file is there without errors, and not there with one.
pub fn refused_or_read<T>(read: &Option<T>, found: &[Diagnostic]) {
    assert_eq!(read.is_none(), found.iter().any(|problem| !problem.warning), "{found:?}");
}

/// A plugin that takes and gives anything and asks for nothing.
pub fn plugin(name: PluginName, task: Option<&PluginTaskName>) -> Resolved {
    let whatever = TaskManifest { description: String::new(), idempotent: true, input: json!({}), output: json!({}) };
    let run = PluginTaskName::try_from("run").expect("it is a name");
    let manifest = Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        name,
        version: "1.0.0".parse().expect("it is a version"),
        description: String::new(),
        license: "Apache-2.0".to_owned(),
        tasks: BTreeMap::from([(task.cloned().unwrap_or(run), whatever)]),
        permissions: Ask::default(),
        limits: LimitsRequest::default(),
    };
    Resolved { digest: Digest::of(b"plugin"), signer: None, manifest: Arc::new(manifest) }
}

/// What is printed and parsed again is the same, and so is what is printed then.
pub fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let printed = serde_json::to_string(value).expect("it can be printed");
    let again: T = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(*value, again, "{printed}");
}
