//! Reads a file in whole blocks. A zip file is read with a seek before each entry, and a plugin pays for every call of the host: with a
//! reader that drops what it has at each seek, a zip file of 600,000 small entries took 80 seconds in the engine; with this one it takes 2.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};

/// A host call for this many bytes.
const BLOCK: u64 = 64 * 1024;

/// A file of which one block is in memory.
pub(crate) struct Blocks<R> {
    file: R,
    length: u64,
    at: u64,
    /// Where the block begins, a multiple of [`BLOCK`]: so reading backwards meets each block once too.
    start: u64,
    block: Vec<u8>,
}

impl<R: Read + Seek> Blocks<R> {
    /// From the beginning.
    pub(crate) fn new(mut file: R) -> Result<Blocks<R>> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Blocks { file, length, at: 0, start: 0, block: Vec::new() })
    }
}

impl<R: Read + Seek> Read for Blocks<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let start = self.at - self.at % BLOCK;
        if start != self.start || self.block.is_empty() {
            self.block.clear();
            self.file.seek(SeekFrom::Start(start))?;
            (&mut self.file).take(BLOCK).read_to_end(&mut self.block)?;
            self.start = start;
        }
        let skip = usize::try_from(self.at - start).unwrap_or(usize::MAX);
        let count = self.block.get(skip..).unwrap_or_default().read(into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<R> Seek for Blocks<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    proptest! {
        #[test]
        fn reads_what_the_file_has(
            length in 0..200_000_usize,
            steps in prop::collection::vec((0..220_000_u64, 0..3_u8, 0..70_000_usize), 1..20),
        ) {
            let content: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
            let (mut blocks, mut plain) = (Blocks::new(Cursor::new(&content)).unwrap(), Cursor::new(&content));
            for (place, kind, count) in steps {
                let by = place as i64 - 110_000;
                let to = [SeekFrom::Start(place), SeekFrom::End(-(place as i64)), SeekFrom::Current(by)][usize::from(kind)];
                prop_assert_eq!(blocks.seek(to).ok(), plain.seek(to).ok());
                let (mut found, mut expected) = (Vec::new(), Vec::new());
                (&mut blocks).take(count as u64).read_to_end(&mut found).unwrap();
                (&mut plain).take(count as u64).read_to_end(&mut expected).unwrap();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
