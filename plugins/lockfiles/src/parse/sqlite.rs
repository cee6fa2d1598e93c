//! A small reader of SQLite 3 databases (<https://www.sqlite.org/fileformat2.html>): the rows of a table, in the order of their row
//! identifiers, and nothing else. It writes nothing, takes no lock, and reads no write-ahead log.
//!
//! A database may be made to harm its reader. So each page is read at most once in a walk, which ends every loop and bounds the work by
//! the size of the file; cells of a page may not add up to more than the page; and a row has a longest length.

use orch_plugin_kit::parse::ParseError;
use std::io::{Read, Seek, SeekFrom};

/// The longest row that is read, in bytes. The largest headers of RPM packages have some 8 MiB.
pub const MAX_ROW: usize = 32 * 1024 * 1024;

/// The largest file that is read, in bytes. Only one row of it is in memory at a time.
pub const MAX_DATABASE: u64 = 2 * 1024 * 1024 * 1024;

/// Columns of a table. SQLite itself allows 2,000.
const MAX_COLUMNS: usize = 2_000;

pub(crate) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a column of a row holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing; also where the row identifier stands in for the column.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its identifier, unique in the table.
    pub id: i64,
    /// Its columns. Those that were added to the table after the row are absent.
    pub values: Vec<Value>,
}

/// An open database.
pub struct Database<R> {
    source: R,
    page_size: usize,
    /// The bytes of a page that hold content.
    usable: usize,
    pages: u32,
    seen: Vec<u64>,
}

impl<R: Read + Seek> Database<R> {
    /// Reads the header of a database.
    ///
    /// # Errors
    /// When it is no SQLite database, or one whose text is not UTF-8.
    pub fn open(mut source: R) -> Result<Database<R>, ParseError> {
        let size = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
        if size > MAX_DATABASE {
            return Err(ParseError::whole(format!("larger than {} MiB", MAX_DATABASE / 1024 / 1024)));
        }
        let mut header = [0; 100];
        source.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        source.read_exact(&mut header).map_err(|_| ParseError::whole("no SQLite database: shorter than its header"))?;
        if header[..16] != *MAGIC {
            return Err(ParseError::whole("no SQLite database"));
        }
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            size => return Err(damaged(format!("pages of {size} bytes"))),
        };
        let usable = page_size - usize::from(header[20]);
        if usable < 480 {
            return Err(damaged("pages with less than 480 bytes of content"));
        }
        let encoding = u32::from_be_bytes([header[56], header[57], header[58], header[59]]);
        // An empty database has no encoding yet.
        if encoding > 1 {
            return Err(ParseError::whole("a SQLite database whose text is not UTF-8"));
        }
        let pages = u32::try_from(size / page_size as u64).unwrap_or(u32::MAX);
        Ok(Database { source, page_size, usable, pages, seen: Vec::new() })
    }

    /// The first page of a table; `None` if there is no table of that name.
    ///
    /// # Errors
    /// When the list of tables cannot be read.
    pub fn table(&mut self, name: &str) -> Result<Option<u32>, ParseError> {
        let mut root = None;
        self.rows(1, &mut |row| {
            if let [Value::Text(kind), Value::Text(found), _, Value::Integer(page), ..] = &row.values[..]
                && kind == "table"
                && found == name
            {
                root = u32::try_from(*page).ok();
            }
            Ok(())
        })?;
        Ok(root)
    }

    /// Visits the rows of the table that begins at a page.
    ///
    /// # Errors
    /// The first that `visit` returns, and where the file is damaged.
    pub fn rows(&mut self, root: u32, visit: &mut dyn FnMut(Row) -> Result<(), ParseError>) -> Result<(), ParseError> {
        self.seen = vec![0; self.pages as usize / 64 + 1];
        self.enter(root)?;
        // A stack of our own: how deep the tree is says the file.
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            let page = self.read(number)?;
            let start = if number == 1 { 100 } else { 0 };
            let kind = page[start];
            let count = usize::from(u16_at(&page, start + 3)?);
            let pointers = match kind {
                0x05 => start + 12,
                0x0d => start + 8,
                _ => return Err(damaged(format!("page {number} is no page of a table"))),
            };
            let offset = |cell: usize| u16_at(&page, pointers + 2 * cell).map(usize::from);
            if kind == 0x05 {
                let mut children = Vec::with_capacity(count + 1);
                for cell in 0..count {
                    children.push(u32_at(&page, offset(cell)?)?);
                }
                children.push(u32_at(&page, start + 8)?);
                for child in &children {
                    self.enter(*child)?;
                }
                open.extend(children.into_iter().rev());
                continue;
            }
            let mut held = 0;
            for cell in 0..count {
                let at = offset(cell)?;
                let (length, after) = varint(&page, at)?;
                let (id, after) = varint(&page, after)?;
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= MAX_ROW)
                    .ok_or_else(|| damaged(format!("a row of more than {} MiB", MAX_ROW / 1024 / 1024)))?;
                let local = self.local_length(length);
                held += local;
                if held > self.usable {
                    return Err(damaged(format!("the rows of page {number} are longer than the page")));
                }
                let mut payload = slice(&page, after, local)?.to_vec();
                if local < length {
                    self.overflow(u32_at(&page, after + local)?, length, &mut payload)?;
                }
                visit(Row { id: i64::from_ne_bytes(id.to_ne_bytes()), values: record(&payload)? })?;
            }
        }
        Ok(())
    }

    /// How much of a row is on the page itself: section 1.6 of the format.
    fn local_length(&self, length: usize) -> usize {
        let most = self.usable - 35;
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let rest = least + (length - least) % (self.usable - 4);
        if rest <= most { rest } else { least }
    }

    fn overflow(&mut self, first: u32, length: usize, payload: &mut Vec<u8>) -> Result<(), ParseError> {
        let mut next = first;
        while payload.len() < length {
            self.enter(next)?;
            let page = self.read(next)?;
            next = u32_at(&page, 0)?;
            let wanted = (length - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(slice(&page, 4, wanted)?);
        }
        Ok(())
    }

    /// Notes that a page is used. A sound database uses each in one place only.
    fn enter(&mut self, number: u32) -> Result<(), ParseError> {
        if number == 0 || number > self.pages {
            return Err(damaged(format!("page {number} of {} is named", self.pages)));
        }
        let (word, bit) = (number as usize / 64, 1_u64 << (number % 64));
        if self.seen[word] & bit != 0 {
            return Err(damaged(format!("page {number} is used twice")));
        }
        self.seen[word] |= bit;
        Ok(())
    }

    fn read(&mut self, number: u32) -> Result<Vec<u8>, ParseError> {
        let mut page = vec![0; self.page_size];
        self.source.seek(SeekFrom::Start(u64::from(number - 1) * self.page_size as u64)).map_err(unreadable)?;
        self.source.read_exact(&mut page).map_err(unreadable)?;
        Ok(page)
    }
}

fn unreadable(error: std::io::Error) -> ParseError {
    ParseError::whole(format!("cannot be read ({})", error.kind()))
}

fn damaged(what: impl std::fmt::Display) -> ParseError {
    ParseError::whole(format!("a damaged SQLite database: {what}"))
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], ParseError> {
    let end = at.checked_add(length).filter(|end| *end <= bytes.len());
    end.map(|end| &bytes[at..end]).ok_or_else(|| damaged("something reaches over its end"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, ParseError> {
    let found = slice(bytes, at, 2)?;
    Ok(u16::from_be_bytes([found[0], found[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, ParseError> {
    let found = slice(bytes, at, 4)?;
    Ok(u32::from_be_bytes([found[0], found[1], found[2], found[3]]))
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), ParseError> {
    let mut value = 0_u64;
    for (number, byte) in slice(bytes, at, (bytes.len().saturating_sub(at)).min(9))?.iter().enumerate() {
        if number == 8 {
            return Ok((value << 8 | u64::from(*byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((value, at + number + 1));
        }
    }
    Err(damaged("something reaches over its end"))
}

/// Splits a row into its columns.
fn record(payload: &[u8]) -> Result<Vec<Value>, ParseError> {
    let (header, mut at) = varint(payload, 0)?;
    let header = usize::try_from(header).unwrap_or(usize::MAX);
    if header > payload.len() {
        return Err(damaged("a row's header is longer than the row"));
    }
    let (mut body, mut values) = (header, Vec::new());
    while at < header {
        if values.len() == MAX_COLUMNS {
            return Err(damaged(format!("more than {MAX_COLUMNS} columns")));
        }
        let (kind, after) = varint(payload, at)?;
        at = after;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).unwrap_or(0),
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(damaged("a column of an unknown type")),
            _ => usize::try_from((kind - 12) / 2).unwrap_or(usize::MAX),
        };
        let bytes = slice(payload, body, length)?;
        body += length;
        values.push(match kind {
            0 => Value::Null,
            8 | 9 => Value::Integer(i64::from(kind == 9)),
            7 => Value::Real(f64::from_bits(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))),
            1..=6 => Value::Integer(integer(bytes)),
            _ if kind % 2 == 0 => Value::Blob(bytes.to_vec()),
            _ => {
                let text = std::str::from_utf8(bytes).map_err(|_| damaged("text that is not UTF-8"))?;
                Value::Text(text.to_owned())
            }
        });
    }
    Ok(values)
}

/// A number in two's complement, the highest byte first.
fn integer(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(start, |value, byte| value << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests;
