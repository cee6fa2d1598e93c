//! Which names are those of secrets, and which values are written out.

/// Whether a name is that of a secret: its last word is, such as in `DB_PASSWORD` or `clientSecret`, but not in `PASSWORD_FILE`.
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let before = words.len().checked_sub(2).and_then(|at| words.get(at)).map(String::as_str).unwrap_or_default();
    match last {
        "password" | "passwd" | "passphrase" | "secret" | "token" | "apikey" | "secretkey" | "privatekey"
        | "credential" | "credentials" => !matches!(before, "no" | "disable" | "use" | "allow"),
        // The shell's own PWD is the working folder.
        "pwd" | "pw" => !before.is_empty(),
        "key" => matches!(before, "api" | "private" | "access" | "secret" | "signing" | "encryption" | "master"),
        _ => false,
    }
}

/// The words of a name in lower case, parted at `_`, `-`, `.` and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let parts = matches!(c, '_' | '-' | '.' | ' ');
        if (parts || (was_small && c.is_uppercase())) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| !parts) {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value is written out, and not a reference to a variable, a template's place or a switch.
pub fn is_literal(value: &str) -> bool {
    let value = value.trim();
    !(value.is_empty()
        || value.starts_with('$')
        || value.contains("${")
        || value.contains("{{")
        || (value.starts_with('<') && value.ends_with('>'))
        || matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        for name in ["DB_PASSWORD", "clientSecret", "api-key", "AWS_SECRET_ACCESS_KEY", "token", "mysql_pwd", "apiKey"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["PASSWORD_FILE", "SECRET_NAME", "TOKEN_URL", "key", "PWD", "AWS_ACCESS_KEY_ID", "tokens", "", "_"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
        for value in ["hunter2", "0"] {
            assert!(is_literal(value), "{value}");
        }
        for value in ["", " ", "$X", "${X}", "a-${X}", "{{ x }}", "<here>", "true"] {
            assert!(!is_literal(value), "{value}");
        }
    }
}
