//! The last captured picture, and whether the next one is another. Pure: works on words, wherever they come from.

use crate::{
    image::pixels::{PIXEL_BYTES, Pixels},
    protocol::units::NativeSize,
};

/// Two pixels.
const WORD_BYTES: usize = size_of::<u64>();
/// The bytes of two BGRX pixels that carry colour. What drawing leaves in the fourth byte is not part of the picture: an
/// equal picture must keep its serial although a client drew it anew with another fourth byte.
const COLOUR: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0]);
/// Words that are compared, and copied when one of them differs: 4 KiB, so that the second pass finds them in the first
/// cache, and a blinking caret copies a page and not a frame.
const BLOCK_WORDS: usize = 512;

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
}

impl LastFrame {
    /// A frame that has not been captured yet: serial 0.
    pub fn new(size: NativeSize) -> Self {
        Self { bytes: vec![0; padded_bytes(size)], size, serial: 0 }
    }

    /// Takes over a new capture, which must be as long as [`padded_bytes`] of the size says; the rest stays as it was. The
    /// serial grows if the colour of any pixel differs, and for the first capture.
    pub fn update(&mut self, captured: &[impl Word]) {
        let mut changed = self.serial == 0;
        let mine = self.bytes.as_chunks_mut::<WORD_BYTES>().0;
        for (mine, captured) in mine.chunks_mut(BLOCK_WORDS).zip(captured.chunks(BLOCK_WORDS)) {
            let pairs = mine.iter().zip(captured);
            let difference =
                pairs.fold(0, |found, (mine, captured)| found | (u64::from_ne_bytes(*mine) ^ captured.load()));
            if difference & COLOUR != 0 {
                changed = true;
                for (mine, captured) in mine.iter_mut().zip(captured) {
                    *mine = captured.load().to_ne_bytes();
                }
            }
        }
        self.serial += u64::from(changed);
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
        frame.update(words(&vec![0; padded_bytes(SIZE)]));
        assert_eq!(frame.serial(), 1);
    }

    #[test]
    fn an_equal_capture_keeps_the_serial() {
        let mut frame = LastFrame::new(SIZE);
        for _ in 0..3 {
            frame.update(words(&picture()));
        }
        assert_eq!(frame.serial(), 1);
    }

    #[test]
    fn every_single_byte_of_colour_counts_and_the_fourth_does_not() {
        let mut frame = LastFrame::new(SIZE);
        let mut bytes = picture();
        frame.update(words(&bytes));
        let picture_bytes = usize::from(SIZE.width) * usize::from(SIZE.height) * PIXEL_BYTES;
        for index in 0..picture_bytes {
            let before = frame.serial();
            bytes[index] ^= 0x10;
            frame.update(words(&bytes));
            assert_eq!(frame.serial() - before, u64::from(index % 4 != 3), "byte {index}");
        }
        let seen = frame.pixels().unwrap();
        for (row, expected) in seen.rows().zip(bytes.chunks(usize::from(SIZE.width) * PIXEL_BYTES)) {
            for (pixel, expected) in row.as_chunks::<4>().0.iter().zip(expected.as_chunks::<4>().0) {
                assert_eq!(pixel[..3], expected[..3]);
            }
        }
    }
}
