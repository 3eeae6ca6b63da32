//! A strip of a picture: some rows, filtered and compressed without a look at any other row, as one chunk of a PNG.
//!
//! A PNG's pixels are one zlib stream, cut into IDAT chunks anywhere (PNG specification, section 11.2.3). A strip is a few blocks of
//! deflate, none of them marked as the last, that end at a whole byte and refer to nothing before them, so that any other strip can
//! follow. The checksum of the whole is reckoned from those of the strips.

use std::{io::Error, ops::Range};

use simd_adler32::Adler32;

use super::{
    deflate::Deflater,
    matches::Search,
    pixels::Pixels,
    rows::{Content, Overlay, Rows, SEGMENT},
};
use crate::protocol::encoding::Preset;

/// Length and type before a chunk's data (PNG specification, section 5.3).
pub(super) const CHUNK_HEAD_BYTES: usize = 8;
/// A stored block's head, and the most that it holds.
const STORED_HEAD_BYTES: usize = 5;
const STORED_BYTES: usize = u16::MAX as usize;
/// The modulus of Adler-32 (RFC 1950, 8.2).
const ADLER_MODULUS: u64 = 65_521;

/// What compressing a strip needs: some rows and the compressor's memory, used again.
#[derive(Debug, Default)]
pub(super) struct Press {
    rows: Rows,
    deflater: Deflater,
}

/// One strip, compressed.
#[derive(Debug, Default)]
pub(super) struct Strip {
    /// The whole chunk, its length and its CRC included.
    chunk: Vec<u8>,
    checksum: Checksum,
    /// Whether the overlay is drawn in it.
    pub(super) is_overlaid: bool,
    /// Whether the picture has changed since.
    pub(super) is_stale: bool,
}

impl Strip {
    /// The IDAT chunk.
    pub(super) fn chunk(&self) -> &[u8] {
        &self.chunk
    }

    /// Of the rows as they are in the stream.
    pub(super) fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Compresses these rows.
    pub(super) fn compress(
        &mut self,
        press: &mut Press,
        preset: Preset,
        pixels: &Pixels<'_>,
        rows: Range<usize>,
        overlay: Overlay<'_>,
    ) -> Result<(), Error> {
        press.rows.take(pixels, rows, overlay);
        self.chunk.clear();
        self.chunk.resize(CHUNK_HEAD_BYTES, 0);
        let count = press.rows.count();
        let (mut adler, mut start) = (Adler32::new(), 0);
        while start < count {
            // Neighbouring rows of one kind share a block.
            let content = |start: usize| press.rows.content(start..(start + SEGMENT).min(count));
            let first = content(start);
            let mut end = start + SEGMENT;
            while end < count && content(end) == first {
                end += SEGMENT;
            }
            let rows = start..end.min(count);
            adler.write(press.block(preset, first, rows.clone(), &mut self.chunk));
            start = rows.end;
        }
        self.checksum = Checksum { adler: adler.finish(), bytes: press.rows.plain(0..count).len() };
        // Noise is shorter without compression.
        let stored_bytes = self.checksum.bytes + self.checksum.bytes.div_ceil(STORED_BYTES) * STORED_HEAD_BYTES;
        if self.chunk.len() - CHUNK_HEAD_BYTES > stored_bytes {
            self.store(press.rows.plain(0..count));
        }
        close_chunk(&mut self.chunk, *b"IDAT")
    }

    /// Holds these rows uncompressed.
    fn store(&mut self, rows: &[u8]) {
        self.chunk.truncate(CHUNK_HEAD_BYTES);
        for block in rows.chunks(STORED_BYTES) {
            // At most 65,535, as just said.
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            self.chunk.push(0);
            self.chunk.extend_from_slice(&length.to_le_bytes());
            self.chunk.extend_from_slice(&(!length).to_le_bytes());
            self.chunk.extend_from_slice(block);
        }
        let mut adler = Adler32::new();
        adler.write(rows);
        self.checksum.adler = adler.finish();
    }
}

impl Press {
    /// Appends some rows as a block, and returns them as they stand in it.
    fn block(&mut self, preset: Preset, content: Content, rows: Range<usize>, output: &mut Vec<u8>) -> &[u8] {
        let Self { rows: source, deflater } = self;
        if content == Content::Drawn {
            let plain = source.plain(rows.clone());
            let bytes = deflater.plan(plain, Search::Quick);
            let repeats_little = deflater.literals() * if preset == Preset::Compact { 4 } else { 2 } > plain.len();
            if repeats_little {
                // Perhaps they were not drawn after all.
                source.filter(rows.clone(), preset);
                if deflater.plan(source.filtered(rows.clone()), Search::Runs) < bytes {
                    let text = source.filtered(rows);
                    deflater.write(text, output);
                    return text;
                }
            }
            let plain = source.plain(rows);
            match preset {
                _ if repeats_little => _ = deflater.plan(plain, Search::Quick),
                Preset::Compact => _ = deflater.plan(plain, Search::Thorough),
                Preset::Fast => {}
            }
            deflater.write(plain, output);
            return plain;
        }
        source.filter(rows.clone(), preset);
        let text = source.filtered(rows.clone());
        let is_regular = preset == Preset::Compact && {
            // What was reckoned out repeats itself even filtered, a photograph does not: four rows tell, by what a search for all
            // repetitions makes of them against one for zeros.
            let middle = rows.start + rows.len() / 2;
            let sample = source.filtered(middle.saturating_sub(2).max(rows.start)..(middle + 2).min(rows.end));
            deflater.plan(sample, Search::Quick) * 10 < deflater.plan(sample, Search::Runs) * 9
        };
        let search = if is_regular { Search::Thorough } else { Search::Runs };
        deflater.plan(text, search);
        deflater.write(text, output);
        text
    }
}

/// The Adler-32 of some bytes, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) adler: u32,
    pub(super) bytes: usize,
}

impl Default for Checksum {
    /// Of no bytes.
    fn default() -> Self {
        Self { adler: 1, bytes: 0 }
    }
}

impl Checksum {
    /// The checksum of two texts one after the other: the low half is 1 plus the sum of the bytes, the high half the sum of the
    /// low halves after each byte, so each byte of the second text adds the first's low half less 1 once more.
    pub(super) fn then(self, second: Self) -> Self {
        let halves = |checksum: u32| (u64::from(checksum & 0xffff), u64::from(checksum >> 16));
        let ((low_1, high_1), (low_2, high_2)) = (halves(self.adler), halves(second.adler));
        let carried = (low_1 + ADLER_MODULUS - 1) % ADLER_MODULUS;
        let low = (carried + low_2) % ADLER_MODULUS;
        let high = (high_1 + high_2 + carried * (second.bytes as u64 % ADLER_MODULUS)) % ADLER_MODULUS;
        // Both are below 65,521.
        let adler = u32::try_from(high << 16 | low).unwrap_or_default();
        Self { adler, bytes: self.bytes + second.bytes }
    }
}

/// Writes the length, the type and the CRC of a chunk that fills `chunk` but for its CRC.
pub(super) fn close_chunk(chunk: &mut Vec<u8>, kind: [u8; 4]) -> Result<(), Error> {
    // The longest picture is 3840 × 2160 × 3 bytes, a hundredth of the 2³¹ − 1 that a chunk may have.
    let length = u32::try_from(chunk.len() - CHUNK_HEAD_BYTES).map_err(Error::other)?;
    chunk[..4].copy_from_slice(&length.to_be_bytes());
    chunk[4..CHUNK_HEAD_BYTES].copy_from_slice(&kind);
    let checksum = crc32fast::hash(&chunk[4..]);
    chunk.extend_from_slice(&checksum.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_checksum_of_the_whole_follows_from_those_of_the_parts(
            first in proptest::collection::vec(any::<u8>(), 0..400),
            second in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            let of = |bytes: &[u8]| {
                let mut adler = Adler32::new();
                adler.write(bytes);
                Checksum { adler: adler.finish(), bytes: bytes.len() }
            };
            prop_assert_eq!(of(&first).then(of(&second)), of(&[first, second].concat()));
        }
    }
}
