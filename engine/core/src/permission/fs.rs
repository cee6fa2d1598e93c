//! Folders.

use super::evaluate::{Item, Judge, No};
use super::{Access, Ask, Capability, EffectiveMount, Grants};
use camino::{Utf8Path, Utf8PathBuf};

pub(super) fn evaluate(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    for asked in &ask.fs {
        let grant = grants.fs.iter().find(|grant| grant.mount == asked.mount);
        // The intersection of `read` and `write` is `read`: writing without reading is nobody's wish.
        let wanted = grant.map_or(asked.access, |grant| asked.access.min(grant.access));
        let found = grant.map(|grant| (grant, allowed_folder(judge, &grant.path, wanted)));
        let access = match &found {
            Some((_, Ok((_, access, _)))) => *access,
            _ => wanted,
        };
        let item = Item {
            kind: Capability::Fs,
            target: format!("{} {access}", asked.mount),
            reason: &asked.reason,
            optional: asked.optional,
            asked: asked.access.to_string(),
        };
        let granted = match grant {
            Some(grant) => Ok(format!("{} {}", grant.path, grant.access)),
            None => Err(format!(
                "{{ fs: [{{ mount: {}, path: ./{}, access: {} }}] }}",
                asked.mount, asked.mount, asked.access
            )),
        };
        let (mount, folder, said) = match found {
            None => (None, None, Err(No { reason: String::new(), fix: None })),
            Some((grant, Ok((root, _, rule)))) => {
                let below = grant.path.strip_prefix(&root).unwrap_or(Utf8Path::new("")).to_owned();
                (Some(grant), Some((root, below)), Ok(rule))
            }
            Some((grant, Err(no))) => (Some(grant), None, Err(no)),
        };
        if judge.item(&item, granted, |_| said)
            && let Some(grant) = mount
        {
            // A policy that only counts has no folder that holds this one: it is its own.
            let (root, below) = folder.unwrap_or_else(|| (grant.path.clone(), Utf8PathBuf::new()));
            judge.out.effective.fs.push(EffectiveMount { mount: asked.mount.clone(), root, below, access });
        }
    }
    for grant in grants.fs.iter().filter(|grant| !ask.fs.iter().any(|item| item.mount == grant.mount)) {
        let line = format!("{{ fs: [{{ mount: {}, access: {}, reason: \"…\" }}] }}", grant.mount, grant.access);
        let granted = format!("{} {}", grant.path, grant.access);
        judge.unasked(Capability::Fs, format!("{} {}", grant.mount, grant.access), granted, &line);
    }
}

/// The deepest allowed folder that holds `path`, the access that is left, and the rule in words.
fn allowed_folder(judge: &Judge<'_>, path: &Utf8Path, wanted: Access) -> Result<(Utf8PathBuf, Access, String), No> {
    let rule = format!("fs: {{ allow: [{{ path: {path}, access: {wanted} }}] }}");
    let rules = judge.rules(&rule)?;
    let origin = &judge.policy.origin;
    if let Some(denied) = rules.fs.deny.iter().find(|denied| path.starts_with(denied) || denied.starts_with(path)) {
        return Err(No { reason: format!("{origin} denies `{denied}`"), fix: None });
    }
    let mut holding: Vec<_> = rules.fs.allow.iter().filter(|rule| path.starts_with(&rule.path)).collect();
    holding.sort_by_key(|rule| std::cmp::Reverse((rule.access.min(wanted), rule.path.components().count())));
    let Some(found) = holding.first() else {
        let known: Vec<_> = rules.fs.allow.iter().map(|rule| format!("`{}` ({})", rule.path, rule.access)).collect();
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        let reason = format!("`{path}` is outside of what {origin} allows: {known}");
        return Err(No { reason, fix: Some(judge.policy_fix(&rule)) });
    };
    Ok((
        found.path.clone(),
        wanted.min(found.access),
        format!("{} {} by {}", found.path, found.access, judge.origin(Capability::Fs)),
    ))
}
