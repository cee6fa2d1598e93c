//! The outermost sections of a component: what it imports, what it exports, where its manifest is. Nested modules are stepped
//! over, so that this is cheap enough for every start; the host looks into them before it compiles.

use crate::{Error, MOST_PACKAGE_BYTES};
use std::ops::Range;
use wasmparser::{
    BinaryReader, ComponentExportSectionReader, ComponentExternalKind, ComponentImportSectionReader, ComponentTypeRef,
};

/// The name of the custom section that holds the manifest.
pub(crate) const MANIFEST_SECTION: &str = "orch:manifest";

const MAGIC: &[u8] = b"\0asm";
/// Version 13, layer 1: a component (component model, `Binary.md`).
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
const CUSTOM: u8 = 0;
const IMPORT: u8 = 10;
const EXPORT: u8 = 11;

/// Far above what compilers make; bounds the work that hostile bytes can cause.
const MOST_SECTIONS: usize = 100_000;
const MOST_EXTERNS: usize = 2_000;

/// What a component shows at its outermost level.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Imports by name; whether each is an instance.
    pub(crate) imports: Vec<Extern>,
    /// Exports by name.
    pub(crate) exports: Vec<Extern>,
    /// Every section with the manifest's name.
    pub(crate) manifests: Vec<ManifestSection>,
}

/// An import or export.
#[derive(Debug)]
pub(crate) struct Extern {
    /// `namespace:package/interface@version` for an interface.
    pub(crate) name: String,
    /// Whether it is an instance, which interfaces are.
    pub(crate) instance: bool,
}

/// Where a manifest is.
#[derive(Debug)]
pub(crate) struct ManifestSection {
    /// From the section's id to its end.
    pub(crate) whole: Range<usize>,
    /// Only the text.
    pub(crate) text: Range<usize>,
}

fn damaged(error: &wasmparser::BinaryReaderError) -> Error {
    Error::InvalidComponent(format!("it is damaged at byte {}: {}", error.offset(), error.message()))
}

fn too_many(what: &str, most: usize) -> Error {
    Error::InvalidComponent(format!("it has more than {most} {what}"))
}

impl Shape {
    /// Reads the outermost sections.
    pub(crate) fn read(bytes: &[u8]) -> Result<Shape, Error> {
        if bytes.len() as u64 > MOST_PACKAGE_BYTES {
            return Err(Error::InvalidComponent(format!(
                "it has {} bytes, at most {MOST_PACKAGE_BYTES} are allowed",
                bytes.len()
            )));
        }
        match bytes.strip_prefix(MAGIC) {
            None => return Err(Error::InvalidComponent("it is no WebAssembly".to_owned())),
            Some(rest) if rest.starts_with(COMPONENT) => {}
            Some([1, 0, 0, 0, ..]) => {
                return Err(Error::InvalidComponent("it is a core module, not a component".to_owned()));
            }
            Some(_) => return Err(Error::InvalidComponent("it is WebAssembly of an unknown version".to_owned())),
        }
        let mut shape = Shape::default();
        let mut reader = BinaryReader::new(bytes, 0);
        reader.read_bytes(MAGIC.len() + COMPONENT.len()).map_err(|error| damaged(&error))?;
        let mut sections = 0;
        while !reader.eof() {
            sections += 1;
            if sections > MOST_SECTIONS {
                return Err(too_many("sections", MOST_SECTIONS));
            }
            shape.section(&mut reader).map_err(|error| damaged(&error))?;
            if shape.imports.len().max(shape.exports.len()) > MOST_EXTERNS {
                return Err(too_many("imports or exports", MOST_EXTERNS));
            }
        }
        Ok(shape)
    }

    fn section(&mut self, reader: &mut BinaryReader<'_>) -> wasmparser::Result<()> {
        // Positions count from 0 because the reader began at offset 0, and a package is far smaller than `usize` on 32 bits.
        let position = |reader: &BinaryReader<'_>| reader.original_position() as usize;
        let start = position(reader);
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        let offset = reader.original_position();
        let content = reader.read_bytes(length)?;
        let end = position(reader);
        match id {
            CUSTOM => {
                let mut inner = BinaryReader::new(content, offset);
                let name = inner.read_string()?;
                if name == MANIFEST_SECTION {
                    self.manifests.push(ManifestSection { whole: start..end, text: position(&inner)..end });
                }
            }
            IMPORT => {
                for import in ComponentImportSectionReader::new(BinaryReader::new(content, offset))?
                    .into_iter()
                    .take(MOST_EXTERNS + 1)
                {
                    let import = import?;
                    // An import that stands in for an interface under another name is judged by neither, so by none.
                    let name = match import.name.implements {
                        None => import.name.full_name().into_owned(),
                        Some(interface) => format!("{} (implements {interface})", import.name.name),
                    };
                    self.imports.push(Extern { name, instance: matches!(import.ty, ComponentTypeRef::Instance(_)) });
                }
            }
            EXPORT => {
                for export in ComponentExportSectionReader::new(BinaryReader::new(content, offset))?
                    .into_iter()
                    .take(MOST_EXTERNS + 1)
                {
                    let export = export?;
                    let name = export.name.full_name().into_owned();
                    self.exports.push(Extern { name, instance: export.kind == ComponentExternalKind::Instance });
                }
            }
            _ => {}
        }
        Ok(())
    }
}
