//! JUnit XML, for the views of test results that build servers have.

use crate::outcome::ProfileResults;
use orch_sdk::Status;
use std::fmt::Write;

/// Writes all results: a suite for each profile, a case for each control.
pub fn write(results: &[ProfileResults]) -> Vec<u8> {
    let count = |status| results.iter().map(|profile| profile.count(status)).sum::<u64>();
    let total: usize = results.iter().map(|profile| profile.controls.len()).sum();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(
        xml,
        "<testsuites name=\"orch/compliance-check\" tests=\"{total}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
        count(Status::Open),
        count(Status::Error),
        count(Status::NotApplicable)
    );
    for profile in results {
        let name = escaped(&profile.name);
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
            profile.controls.len(),
            profile.count(Status::Open),
            profile.count(Status::Error),
            profile.count(Status::NotApplicable)
        );
        for control in &profile.controls {
            let case = format!(
                "    <testcase classname=\"{name}\" name=\"{}: {}\"",
                escaped(&control.id),
                escaped(&control.title)
            );
            let reason = escaped(&control.reason);
            let _ = match control.status {
                Status::Passed => writeln!(xml, "{case}/>"),
                Status::NotApplicable => writeln!(xml, "{case}><skipped message=\"{reason}\"/></testcase>"),
                Status::Error => writeln!(xml, "{case}><error message=\"{reason}\"/></testcase>"),
                Status::Open => {
                    let fix = escaped(&control.remediation);
                    writeln!(xml, "{case}><failure message=\"{reason}\">{fix}</failure></testcase>")
                }
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml.into_bytes()
}

/// A text as XML 1.0 takes it; characters that it has no way to write (its production `Char`) become `U+FFFD`.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(safe, "&#{};", u32::from(character));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn every_character_has_a_form() {
        assert_eq!(escaped("a<b>&\"\n\u{1}\u{ffff}é"), "a&lt;b&gt;&amp;&quot;&#10;\u{fffd}\u{fffd}é");
    }
}
