//! The databases of rpm: `rpmdb.sqlite` and `Packages.db`, below `var/lib/rpm` or `usr/lib/sysimage/rpm`. The first is a table of the
//! packages' headers (rpm 4.16 and newer), the second rpm's own format (SUSE). The Berkeley DB before them is not read.

pub mod header;
pub mod ndb;

pub use super::os_release::{Distribution, set_distribution};
use super::poetry_lock::mark_unneeded_as_direct;
use super::sqlite::{Database, Value};
use super::{MAX_CANDIDATES, check_count, finish};
use crate::model::{Ecosystem, Package, Packages};
pub use header::Header;
use orch_plugin_kit::parse::ParseError;
use std::collections::HashMap;
use std::io::{Read, Seek};

/// The memory that names which packages require and provide may take while the edges are looked for, in bytes.
const MAX_NAMES: usize = 64 * 1024 * 1024;

/// Visits the packages of a database, `rpmdb.sqlite` or `Packages.db`, whichever the bytes are. Keys that are kept like packages are
/// left out.
///
/// # Errors
/// The first that `visit` returns, and where the file is damaged.
pub fn headers<R: Read + Seek>(
    mut source: R,
    visit: &mut dyn FnMut(Header) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let mut each = |blob: &[u8]| {
        let header = Header::parse(blob)?;
        if header.name == "gpg-pubkey" { Ok(()) } else { visit(header) }
    };
    let mut magic = [0; 4];
    source
        .rewind()
        .and_then(|()| source.read_exact(&mut magic))
        .map_err(|_| ParseError::whole("no database of rpm"))?;
    if magic == *b"RpmP" {
        return ndb::blobs(source, &mut each);
    }
    let mut database = Database::open(source)?;
    let table = database.table("Packages")?;
    let table = table.ok_or_else(|| ParseError::whole("a SQLite database without the table `Packages`"))?;
    database.rows(table, &mut |row| match &row.values[..] {
        [_, Value::Blob(blob), ..] => each(blob),
        _ => Err(ParseError::whole("a row of `Packages` without a package")),
    })
}

/// Reads a database.
///
/// # Errors
/// When it is damaged, or no database of rpm.
pub fn parse<R: Read + Seek>(source: R) -> Result<Packages, ParseError> {
    let mut found = Packages::default();
    let mut needs: Vec<Vec<String>> = Vec::new();
    let mut provided: HashMap<String, Vec<usize>> = HashMap::new();
    let (mut taken, mut too_many) = (0, false);
    headers(source, &mut |header| {
        let index = found.packages.len();
        check_count(index + 1)?;
        // A vector's and a text's own memory count as well.
        let own: usize = header.requires.iter().chain(&header.provides).map(|name| name.len() + 72).sum();
        taken += own;
        let mut provide = |name: String| {
            let providers = provided.entry(name).or_default();
            if providers.last() != Some(&index) {
                providers.push(index);
            }
        };
        provide(header.name.clone());
        if taken > MAX_NAMES {
            too_many = true;
            needs.push(Vec::new());
        } else {
            header.provides.iter().cloned().for_each(provide);
            needs.push(header.requires.clone());
        }
        found.packages.push(package(header));
        Ok(())
    })?;
    for (package, needs) in found.packages.iter_mut().zip(needs) {
        for name in needs {
            let targets = provided.get(&name).map_or(&[][..], Vec::as_slice);
            package.dependencies.extend(targets.iter().take(MAX_CANDIDATES));
        }
    }
    if too_many {
        found
            .problems
            .push(ParseError::whole("too many names are required and provided; some dependencies are missing"));
    }
    let mut found = finish(found)?;
    mark_unneeded_as_direct(&mut found);
    Ok(found)
}

fn package(header: Header) -> Package {
    let version = format!("{}-{}", header.version, header.release);
    let mut package = Package::new(Ecosystem::Rpm, header.name, Some(version));
    package.license = header.license;
    package.qualifiers.extend(header.arch.map(|arch| ("arch", arch)));
    // A package URL has the epoch apart from the version.
    package.qualifiers.extend(header.epoch.filter(|epoch| *epoch > 0).map(|epoch| ("epoch", epoch.to_string())));
    package.properties.extend(header.source_rpm.map(|source| ("source-package", source)));
    package.properties.extend(header.vendor.map(|vendor| ("vendor", vendor)));
    package.properties.extend(header.size.map(|size| ("installed-size", size.to_string())));
    package
}

#[cfg(test)]
mod tests;
