//! Names of container images: `[registry[:port]/]path[:tag][@digest]`, as the distribution specification's reference grammar says.

/// Whether an image can change below its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// By its content.
    Digest,
    /// By a tag, which its owner can move.
    Tag,
    /// Not at all: the tag `latest`, or none.
    Latest,
    /// A variable decides.
    Unknown,
}

/// How an image is pinned.
pub fn pin(image: &str) -> Pin {
    if image.contains(['$', '{', '<', '%']) {
        return Pin::Unknown;
    }
    if image.contains('@') {
        return Pin::Digest;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        Some((_, tag)) if tag != "latest" && !tag.is_empty() => Pin::Tag,
        _ => Pin::Latest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins() {
        for (image, expected) in [
            ("base", Pin::Latest),
            ("registry.example:5000/base", Pin::Latest),
            ("registry.example:5000/base:latest", Pin::Latest),
            ("base:1.2", Pin::Tag),
            ("base:1.2@sha256:00", Pin::Digest),
            ("base:${TAG}", Pin::Unknown),
        ] {
            assert_eq!(pin(image), expected, "{image}");
        }
    }
}
