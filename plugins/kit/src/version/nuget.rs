//! NuGet: Semantic Versioning with up to four numbers and pre-releases that ignore case
//! (<https://learn.microsoft.com/nuget/concepts/package-versioning>).

use super::Number;
use super::semver::{Identifier, identifiers};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [Number; 4],
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Pre(Vec<Identifier>),
    Release,
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.split_once('+').map_or(text, |(text, _)| text).to_ascii_lowercase();
    let (text, pre) = text.split_once('-').map_or((&*text, None), |(text, pre)| (text, Some(pre)));
    let mut numbers: [Number; 4] = Default::default();
    for (place, part) in text.split('.').enumerate() {
        *numbers.get_mut(place)? = Number::some(part)?;
    }
    let stage = pre.map_or(Some(Stage::Release), |pre| identifiers(pre).map(Stage::Pre))?;
    Some(Version { numbers, stage })
}
