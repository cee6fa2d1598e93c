//! Looks at a component before anything is compiled: sizes and counts that no honest plugin reaches, and what it imports.
//!
//! Cranelift's cost grows faster than its input (136 KB of nested loops took 33 s of CPU), so what can be counted cheaply is
//! refused here; the rest meets the limits of the compiling child.

use crate::command::{RUN, RUN_VERSION};
use std::collections::BTreeSet;
use wasmparser::{Encoding, FunctionBody, Operator, Parser, Payload};

/// Bytes of a component.
pub(crate) const MOST_BYTES: usize = 64 << 20;
/// Bytes of one function. Honest ones stay below 200 KB, also those of interpreters.
const MOST_FUNCTION_BYTES: usize = 1 << 20;
const MOST_FUNCTIONS: u64 = 400_000;
const MOST_LOCALS: u64 = 10_000;
/// How deep loops of a function may be nested: the cost of compiling grows with the square of it.
const MOST_LOOPS: u32 = 1_000;
/// How deep blocks of a function may be nested. Compilers for Go make one for each place where a function can be resumed: some
/// thousands in honest programs.
const MOST_NESTING: usize = 20_000;
const MOST_MODULES: u64 = 64;
const MOST_INSTANCES: u64 = 1_000;
/// Data segments count too: a large program in Go has a hundred thousand.
const MOST_ITEMS: u64 = 200_000;
/// Of all modules of a component together. CPython with its libraries has 2,200.
const MOST_IMPORTS: u64 = 5_000;
/// How deep components may be nested in each other.
const MOST_DEPTH: usize = 8;
/// Elements of one table as declared.
const MOST_TABLE: u64 = 1_000_000;

/// Why a component is not even compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrecheckError {
    /// Larger than any plugin.
    #[error("it has {found} bytes, at most {} are allowed", MOST_BYTES)]
    TooLarge {
        /// Its length.
        found: usize,
    },
    /// No WebAssembly at all.
    #[error("it is no WebAssembly: {0}")]
    NotWasm(String),
    /// A core module.
    #[error("it is a core module, not a component: build it for `wasm32-wasip2`, or turn it into a component")]
    CoreModule,
    /// Cut off or changed.
    #[error("it is damaged at byte {offset}: {reason}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What the parser said.
        reason: String,
    },
    /// A count beyond its bound.
    #[error("it has {found} {what}, at most {most} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// The bound.
        most: u64,
    },
}

/// What a component imports and exports, as `namespace:package/interface@version`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imports {
    /// Names of imported interfaces.
    pub imports: BTreeSet<String>,
    /// Names of exported interfaces.
    pub exports: BTreeSet<String>,
}

impl Imports {
    /// Whether it can be run as a program, whatever it knows of this engine.
    pub fn is_program(&self) -> bool {
        let mut versions = self.exports.iter().filter_map(|name| name.strip_prefix(RUN));
        versions.any(|version| version.starts_with(RUN_VERSION))
    }
}

fn within(what: &'static str, found: u64, most: u64) -> Result<(), PrecheckError> {
    if found > most { Err(PrecheckError::TooMany { what, found, most }) } else { Ok(()) }
}

fn malformed(error: &wasmparser::BinaryReaderError) -> PrecheckError {
    PrecheckError::Malformed { offset: error.offset(), reason: error.message().to_owned() }
}

#[derive(Default)]
struct Counts {
    functions: u64,
    modules: u64,
    instances: u64,
    items: u64,
    imports: u64,
}

/// Checks a component and lists its imports.
///
/// # Errors
/// When it is no component, damaged, or beyond a bound.
pub fn precheck(bytes: &[u8]) -> Result<Imports, PrecheckError> {
    if bytes.len() > MOST_BYTES {
        return Err(PrecheckError::TooLarge { found: bytes.len() });
    }
    if !bytes.starts_with(b"\0asm") {
        let start: String = bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
        return Err(PrecheckError::NotWasm(format!("it begins with `{}`, not with `00 61 73 6d`", start.trim_end())));
    }
    let (mut found, mut counts, mut depth) = (Imports::default(), Counts::default(), 0_usize);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| malformed(&error))?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(PrecheckError::CoreModule),
            Payload::ModuleSection { .. } => {
                depth += 1;
                counts.modules += 1;
                within("core modules", counts.modules, MOST_MODULES)?;
            }
            Payload::ComponentSection { .. } => {
                depth += 1;
                counts.modules += 1;
                within("core modules and components", counts.modules, MOST_MODULES)?;
                within("levels of components", depth as u64, MOST_DEPTH as u64)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(reader) => {
                counts.imports += u64::from(reader.count());
                within("imports", counts.imports, MOST_IMPORTS)?;
                for import in reader {
                    let import = import.map_err(|error| malformed(&error))?;
                    if depth == 0 {
                        found.imports.insert(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(reader) => {
                counts.items += u64::from(reader.count());
                for export in reader {
                    let export = export.map_err(|error| malformed(&error))?;
                    if depth == 0 {
                        found.exports.insert(export.name.name.to_owned());
                    }
                }
            }
            Payload::ImportSection(reader) => {
                counts.imports += u64::from(reader.count());
                within("imports", counts.imports, MOST_IMPORTS)?;
            }
            Payload::InstanceSection(reader) => {
                counts.instances += u64::from(reader.count());
            }
            Payload::ComponentInstanceSection(reader) => {
                counts.instances += u64::from(reader.count());
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    let table = table.map_err(|error| malformed(&error))?;
                    within("elements in a table", table.ty.initial, MOST_TABLE)?;
                }
            }
            Payload::TypeSection(reader) => counts.items += u64::from(reader.count()),
            Payload::ComponentTypeSection(reader) => counts.items += u64::from(reader.count()),
            Payload::CoreTypeSection(reader) => counts.items += u64::from(reader.count()),
            Payload::ComponentAliasSection(reader) => counts.items += u64::from(reader.count()),
            Payload::ComponentCanonicalSection(reader) => counts.items += u64::from(reader.count()),
            Payload::ExportSection(reader) => counts.items += u64::from(reader.count()),
            Payload::GlobalSection(reader) => counts.items += u64::from(reader.count()),
            Payload::DataSection(reader) => counts.items += u64::from(reader.count()),
            Payload::FunctionSection(reader) => counts.functions += u64::from(reader.count()),
            Payload::CodeSectionEntry(body) => check_function(&body)?,
            _ => {}
        }
        within("functions", counts.functions, MOST_FUNCTIONS)?;
        within("instances", counts.instances, MOST_INSTANCES)?;
        within("types, exports, globals and aliases", counts.items, MOST_ITEMS)?;
    }
    Ok(found)
}

fn check_function(body: &FunctionBody<'_>) -> Result<(), PrecheckError> {
    within("bytes in one function", body.as_bytes().len() as u64, MOST_FUNCTION_BYTES as u64)?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(|error| malformed(&error))? {
        locals += u64::from(group.map_err(|error| malformed(&error))?.0);
        within("locals in one function", locals, MOST_LOCALS)?;
    }
    // A function shorter than this cannot be nested too deep: each block takes two bytes and an end.
    if body.as_bytes().len() < MOST_LOOPS as usize * 3 {
        return Ok(());
    }
    let (mut open, mut loops) = (Vec::new(), 0_u32);
    let mut operators = body.get_operators_reader().map_err(|error| malformed(&error))?;
    while !operators.eof() {
        let operator = operators.read().map_err(|error| malformed(&error))?;
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                let is_loop = matches!(operator, Operator::Loop { .. });
                open.push(is_loop);
                loops += u32::from(is_loop);
                within("loops nested in each other", u64::from(loops), u64::from(MOST_LOOPS))?;
                within("blocks nested in each other", open.len() as u64, MOST_NESTING as u64)?;
            }
            Operator::End => loops -= u32::from(open.pop().unwrap_or(false)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_named() {
        assert!(matches!(precheck(b""), Err(PrecheckError::NotWasm(_))));
        assert!(matches!(precheck(b"#!/bin/sh\n"), Err(PrecheckError::NotWasm(_))));
        assert_eq!(precheck(b"\0asm\x01\0\0\0"), Err(PrecheckError::CoreModule));
        assert!(matches!(precheck(b"\0asm\x0d\0\x01\0\xff"), Err(PrecheckError::Malformed { .. })));
        assert_eq!(precheck(b"\0asm\x0d\0\x01\0"), Ok(Imports::default()));
    }
}
