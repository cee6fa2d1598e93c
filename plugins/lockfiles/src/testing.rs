//! Databases made byte by byte, for the tests of whoever reads some: nothing binary has to lie in the repository.

use crate::parse::sqlite::{MAGIC, Value};

/// A `rpmdb.sqlite` with `kit`, 2:1.2-3, which needs `base`, 2.0-1.
pub fn rpm_database() -> Vec<u8> {
    let kit = Tags::named("kit", "1.2", "3")
        .number(1003, 2)
        .text(1022, "noarch")
        .text(1014, "MIT AND ISC")
        .text(1011, "Acme")
        .text(1044, "kit-1.2-3.src.rpm")
        .list(1049, 8, &["base"]);
    let base = Tags::named("base", "2.0", "1").text(1022, "noarch").list(1047, 8, &["base"]);
    Writer::table(4096, "Packages", &[kit.blob(), base.blob()], 10)
}

/// A number of one to nine bytes, as SQLite writes it; those of nine are not needed here.
fn varint_bytes(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![(value & 0x7f) as u8];
    while value > 0x7f {
        value >>= 7;
        bytes.insert(0, (value & 0x7f) as u8 | 0x80);
    }
    bytes
}

pub(crate) fn record_of(columns: &[Value]) -> Vec<u8> {
    let (mut kinds, mut body) = (Vec::new(), Vec::new());
    for column in columns {
        let (kind, bytes) = match column {
            Value::Null => (0, Vec::new()),
            Value::Integer(value) => (6, value.to_be_bytes().to_vec()),
            Value::Real(value) => (7, value.to_be_bytes().to_vec()),
            Value::Text(text) => (text.len() as u64 * 2 + 13, text.as_bytes().to_vec()),
            Value::Blob(bytes) => (bytes.len() as u64 * 2 + 12, bytes.clone()),
        };
        kinds.extend(varint_bytes(kind));
        body.extend(bytes);
    }
    // The header's own length counts too; here it is always one byte.
    let mut record = varint_bytes(kinds.len() as u64 + 1);
    record.extend(kinds);
    record.extend(body);
    record
}

/// Writes databases of one table.
pub(crate) struct Writer {
    page_size: usize,
    pages: Vec<Vec<u8>>,
}

impl Writer {
    fn new_page(&mut self) -> usize {
        self.pages.push(vec![0; self.page_size]);
        self.pages.len()
    }

    /// A cell of a leaf. What is too long for it goes to pages of its own.
    fn cell(&mut self, id: u64, payload: &[u8]) -> Vec<u8> {
        let usable = self.page_size;
        let (most, least) = (usable - 35, (usable - 12) * 32 / 255 - 23);
        let rest = least + payload.len().saturating_sub(least) % (usable - 4);
        let local = match payload.len() {
            length if length <= most => length,
            _ if rest <= most => rest,
            _ => least,
        };
        let mut cell = [varint_bytes(payload.len() as u64), varint_bytes(id)].concat();
        cell.extend(&payload[..local]);
        let chunks: Vec<&[u8]> = payload[local..].chunks(usable - 4).collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let page = self.new_page();
            if number == 0 {
                cell.extend((page as u32).to_be_bytes());
            }
            let next = if number + 1 < chunks.len() { page as u32 + 1 } else { 0 };
            self.pages[page - 1][..4].copy_from_slice(&next.to_be_bytes());
            self.pages[page - 1][4..4 + chunk.len()].copy_from_slice(chunk);
        }
        cell
    }

    fn fill(&mut self, page: usize, kind: u8, right: Option<u32>, cells: &[Vec<u8>]) {
        let start = if page == 1 { 100 } else { 0 };
        let head = if right.is_some() { 12 } else { 8 };
        let bytes = &mut self.pages[page - 1];
        bytes[start] = kind;
        bytes[start + 3..start + 5].copy_from_slice(&(cells.len() as u16).to_be_bytes());
        if let Some(right) = right {
            bytes[start + 8..start + 12].copy_from_slice(&right.to_be_bytes());
        }
        let mut end = bytes.len();
        for (number, cell) in cells.iter().enumerate() {
            end -= cell.len();
            bytes[end..end + cell.len()].copy_from_slice(cell);
            let at = start + head + 2 * number;
            bytes[at..at + 2].copy_from_slice(&(end as u16).to_be_bytes());
        }
    }

    /// A database with one table; its rows are an empty column and a blob. `of_leaf` rows are on each leaf.
    pub(crate) fn table(page_size: usize, name: &str, blobs: &[Vec<u8>], of_leaf: usize) -> Vec<u8> {
        let mut writer = Writer { page_size, pages: Vec::new() };
        let (first, root) = (writer.new_page(), writer.new_page());
        let text = |text: &str| Value::Text(text.to_owned());
        let schema =
            [text("table"), text(name), text(name), Value::Integer(root as i64), text("CREATE TABLE t (a, b)")];
        let cell = writer.cell(1, &record_of(&schema));
        writer.fill(first, 0x0d, None, &[cell]);
        let rows: Vec<Vec<u8>> =
            blobs.iter().map(|blob| record_of(&[Value::Null, Value::Blob(blob.clone())])).collect();
        let mut leaves = Vec::new();
        for (number, rows) in rows.chunks(of_leaf).enumerate() {
            let page = if blobs.len() <= of_leaf { root } else { writer.new_page() };
            let id = |place: usize| (number * of_leaf + place + 1) as u64;
            let cells: Vec<_> = rows.iter().enumerate().map(|(place, row)| writer.cell(id(place), row)).collect();
            writer.fill(page, 0x0d, None, &cells);
            leaves.push((page as u32, id(rows.len() - 1)));
        }
        if let [others @ .., (last, _)] = &leaves[..]
            && !others.is_empty()
        {
            let cells: Vec<_> =
                others.iter().map(|(page, id)| [page.to_be_bytes().to_vec(), varint_bytes(*id)].concat()).collect();
            writer.fill(root, 0x05, Some(*last), &cells);
        } else if leaves.is_empty() {
            writer.fill(root, 0x0d, None, &[]);
        }
        let mut bytes = writer.pages.concat();
        bytes[..16].copy_from_slice(MAGIC);
        let written = if page_size == 65_536 { 1 } else { page_size as u16 };
        bytes[16..18].copy_from_slice(&written.to_be_bytes());
        bytes[59] = 1;
        bytes
    }
}

/// The tags of a package, each with its type, count and bytes.
#[derive(Default)]
pub(crate) struct Tags(Vec<(u32, u32, u32, Vec<u8>)>);

impl Tags {
    pub(crate) fn named(name: &str, version: &str, release: &str) -> Tags {
        Tags::default().text(1000, name).text(1001, version).text(1002, release)
    }

    pub(crate) fn text(self, tag: u32, text: &str) -> Tags {
        self.list(tag, 6, &[text])
    }

    pub(crate) fn list(mut self, tag: u32, kind: u32, texts: &[&str]) -> Tags {
        let bytes = texts.iter().flat_map(|text| text.bytes().chain([0])).collect();
        self.0.push((tag, kind, texts.len() as u32, bytes));
        self
    }

    pub(crate) fn number(mut self, tag: u32, value: u32) -> Tags {
        self.0.push((tag, 4, 1, value.to_be_bytes().to_vec()));
        self
    }

    pub(crate) fn blob(self) -> Vec<u8> {
        let (mut index, mut store) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in &self.0 {
            if *kind == 4 {
                store.resize(store.len().next_multiple_of(4), 0);
            }
            for number in [*tag, *kind, store.len() as u32, *count] {
                index.extend(number.to_be_bytes());
            }
            store.extend(bytes);
        }
        let mut blob = Vec::new();
        blob.extend((self.0.len() as u32).to_be_bytes());
        blob.extend((store.len() as u32).to_be_bytes());
        blob.extend(index);
        blob.extend(store);
        blob
    }
}
