//! A strip of a picture: some rows, filtered and compressed without a look at any other row, as one chunk of a PNG.
//!
//! A PNG's pixels are one zlib stream, cut into IDAT chunks anywhere (PNG specification, section 11.2.3). fdeflate writes a whole
//! zlib stream: a header of two bytes, one deflate block that is marked as the last and whose end code ends in a 1 bit, and an
//! Adler-32 (RFC 1950). A strip is such a stream without header, mark and checksum: its end is found from its last 1 bit, and an
//! empty stored block brings it to a byte boundary (RFC 1951, 3.2.4), where any other strip can follow. The checksum of the
//! whole is reckoned from those of the strips.

use std::{io::Error, ops::Range};

use fdeflate::Compressor;
use simd_adler32::Adler32;

use super::{
    pixels::Pixels,
    rows::{Overlay, RowFilter},
};

/// Length and type before a chunk's data (PNG specification, section 5.3).
pub(super) const CHUNK_HEAD_BYTES: usize = 8;
/// The header of a zlib stream.
const ZLIB_HEADER_BYTES: usize = 2;
/// The checksum at its end.
const CHECKSUM_BYTES: usize = 4;
/// The bits of a stored block's head before the alignment: not the last block (0), stored (00).
const STORED_HEAD_BITS: u32 = 3;
/// Length and inverted length of an empty stored block.
const EMPTY_STORED: [u8; 4] = [0, 0, 0xff, 0xff];
/// A stored block's head, and the most that it holds.
const STORED_HEAD_BYTES: usize = 5;
const STORED_BYTES: usize = u16::MAX as usize;
/// The modulus of Adler-32 (RFC 1950, 8.2).
const ADLER_MODULUS: u64 = 65_521;

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
        filter: &mut RowFilter,
        pixels: &Pixels<'_>,
        rows: Range<usize>,
        overlay: Overlay<'_>,
    ) -> Result<(), Error> {
        let raw_bytes = (usize::from(pixels.size().width) * 3 + 1) * rows.len();
        self.chunk.clear();
        // The stream's two bytes of header stand where the second half of the chunk's type belongs, and are overwritten.
        self.chunk.resize(CHUNK_HEAD_BYTES - ZLIB_HEADER_BYTES, 0);
        let mut compressor = Compressor::new(&mut self.chunk)?;
        filter.filtered(pixels, rows.clone(), overlay, |row| compressor.write_data(row))?;
        compressor.finish()?;
        let checksum = self.chunk.split_off(self.chunk.len() - CHECKSUM_BYTES);
        let checksum = checksum.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
        self.checksum = Checksum { adler: checksum, bytes: raw_bytes };
        // BFINAL is the first bit of a block.
        self.chunk[CHUNK_HEAD_BYTES] &= !1;
        if self.chunk.last().is_some_and(|last| last.leading_zeros() < STORED_HEAD_BITS) {
            self.chunk.push(0);
        }
        self.chunk.extend_from_slice(&EMPTY_STORED);
        // fdeflate's fixed code needs up to 12 bits a byte: noise is shorter without compression.
        let stored_bytes = raw_bytes + raw_bytes.div_ceil(STORED_BYTES) * STORED_HEAD_BYTES;
        if self.chunk.len() - CHUNK_HEAD_BYTES > stored_bytes {
            self.store(filter, pixels, rows, overlay);
        }
        close_chunk(&mut self.chunk, *b"IDAT")
    }

    /// Holds these rows uncompressed.
    fn store(&mut self, filter: &mut RowFilter, pixels: &Pixels<'_>, rows: Range<usize>, overlay: Overlay<'_>) {
        let Self { chunk, checksum, .. } = self;
        chunk.truncate(CHUNK_HEAD_BYTES);
        let (mut left, mut block) = (checksum.bytes, 0);
        let mut adler = Adler32::new();
        filter.plain(pixels, rows, overlay, |mut row| {
            adler.write(row);
            while !row.is_empty() {
                if block == 0 {
                    block = left.min(STORED_BYTES);
                    // At most 65,535, as just said.
                    let length = u16::try_from(block).unwrap_or(u16::MAX);
                    chunk.push(0);
                    chunk.extend_from_slice(&length.to_le_bytes());
                    chunk.extend_from_slice(&(!length).to_le_bytes());
                }
                let (now, later) = row.split_at(row.len().min(block));
                chunk.extend_from_slice(now);
                (row, block, left) = (later, block - now.len(), left - now.len());
            }
        });
        checksum.adler = adler.finish();
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
