//! Users that may log in, from `etc/passwd` alone.

use crate::facts::Facts;
use crate::task::{Reader, shown};
use std::collections::BTreeSet;

/// Names in the output.
const MOST: usize = 5_000;

/// Shells that let nobody in.
const NO_LOGIN: [&str; 6] = ["nologin", "false", "sync", "halt", "shutdown", "true"];

/// Collects the users.
pub fn collect(facts: &mut Facts, reader: &mut Reader<'_>) {
    let users = reader.text("login-users", "etc/passwd").map(|text| {
        let logs_in = |line: &str| {
            let fields: Vec<&str> = line.split(':').take(8).collect();
            let [name, _, _, _, _, _, shell] = fields[..] else { return None };
            // No shell stands for /bin/sh, passwd(5).
            let shell = shell.trim().rsplit('/').next().unwrap_or_default();
            (!name.is_empty() && !NO_LOGIN.contains(&shell)).then(|| shown(name, 64))
        };
        text.lines().filter_map(logs_in).take(MOST).collect::<BTreeSet<_>>()
    });
    facts.login_users = users.map(|users| users.into_iter().collect());
}
