//! Which of two versions is the later one: the orders of the ecosystems, each in a file of its own.
//!
//! Every order is total over all texts, so that sorting is safe whatever a file says. A text that is no version of the ecosystem comes
//! before all that are; whoever must not guess asks [`Order::is_version`] first.

mod apk;
mod debian;
mod maven;
mod npm;
mod nuget;
mod packagist;
mod pep440;
mod rpm;
mod rubygems;
mod semver;

use std::cmp::Ordering;

/// The longest text that is taken for a version. Real ones stay below a hundred bytes.
pub const LONGEST: usize = 512;

/// How an ecosystem orders its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Semantic Versioning 2.0.0, as Cargo and others use it.
    SemVer,
    /// Semantic Versioning as npm reads it.
    Npm,
    /// Python.
    Pep440,
    /// Maven and Gradle.
    Maven,
    /// Alpine and others with apk.
    Apk,
    /// dpkg.
    Debian,
    /// rpm.
    Rpm,
    /// Go modules: Semantic Versioning after a `v`.
    Go,
    /// Ruby.
    RubyGems,
    /// NuGet: Semantic Versioning with up to four numbers.
    NuGet,
    /// Composer.
    Packagist,
}

impl Order {
    /// Every order.
    pub const ALL: [Order; 11] = [
        Order::SemVer,
        Order::Npm,
        Order::Pep440,
        Order::Maven,
        Order::Apk,
        Order::Debian,
        Order::Rpm,
        Order::Go,
        Order::RubyGems,
        Order::NuGet,
        Order::Packagist,
    ];

    /// The order of an ecosystem by the name that the OSV schema gives it (<https://ossf.github.io/osv-schema>), with or without a
    /// release after a colon: `Debian:12`. `None` for one whose order is not known.
    pub fn for_ecosystem(name: &str) -> Option<Order> {
        Some(match name.split(':').next().unwrap_or_default() {
            "crates.io" | "Hex" | "Pub" | "SwiftURL" | "GitHub Actions" | "Julia" => Order::SemVer,
            "npm" => Order::Npm,
            "PyPI" => Order::Pep440,
            "Maven" => Order::Maven,
            "Alpine" | "Alpaquita" | "Chainguard" | "Wolfi" | "MinimOS" => Order::Apk,
            "Debian" | "Ubuntu" | "Echo" => Order::Debian,
            "Red Hat" | "AlmaLinux" | "Rocky Linux" | "SUSE" | "openSUSE" | "openEuler" | "Mageia" | "Photon OS"
            | "Azure Linux" => Order::Rpm,
            "Go" => Order::Go,
            "RubyGems" => Order::RubyGems,
            "NuGet" => Order::NuGet,
            "Packagist" => Order::Packagist,
            _ => return None,
        })
    }

    /// Whether a text is a version of this ecosystem.
    pub fn is_version(self, text: &str) -> bool {
        self.key(text).is_some()
    }

    /// Compares two texts. Different texts can be equal: `1.0` and `1.0.0` in Python.
    pub fn compare(self, left: &str, right: &str) -> Ordering {
        match (self.key(left), self.key(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            (None, None) => left.cmp(right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        }
    }

    fn key(self, text: &str) -> Option<Key> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        match self {
            Order::SemVer => semver::parse(text).map(Key::SemVer),
            Order::Npm => npm::parse(text).map(Key::SemVer),
            Order::Go => semver::parse_go(text).map(Key::SemVer),
            Order::Pep440 => pep440::parse(text).map(Key::Pep440),
            Order::Maven => maven::parse(text).map(Key::Maven),
            Order::Apk => apk::parse(text).map(Key::Apk),
            Order::Debian => debian::parse(text).map(Key::Debian),
            Order::Rpm => rpm::parse(text).map(Key::Rpm),
            Order::RubyGems => rubygems::parse(text).map(Key::RubyGems),
            Order::NuGet => nuget::parse(text).map(Key::NuGet),
            Order::Packagist => packagist::parse(text).map(Key::Packagist),
        }
    }
}

/// A version, read. Only those of one order are compared.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    SemVer(semver::Version),
    Pep440(pep440::Version),
    Maven(maven::Version),
    Apk(apk::Version),
    Debian(debian::Version),
    Rpm(rpm::Version),
    RubyGems(rubygems::Version),
    NuGet(nuget::Version),
    Packagist(packagist::Version),
}

/// A number of any length: its digits without leading zeros. More digits are a larger number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Number(String);

impl Number {
    /// A text of digits; empty stands for zero.
    fn new(digits: &str) -> Option<Number> {
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| Number(digits.trim_start_matches('0').to_owned()))
    }

    /// A text of at least one digit.
    fn some(digits: &str) -> Option<Number> {
        if digits.is_empty() { None } else { Number::new(digits) }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Splits a text where digits and other characters meet; each piece is all digits or has none.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|character: char| character.is_ascii_digit() != first).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests;
