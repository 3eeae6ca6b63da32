//! Which pixels of the screen are painted over: one bit for each.

use super::Place;
use crate::{image::pixels::PIXEL_BYTES, protocol::units::NativeSize};

/// What stands where something is hidden, in BGRX: a grey that is neither the black of an empty screen nor looks like a window.
pub(super) const MASK: [u8; PIXEL_BYTES] = [0x50, 0x50, 0x50, 0];

const BITS: usize = u64::BITS as usize;

/// A set of pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canvas {
    /// Row after row without a gap.
    words: Vec<u64>,
    size: NativeSize,
}

/// Whether pixels come in or go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Hide,
    Show,
}

impl Canvas {
    /// Nothing.
    pub(super) fn new(size: NativeSize) -> Self {
        let pixels = usize::from(size.width) * usize::from(size.height);
        Self { words: vec![0; pixels.div_ceil(BITS)], size }
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Everything.
    pub(super) fn fill(&mut self) {
        self.words.fill(u64::MAX);
    }

    /// What of a place lies on the screen.
    pub(super) fn paint(&mut self, place: Place, paint: Paint) {
        let clip = |start: i32, length: i32, most: u16| {
            let end = start.saturating_add(length).clamp(0, most.into());
            // Between 0 and 65,535.
            let index = |at: i32| usize::try_from(at).unwrap_or_default();
            index(start.clamp(0, most.into()))..index(end)
        };
        let columns = clip(place.x, place.width, self.size.width);
        for row in clip(place.y, place.height, self.size.height) {
            let start = row * usize::from(self.size.width);
            self.paint_bits(start + columns.start, start + columns.end, paint);
        }
    }

    fn paint_bits(&mut self, start: usize, end: usize, paint: Paint) {
        let mut at = start;
        while at < end {
            let (word, bit) = (at / BITS, at % BITS);
            let count = (BITS - bit).min(end - at);
            let bits = (u64::MAX >> (BITS - count)) << bit;
            if let Some(word) = self.words.get_mut(word) {
                match paint {
                    Paint::Hide => *word |= bits,
                    Paint::Show => *word &= !bits,
                }
            }
            at += count;
        }
    }

    /// Takes in what another hides.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, other) in self.words.iter_mut().zip(&other.words) {
            *mine |= other;
        }
    }

    /// Paints over the pixels of a whole picture without padding.
    pub(super) fn cover(&self, picture: &mut [u8]) {
        let pixels = picture.as_chunks_mut::<PIXEL_BYTES>().0;
        for (word, pixels) in self.words.iter().zip(pixels.chunks_mut(BITS)) {
            match *word {
                0 => {}
                u64::MAX => pixels.fill(MASK),
                bits => {
                    for (bit, pixel) in pixels.iter_mut().enumerate() {
                        if bits >> bit & 1 == 1 {
                            *pixel = MASK;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: NativeSize = NativeSize { width: 67, height: 9 };

    fn hidden(canvas: &Canvas) -> Vec<bool> {
        let mut picture = vec![0; 67 * 9 * PIXEL_BYTES];
        canvas.cover(&mut picture);
        picture.as_chunks::<PIXEL_BYTES>().0.iter().map(|pixel| *pixel == MASK).collect()
    }

    proptest! {
        #[test]
        fn a_canvas_is_what_painting_pixel_by_pixel_gives(
            places in prop::collection::vec((-80..80_i32, -12..12_i32, 0..90_i32, 0..14_i32, any::<bool>()), 0..6),
        ) {
            let (mut canvas, mut expected) = (Canvas::new(SIZE), vec![false; 67 * 9]);
            for (x, y, width, height, hide) in places {
                canvas.paint(Place { x, y, width, height }, if hide { Paint::Hide } else { Paint::Show });
                for (index, pixel) in expected.iter_mut().enumerate() {
                    let (column, row) = (i32::try_from(index % 67).unwrap(), i32::try_from(index / 67).unwrap());
                    if (x..x + width).contains(&column) && (y..y + height).contains(&row) {
                        *pixel = hide;
                    }
                }
            }
            prop_assert_eq!(&hidden(&canvas), &expected);
            canvas.fill();
            prop_assert!(hidden(&canvas).into_iter().all(|pixel| pixel));
        }
    }
}
