//! Names that a reader takes for one another, and names that were perhaps meant.

use orch_core::PluginName;

/// What is left of a name when everything that an eye passes over is gone. Names are lower-case ASCII by type, so homoglyphs
/// of other scripts cannot occur.
pub(crate) fn skeleton(name: &PluginName) -> String {
    format!("{}/{}", part(name.namespace()), part(name.name()))
}

fn part(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|c| *c != '-')
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' => 'l',
            '5' => 's',
            other => other,
        })
        .collect();
    plain.replace("rn", "m").replace("vv", "w")
}

/// The known name that was perhaps meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_has_one_skeleton() {
        let skeleton = |text: &str| skeleton(&PluginName::try_from(text).unwrap());
        for (a, b) in [
            ("orch/secret-scan", "orch/secretscan"),
            ("orch/tool", "orch/t00l"),
            ("orch/lint", "orch/l1nt"),
            ("orch/list", "orch/llst"),
            ("orch/sbom5", "orch/sboms"),
            ("orch/modern", "orch/modem"),
            ("orch/wasm", "orch/vvasm"),
            ("orch/wasm", "orch/v-vasm"),
            ("my-org/a", "myorg/a"),
        ] {
            assert_eq!(skeleton(a), skeleton(b));
        }
        assert_ne!(skeleton("orch/scan"), skeleton("orch/scam"));
        assert_ne!(skeleton("a/bc"), skeleton("ab/c"));
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["orch/sbom", "orch/secret-scan"];
        assert_eq!(nearest("orch/sbmo", known).as_deref(), Some("orch/sbom"));
        assert_eq!(nearest("acme/completely-else", known), None);
    }
}
