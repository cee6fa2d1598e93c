//! Columns for people: padded by display width, the last column cut to the terminal.

use orch_core::{shorten, visible};
use unicode_width::UnicodeWidthStr;

/// A table of text. Every cell is made harmless when it is added.
#[derive(Debug, Clone, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a header.
    pub fn new<const N: usize>(header: [&str; N]) -> Table {
        Table { header: header.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| visible(cell).into_owned()).collect());
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, at most `width` wide where the last column can be cut.
    pub fn render(&self, width: usize, indent: &str) -> String {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let columns = self.header.len();
        let widths: Vec<usize> =
            (0..columns).map(|column| all().map(|row| row[column].width()).max().unwrap_or(0)).collect();
        let mut out = String::new();
        for row in all() {
            let mut line = indent.to_owned();
            for (column, cell) in row.iter().enumerate() {
                if column + 1 == columns {
                    let left = width.saturating_sub(line.width()).max(12);
                    line.push_str(&shorten(cell, left));
                } else {
                    line.push_str(cell);
                    line.push_str(&" ".repeat(widths[column] - cell.width() + 2));
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
