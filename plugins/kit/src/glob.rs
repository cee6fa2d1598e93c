//! The patterns of the input `exclude`: `*` and `?` inside a name, `**` for any number of folders. A pattern without a slash
//! fits a name at any depth.

/// One pattern, split at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    segments: Vec<String>,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A reason, when it can fit nothing.
    pub fn new(pattern: &str) -> Result<Glob, String> {
        let trimmed = pattern.trim_start_matches("./").trim_end_matches('/');
        if trimmed.is_empty() {
            return Err(format!("the pattern `{pattern}` is empty"));
        }
        if trimmed.split('/').any(|segment| segment == "..") {
            return Err(format!("the pattern `{pattern}` leaves the tree"));
        }
        let mut segments: Vec<String> = Vec::new();
        if !trimmed.contains('/') {
            segments.push("**".to_owned());
        }
        for segment in trimmed.split('/').filter(|segment| !segment.is_empty()) {
            // Two in a row mean the same as one.
            if segment != "**" || segments.last().is_none_or(|last| last != "**") {
                segments.push(segment.to_owned());
            }
        }
        Ok(Glob { segments })
    }

    /// Whether it fits a path below the tree.
    pub fn fits(&self, path: &str) -> bool {
        // fitting[n]: the pattern's first n segments fit the path read so far.
        let mut fitting = vec![false; self.segments.len() + 1];
        fitting[0] = true;
        self.skip_empty(&mut fitting);
        for name in path.split('/') {
            let mut next = vec![false; fitting.len()];
            for (number, segment) in self.segments.iter().enumerate() {
                if segment == "**" {
                    next[number] |= fitting[number];
                    next[number + 1] |= fitting[number];
                } else if fitting[number] && fits_name(segment, name) {
                    next[number + 1] = true;
                }
            }
            self.skip_empty(&mut next);
            fitting = next;
        }
        fitting.last().copied().unwrap_or(false)
    }

    /// `**` may stand for no folder at all.
    fn skip_empty(&self, fitting: &mut [bool]) {
        for (number, segment) in self.segments.iter().enumerate() {
            // At the end it stands for at least one name: `a/**` is what is in `a`, not `a`.
            if segment == "**" && fitting[number] && number + 1 < self.segments.len() {
                fitting[number + 1] = true;
            }
        }
    }
}

/// `*` and `?` within one name. Going back only to the last star keeps it at length times length.
pub fn fits_name(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, read));
                at += 1;
            }
            Some(b'?') => {
                at += 1;
                read += 1;
            }
            Some(byte) if *byte == name[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((after, start)) => {
                    star = Some((after, start + 1));
                    at = after;
                    read = start + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, fits: &[&str], fits_not: &[&str]) {
        let glob = Glob::new(pattern).unwrap();
        for path in fits {
            assert!(glob.fits(path), "`{pattern}` should fit `{path}`");
        }
        for path in fits_not {
            assert!(!glob.fits(path), "`{pattern}` should not fit `{path}`");
        }
    }

    #[test]
    fn patterns() {
        check("fixtures", &["fixtures", "a/b/fixtures"], &["fixtures2", "fixtures/a"]);
        check(
            "tests/*/Cargo.lock",
            &["tests/a/Cargo.lock"],
            &["tests/Cargo.lock", "tests/a/b/Cargo.lock", "x/tests/a/Cargo.lock"],
        );
        check("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["a", "b/a/z"]);
        check("a/**", &["a/b", "a/b/c"], &["a", "b"]);
        check("./a*?c/", &["abc", "x/aabbc"], &["ac"]);
        check("**/x", &["x", "a/x"], &["ax"]);
        assert!(Glob::new("/").is_err() && Glob::new("../a").is_err());
    }
}
