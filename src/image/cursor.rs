//! Draws the pointer over a picture, because the X server never has it in its frame buffer.

use super::pixels::{PIXEL_BYTES, PixelBuffer};

/// A cursor as the `GetCursorImage` of XFIXES gives it: 32-bit ARGB, colours multiplied by alpha, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorImage {
    width: u16,
    argb: Vec<u32>,
}

impl CursorImage {
    /// `None` when the pixels are not whole rows of `width`. An image without pixels draws nothing.
    pub fn new(width: u16, argb: Vec<u32>) -> Option<Self> {
        (if width == 0 { argb.is_empty() } else { argb.len().is_multiple_of(usize::from(width)) })
            .then_some(Self { width, argb })
    }

    /// The rows from top to bottom.
    fn rows(&self) -> std::slice::ChunksExact<'_, u32> {
        self.argb.chunks_exact(usize::from(self.width.max(1)))
    }

    /// Draws over a picture. What falls outside is left out.
    pub fn blend(&self, at: CursorPlace, target: &mut PixelBuffer) {
        let row_bytes = usize::from(target.size().width) * PIXEL_BYTES;
        for (y, row) in (0_i32..).zip(target.bytes_mut().chunks_exact_mut(row_bytes)) {
            self.blend_row(at, y, row);
        }
    }

    /// Whether any of it falls on row `y`.
    pub fn covers_row(&self, at: CursorPlace, y: i32) -> bool {
        self.cursor_row(at, y).is_some()
    }

    /// Draws over row `y` of a picture, whose pixels `bgrx` holds.
    pub fn blend_row(&self, at: CursorPlace, y: i32, bgrx: &mut [u8]) {
        let Some(cursor) = self.cursor_row(at, y) else { return };
        let pixels = bgrx.as_chunks_mut::<PIXEL_BYTES>().0;
        // Either the cursor starts left of the row, or the row left of the cursor; one of the two skips is zero.
        let skip = |pixels: i32| usize::try_from(pixels).unwrap_or(0);
        let pixels = pixels.iter_mut().skip(skip(at.left));
        for (pixel, &argb) in pixels.zip(cursor.iter().skip(skip(at.left.saturating_neg()))) {
            *pixel = over(argb, *pixel);
        }
    }

    fn cursor_row(&self, at: CursorPlace, y: i32) -> Option<&[u32]> {
        let row = usize::try_from(y.checked_sub(at.top)?).ok()?;
        self.rows().nth(row)
    }
}

/// Where the cursor's top left pixel lies on a picture: the pointer less the hot spot, so it may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorPlace {
    /// Pixels from the left edge.
    pub left: i32,
    /// Pixels from the top edge.
    pub top: i32,
}

impl CursorPlace {
    /// The same place seen from a rectangle that begins at `(x, y)`.
    #[must_use]
    pub fn relative_to(self, x: u16, y: u16) -> Self {
        Self { left: self.left - i32::from(x), top: self.top - i32::from(y) }
    }
}

/// The Porter-Duff operator *over* for a premultiplied source: source + destination × (1 − alpha), rounded to nearest.
fn over(argb: u32, [blue, green, red, unused]: [u8; PIXEL_BYTES]) -> [u8; PIXEL_BYTES] {
    let [alpha, source_red, source_green, source_blue] = argb.to_be_bytes();
    let keep = u32::from(255 - alpha);
    let mix = |source: u8, destination: u8| {
        let kept = (u32::from(destination) * keep + 127) / 255;
        // A cursor that breaks the rule "colour ≤ alpha" would overflow; the display's clients make cursors.
        u8::try_from(u32::from(source) + kept).unwrap_or(u8::MAX)
    };
    [mix(source_blue, blue), mix(source_green, green), mix(source_red, red), unused]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::units::NativeSize;

    const OPAQUE_RED: u32 = 0xFFFF_0000;
    const GREY: [u8; 3] = [100, 100, 100];
    const RED: [u8; 3] = [255, 0, 0];

    fn grey(width: u16, height: u16) -> PixelBuffer {
        let mut buffer = PixelBuffer::default();
        buffer.resize(NativeSize { width, height });
        buffer.bytes_mut().fill(100);
        buffer
    }

    fn red_square(side: u16) -> CursorImage {
        CursorImage::new(side, vec![OPAQUE_RED; usize::from(side) * usize::from(side)]).unwrap()
    }

    #[test]
    fn transparent_keeps_opaque_replaces_and_half_mixes() {
        assert_eq!(over(0, [1, 2, 3, 9]), [1, 2, 3, 9]);
        assert_eq!(over(0xFF0A_0B0C, [1, 2, 3, 9]), [0x0C, 0x0B, 0x0A, 9]);
        assert_eq!(over(0x8080_0000, [200, 100, 0, 0]), [100, 50, 128, 0], "127 of 255 parts of what was there stay");
    }

    #[test]
    fn a_cursor_of_wrong_colours_saturates() {
        assert_eq!(over(0x00FF_FFFF, [200, 200, 200, 0]), [255, 255, 255, 0]);
    }

    #[test]
    fn an_image_that_is_not_whole_rows_is_refused() {
        assert!(CursorImage::new(3, vec![0; 7]).is_none());
        assert!(CursorImage::new(0, vec![0; 1]).is_none());
        let empty = CursorImage::new(0, vec![]).unwrap();
        let mut target = grey(3, 3);
        empty.blend(CursorPlace { left: 0, top: 0 }, &mut target);
        assert_eq!(target.pixels().rgb(0, 0), Some(GREY));
    }

    proptest! {
        // Every place from wholly outside on one side to wholly outside on the other, so each edge and corner clips.
        #[test]
        fn exactly_the_pixels_under_the_cursor_change(
            (left, top) in (-8_i32..20, -8_i32..18),
            side in 1_u16..6,
        ) {
            let mut target = grey(12, 10);
            red_square(side).blend(CursorPlace { left, top }, &mut target);
            for y in 0..10_u16 {
                for x in 0..12_u16 {
                    let inside = |value: u16, start: i32| (start..start + i32::from(side)).contains(&i32::from(value));
                    let expected = if inside(x, left) && inside(y, top) { RED } else { GREY };
                    prop_assert_eq!(target.pixels().rgb(x, y), Some(expected), "at {},{}", x, y);
                }
            }
        }
    }

    #[test]
    fn places_at_the_ends_of_the_number_range_draw_nothing() {
        for extreme in [i32::MIN, i32::MAX] {
            let mut target = grey(4, 4);
            red_square(2).blend(CursorPlace { left: extreme, top: 0 }, &mut target);
            red_square(2).blend(CursorPlace { left: 0, top: extreme }, &mut target);
            assert!(target.pixels().rows().flatten().all(|&byte| byte == 100));
        }
    }

    #[test]
    fn the_rows_of_a_cursor_keep_their_order() {
        let cursor = CursorImage::new(1, vec![0xFF00_0001, 0xFF00_0002]).unwrap();
        let mut target = grey(2, 3);
        cursor.blend(CursorPlace { left: 1, top: 1 }, &mut target);
        assert_eq!(target.pixels().rgb(1, 1), Some([0, 0, 1]));
        assert_eq!(target.pixels().rgb(1, 2), Some([0, 0, 2]));
        assert_eq!(target.pixels().rgb(0, 1), Some(GREY));
    }

    #[test]
    fn a_place_is_moved_into_a_rectangle() {
        let place = CursorPlace { left: 5, top: 7 };
        assert_eq!(place.relative_to(6, 2), CursorPlace { left: -1, top: 5 });
    }
}
