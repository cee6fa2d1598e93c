//! What is allowed: decides over one licence expression.

use spdx::{Expression, LicenseId, LicenseReq, Licensee, ParseMode};
use std::collections::BTreeSet;

/// What a person allows and denies.
#[derive(Debug)]
pub struct Rules {
    /// Empty: everything that is not denied.
    allow: Vec<Licensee>,
    deny: BTreeSet<String>,
}

/// The answer for one expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be used.
    Allowed,
    /// Each way to choose has a denied licence in it; these are denied.
    Denied(Vec<String>),
    /// No way to choose is allowed; these are not on the list.
    NotAllowed(Vec<String>),
    /// It is no SPDX expression; the text says why.
    Unreadable(String),
}

impl Rules {
    /// # Errors
    /// When an item is no SPDX licence; the text names it and its place.
    pub fn new(allow: &[String], deny: &[String]) -> Result<Rules, String> {
        let allow = items("allow", allow)?;
        // Written as the expressions are written when they are compared.
        let deny = items("deny", deny)?.into_iter().map(|licensee| licensee.into_req().to_string()).collect();
        Ok(Rules { allow, deny })
    }

    /// Decides.
    pub fn decide(&self, text: &str) -> Verdict {
        let expression = match Expression::parse_mode(text, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => return Verdict::Unreadable(error.reason.to_string()),
        };
        let failures = |holds: &dyn Fn(&LicenseReq) -> bool| {
            let mut failed = BTreeSet::new();
            let note = |requirement: &LicenseReq| {
                let held = holds(requirement);
                if !held {
                    failed.insert(requirement.to_string());
                }
                held
            };
            if expression.evaluate(note) { Ok(()) } else { Err(failed.into_iter().collect::<Vec<_>>()) }
        };
        if let Err(denied) = failures(&|requirement| !self.denies(requirement)) {
            return Verdict::Denied(denied);
        }
        // What is denied is no way out, even if it is on both lists.
        match failures(&|requirement| !self.denies(requirement) && self.allows(requirement)) {
            Ok(()) => Verdict::Allowed,
            Err(others) => Verdict::NotAllowed(others),
        }
    }

    fn denies(&self, requirement: &LicenseReq) -> bool {
        if self.deny.contains(&requirement.to_string()) {
            return true;
        }
        // An exception gives more rights, and does not take away what is denied, unless somebody allowed exactly this.
        let bare = LicenseReq { license: requirement.license.clone(), addition: None };
        let named = self.allow.iter().any(|licensee| licensee.clone().into_req() == *requirement);
        requirement.addition.is_some() && !named && self.deny.contains(&bare.to_string())
    }

    fn allows(&self, requirement: &LicenseReq) -> bool {
        let bare = LicenseReq { license: requirement.license.clone(), addition: None };
        let fits = |licensee: &Licensee| {
            licensee.satisfies(requirement) || licensee.satisfies(&bare) || is_later(licensee, requirement)
        };
        self.allow.is_empty() || self.allow.iter().any(fits)
    }
}

/// Whether somebody who may use the requirement's licence `-or-later` may use it under the licence that is allowed.
fn is_later(licensee: &Licensee, requirement: &LicenseReq) -> bool {
    let (allowed, wanted) = (licensee.clone().into_req().license.id(), requirement.license.id());
    let number = |id: LicenseId| id.version().and_then(|version| version.parse::<f32>().ok());
    match (allowed, wanted) {
        (Some(allowed), Some(wanted)) => {
            wanted.name.ends_with("-or-later") && allowed.base() == wanted.base() && number(allowed) >= number(wanted)
        }
        _ => false,
    }
}

fn items(field: &str, texts: &[String]) -> Result<Vec<Licensee>, String> {
    let item = |(number, text): (usize, &String)| {
        Licensee::parse(text).map_err(|error| {
            format!(
                "`{field}[{number}]`: `{text}` is no SPDX licence ({}); write it as the SPDX list does, such as `Apache-2.0`, \
                 `GPL-2.0-only WITH Classpath-exception-2.0` or `LicenseRef-ours`",
                error.reason
            )
        })
    };
    texts.iter().enumerate().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> Rules {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Rules::new(&own(allow), &own(deny)).unwrap()
    }

    #[test]
    fn expressions_are_decided() {
        let lists = rules(
            &["MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"],
            &["GPL-2.0-only", "AGPL-3.0-only"],
        );
        let check = |text: &str, expected: Verdict| assert_eq!(lists.decide(text), expected, "{text}");
        let denied = |texts: &[&str]| Verdict::Denied(texts.iter().map(|text| (*text).to_owned()).collect());
        let others = |texts: &[&str]| Verdict::NotAllowed(texts.iter().map(|text| (*text).to_owned()).collect());
        check("MIT", Verdict::Allowed);
        check("(MIT)", Verdict::Allowed);
        check("mit", Verdict::Allowed);
        check("MIT/Apache-2.0", Verdict::Allowed);
        check("MIT OR AGPL-3.0-only", Verdict::Allowed);
        check("MIT AND Apache-2.0", Verdict::Allowed);
        check("Apache-2.0 WITH LLVM-exception", Verdict::Allowed);
        check("GPL-2.0-only WITH Classpath-exception-2.0", Verdict::Allowed);
        check("MIT AND AGPL-3.0-only", denied(&["AGPL-3.0-only"]));
        check("GPL-2.0-only WITH GCC-exception-2.0", denied(&["GPL-2.0-only WITH GCC-exception-2.0"]));
        check("GPL-2.0-only OR AGPL-3.0-only", denied(&["AGPL-3.0-only", "GPL-2.0-only"]));
        check("BSD-3-Clause", others(&["BSD-3-Clause"]));
        check("ISC OR AGPL-3.0-only", others(&["AGPL-3.0-only", "ISC"]));
        check("LicenseRef-ours", others(&["LicenseRef-ours"]));
        for text in ["Our own licence", "", "MIT AND", "(".repeat(10_000).as_str()] {
            assert!(matches!(lists.decide(text), Verdict::Unreadable(_)), "{text}");
        }
    }

    #[test]
    fn without_a_list_of_what_is_allowed_the_rest_is() {
        let lists = rules(&[], &["GPL-3.0-only"]);
        assert_eq!(lists.decide("LicenseRef-x OR MIT"), Verdict::Allowed);
        assert!(matches!(lists.decide("GPL-3.0-only"), Verdict::Denied(_)));
    }

    #[test]
    fn later_versions_are_taken_where_they_may_be() {
        // Who may use it under version 3 is allowed to if that is allowed.
        assert_eq!(rules(&["GPL-3.0-only"], &[]).decide("GPL-2.0-or-later"), Verdict::Allowed);
        assert!(matches!(rules(&["GPL-2.0-only"], &[]).decide("GPL-3.0-or-later"), Verdict::NotAllowed(_)));
    }

    #[test]
    fn a_wrong_item_is_named() {
        let error = Rules::new(&["MIT".to_owned(), "GPL".to_owned()], &[]).unwrap_err();
        assert!(error.starts_with("`allow[1]`: `GPL` is no SPDX licence"), "{error}");
    }
}
