//! The last captured picture, and whether the next one is another. Pure: works on words, wherever they come from.

use std::ops::Range;

use crate::{
    image::{
        pixels::{PIXEL_BYTES, Pixels},
        tiles::{TILE_HEIGHT, TILE_WIDTH, TileSerials},
    },
    protocol::units::NativeSize,
};

/// Two pixels.
pub const WORD_BYTES: usize = size_of::<u64>();
/// The bytes of two BGRX pixels that carry colour. What drawing leaves in the fourth byte is not part of the picture: an
/// equal picture must keep its serial although a client drew it anew with another fourth byte.
const COLOUR: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0]);
/// Words that are compared, and copied when one of them differs: a row of a tile.
const SEGMENT_WORDS: usize = TILE_WIDTH as usize * PIXEL_BYTES / WORD_BYTES;

/// The rows of a tile.
const TILE_ROWS: usize = TILE_HEIGHT as usize;

/// Two pixels in memory of any kind.
pub trait Word {
    /// The bytes in memory order, as a number.
    fn load(&self) -> u64;
}

impl Word for [u8; WORD_BYTES] {
    fn load(&self) -> u64 {
        u64::from_ne_bytes(*self)
    }
}

/// The one private copy of the screen.
#[derive(Debug)]
pub struct LastFrame {
    /// Whole words, so one pixel longer than the picture when that has an odd number of pixels.
    bytes: Vec<u8>,
    size: NativeSize,
    serial: u64,
    tiles: TileSerials,
}

impl LastFrame {
    /// A frame that has not been captured yet: serial 0.
    pub fn new(size: NativeSize) -> Self {
        Self { bytes: vec![0; padded_bytes(size)], size, serial: 0, tiles: TileSerials::new(size) }
    }

    /// Whether nothing has been captured yet.
    pub const fn is_new(&self) -> bool {
        self.serial == 0
    }

    /// Takes over a new capture of some rows, which begins with the first of them; what is missing stays as it was. In a
    /// picture of odd width they begin at an even row, and end at one or with the picture. The serial grows if the colour of any
    /// pixel differs, and for the first capture.
    pub fn update(&mut self, captured: &[impl Word], rows: Range<u16>) {
        let is_first = self.serial == 0;
        let next = self.serial + 1;
        let mut changed = is_first;
        let width = usize::from(self.size.width);
        let mine = self.bytes.as_chunks_mut::<WORD_BYTES>().0;
        // An odd width puts the end of a row and the start of the next into one word. It belongs to the row that it starts in,
        // and its change marks the tiles of both.
        let first_word = |row: usize| (row * width).div_ceil(2);
        let first_captured = first_word(usize::from(rows.start));
        for row in usize::from(rows.start)..usize::from(rows.end.min(self.size.height)) {
            let words = first_word(row)..first_word(row + 1);
            let taken = words.start - first_captured..words.end - first_captured;
            let (Some(mine), Some(captured)) = (mine.get_mut(words), captured.get(taken)) else { break };
            let pairs = mine.chunks_mut(SEGMENT_WORDS).zip(captured.chunks(SEGMENT_WORDS));
            for (segment, (mine, captured)) in pairs.enumerate() {
                let differs = |found: u64, (mine, captured): (&[u8; WORD_BYTES], _)| {
                    found | (u64::from_ne_bytes(*mine) ^ Word::load(captured))
                };
                if !is_first && mine.iter().zip(captured).fold(0, differs) & COLOUR == 0 {
                    continue;
                }
                changed = true;
                for (mine, captured) in mine.iter_mut().zip(captured) {
                    *mine = captured.load().to_ne_bytes();
                }
                self.tiles.row_mut(row / TILE_ROWS)[segment] = next;
                if !width.is_multiple_of(2) {
                    if let Some(neighbour) = self.tiles.row_mut(row / TILE_ROWS).get_mut(segment + 1) {
                        *neighbour = next;
                    }
                    if let Some(below) = self.tiles.row_mut((row + 1) / TILE_ROWS).first_mut() {
                        *below = next;
                    }
                }
            }
        }
        self.serial += u64::from(changed);
    }

    /// When each tile last changed.
    pub fn tiles(&self) -> &TileSerials {
        &self.tiles
    }

    /// Counts different pictures, from 1.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The picture; `None` only for an empty size, which no display has.
    pub fn pixels(&self) -> Option<Pixels<'_>> {
        Pixels::new(&self.bytes, usize::from(self.size.width) * PIXEL_BYTES, self.size)
    }
}

/// How many bytes hold a picture of this size, filled up to a whole word.
pub fn padded_bytes(size: NativeSize) -> usize {
    (usize::from(size.width) * usize::from(size.height) * PIXEL_BYTES).next_multiple_of(WORD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: NativeSize = NativeSize { width: 67, height: 51 };
    const WHOLE: Range<u16> = 0..SIZE.height;

    fn words(bytes: &[u8]) -> &[[u8; WORD_BYTES]] {
        bytes.as_chunks().0
    }

    fn picture() -> Vec<u8> {
        (0..=250).cycle().take(padded_bytes(SIZE)).collect()
    }

    #[test]
    fn the_first_capture_is_serial_1_even_when_it_is_black() {
        let mut frame = LastFrame::new(SIZE);
        assert_eq!(frame.serial(), 0);
        frame.update(words(&vec![0; padded_bytes(SIZE)]), WHOLE);
        assert_eq!(frame.serial(), 1);
    }

    #[test]
    fn an_equal_capture_keeps_the_serial() {
        let mut frame = LastFrame::new(SIZE);
        for _ in 0..3 {
            frame.update(words(&picture()), WHOLE);
        }
        assert_eq!(frame.serial(), 1);
    }

    #[test]
    fn every_single_byte_of_colour_counts_and_the_fourth_does_not() {
        let mut frame = LastFrame::new(SIZE);
        let mut bytes = picture();
        frame.update(words(&bytes), WHOLE);
        let picture_bytes = usize::from(SIZE.width) * usize::from(SIZE.height) * PIXEL_BYTES;
        for index in 0..picture_bytes {
            let before = frame.serial();
            bytes[index] ^= 0x10;
            frame.update(words(&bytes), WHOLE);
            assert_eq!(frame.serial() - before, u64::from(index % 4 != 3), "byte {index}");
        }
        let seen = frame.pixels().unwrap();
        for (row, expected) in seen.rows().zip(bytes.chunks(usize::from(SIZE.width) * PIXEL_BYTES)) {
            for (pixel, expected) in row.as_chunks::<4>().0.iter().zip(expected.as_chunks::<4>().0) {
                assert_eq!(pixel[..3], expected[..3]);
            }
        }
    }

    #[test]
    fn some_rows_are_taken_over_and_the_others_stay() {
        let mut frame = LastFrame::new(SIZE);
        let old = picture();
        frame.update(words(&old), WHOLE);
        let new: Vec<u8> = old.iter().map(|byte| !byte).collect();
        let row_bytes = usize::from(SIZE.width) * PIXEL_BYTES;
        frame.update(words(&new[20 * row_bytes..30 * row_bytes]), 20..30);
        frame.update(words(&new[50 * row_bytes..]), 50..51);
        assert_eq!(frame.serial(), 3);
        for (row, seen) in frame.pixels().unwrap().rows().enumerate() {
            let expected = if (20..30).contains(&row) || row == 50 { &new } else { &old };
            let expected = expected[row * row_bytes..][..row_bytes].as_chunks::<4>().0;
            assert!(
                seen.as_chunks::<4>().0.iter().zip(expected).all(|(seen, expected)| seen[..3] == expected[..3]),
                "{row}"
            );
        }
        let changed: Vec<_> = frame.tiles().changed_since(1).map(|(_, row)| row).collect();
        assert_eq!(changed, [1, 1, 3, 3]);
    }
}
