//! Frames in the X server's layout: borrowed views, one owned buffer, and the way from BGRX to RGB.

use std::ops::Range;

use crate::protocol::units::{NativeRegion, NativeSize};

/// Bytes a pixel in BGRX.
pub const PIXEL_BYTES: usize = 4;

/// A rectangle of a frame in BGRX, borrowed. Never empty, and all of its rows are there.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    /// The whole frame's rows, so that a resampler can be given the frame and a rectangle.
    bytes: &'a [u8],
    stride: usize,
    region: NativeRegion,
}

impl<'a> Pixels<'a> {
    /// A whole frame: `height` rows of `stride` bytes, of which the first `width` × 4 are pixels. `None` when the size is
    /// empty, the stride is no whole number of pixels or shorter than a row, or bytes are missing.
    pub fn new(bytes: &'a [u8], stride: usize, size: NativeSize) -> Option<Self> {
        let NativeSize { width, height } = size;
        let whole = width > 0 && height > 0 && stride.is_multiple_of(PIXEL_BYTES);
        let fits = stride >= usize::from(width) * PIXEL_BYTES && bytes.len() >= stride * usize::from(height);
        (whole && fits).then_some(Self { bytes, stride, region: NativeRegion { x: 0, y: 0, width, height } })
    }

    /// A rectangle of this one, in this one's own coordinates. `None` when it is empty or reaches outside.
    pub fn region(&self, region: NativeRegion) -> Option<Self> {
        let inside = |start: u16, length: u16, limit: u16| length > 0 && limit.checked_sub(start) >= Some(length);
        (inside(region.x, region.width, self.region.width) && inside(region.y, region.height, self.region.height)).then(
            || Self {
                region: NativeRegion { x: self.region.x + region.x, y: self.region.y + region.y, ..region },
                ..*self
            },
        )
    }

    /// Width and height.
    pub fn size(&self) -> NativeSize {
        NativeSize { width: self.region.width, height: self.region.height }
    }

    /// The rows from top to bottom, each `width` × 4 bytes.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.rows_in(0..usize::from(self.region.height))
    }

    /// Some of these rows; as many of them as there are.
    pub fn rows_in(&self, rows: Range<usize>) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let left = usize::from(self.region.x) * PIXEL_BYTES;
        let length = usize::from(self.region.width) * PIXEL_BYTES;
        let end = rows.end.min(usize::from(self.region.height));
        self.bytes
            .chunks_exact(self.stride)
            .skip(usize::from(self.region.y) + rows.start)
            .take(end.saturating_sub(rows.start))
            .map(move |row| &row[left..left + length])
    }

    /// All pixels one after the other; `None` when something lies between the rows.
    pub(super) fn contiguous(&self) -> Option<&'a [u8]> {
        let row_bytes = usize::from(self.region.width) * PIXEL_BYTES;
        let start = usize::from(self.region.y) * row_bytes;
        let whole = row_bytes == self.stride;
        whole.then(|| &self.bytes[start..start + usize::from(self.region.height) * row_bytes])
    }

    /// Red, green and blue of one pixel; `None` outside.
    #[cfg(test)]
    pub fn rgb(&self, x: u16, y: u16) -> Option<[u8; 3]> {
        let row = self.rows().nth(usize::from(y))?;
        let pixel = row.as_chunks::<PIXEL_BYTES>().0.get(usize::from(x))?;
        Some([pixel[2], pixel[1], pixel[0]])
    }

    /// The frame that this is a rectangle of: its bytes and its width in pixels, the stride's padding included.
    pub(super) fn frame(&self) -> (&'a [u8], usize) {
        (self.bytes, self.stride / PIXEL_BYTES)
    }

    /// Where in the frame this lies.
    pub(super) fn place(&self) -> NativeRegion {
        self.region
    }
}

/// An owned picture in BGRX without padding, used again from call to call so that it allocates only to grow.
#[derive(Debug)]
pub struct PixelBuffer {
    bytes: Vec<u8>,
    size: NativeSize,
}

impl Default for PixelBuffer {
    fn default() -> Self {
        Self { bytes: vec![0; PIXEL_BYTES], size: NativeSize { width: 1, height: 1 } }
    }
}

impl PixelBuffer {
    /// Takes this size; what the pixels are afterwards is not defined. An empty size becomes one pixel wide or high.
    pub fn resize(&mut self, size: NativeSize) {
        self.size = NativeSize { width: size.width.max(1), height: size.height.max(1) };
        self.bytes.resize(usize::from(self.size.width) * usize::from(self.size.height) * PIXEL_BYTES, 0);
    }

    /// Becomes a copy of these pixels.
    pub fn copy_from(&mut self, source: &Pixels<'_>) {
        self.resize(source.size());
        let row_bytes = usize::from(self.size.width) * PIXEL_BYTES;
        for (target, row) in self.bytes.chunks_exact_mut(row_bytes).zip(source.rows()) {
            target.copy_from_slice(row);
        }
    }

    /// Width and height.
    pub fn size(&self) -> NativeSize {
        self.size
    }

    /// The pixels to read.
    pub fn pixels(&self) -> Pixels<'_> {
        let NativeSize { width, height } = self.size;
        Pixels {
            bytes: &self.bytes,
            stride: usize::from(width) * PIXEL_BYTES,
            region: NativeRegion { x: 0, y: 0, width, height },
        }
    }

    /// The pixels to write, without padding.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

/// Converts whole pixels from BGRX to RGB, as many as both slices hold.
///
/// Eight pixels at a time become three 64-bit words: the baseline of x86-64 has no byte shuffle (SSSE3), so the compiler
/// cannot vectorise the obvious loop; word arithmetic needs three operations a pixel.
pub fn bgrx_to_rgb(bgrx: &[u8], rgb: &mut [u8]) {
    const BLOCK: usize = 8;
    let (sources, source_rest) = bgrx.as_chunks::<{ BLOCK * PIXEL_BYTES }>();
    let (targets, _) = rgb.as_chunks_mut::<{ BLOCK * 3 }>();
    let blocks = sources.len().min(targets.len());
    for (source, target) in sources.iter().zip(targets) {
        // Red is the lowest byte of `pixel(n)`, then green and blue: 24 bits.
        let pixel = |n: usize| {
            let at = n * PIXEL_BYTES;
            u64::from(u32::from_be_bytes([source[at], source[at + 1], source[at + 2], source[at + 3]]) >> 8)
        };
        let words = [
            pixel(0) | pixel(1) << 24 | pixel(2) << 48,
            pixel(2) >> 16 | pixel(3) << 8 | pixel(4) << 32 | pixel(5) << 56,
            pixel(5) >> 8 | pixel(6) << 16 | pixel(7) << 40,
        ];
        for (bytes, word) in target.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
    }
    let target_rest = rgb.get_mut(blocks * BLOCK * 3..).unwrap_or_default();
    let source_rest = if sources.len() == blocks { source_rest } else { &bgrx[blocks * BLOCK * PIXEL_BYTES..] };
    for (target, source) in target_rest.as_chunks_mut::<3>().0.iter_mut().zip(source_rest.as_chunks::<PIXEL_BYTES>().0)
    {
        *target = [source[2], source[1], source[0]];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(width: u16, height: u16) -> NativeSize {
        NativeSize { width, height }
    }

    #[test]
    fn a_view_that_bytes_cannot_fill_is_not_made() {
        let bytes = [0; 4 * 3 * 2];
        assert!(Pixels::new(&bytes, 12, size(3, 2)).is_some());
        assert!(Pixels::new(&bytes, 12, size(2, 2)).is_some(), "padding at the end of each row");
        assert!(Pixels::new(&bytes, 12, size(3, 3)).is_none(), "a row is missing");
        assert!(Pixels::new(&bytes, 8, size(3, 2)).is_none(), "the stride is shorter than a row");
        assert!(Pixels::new(&bytes, 13, size(3, 1)).is_none(), "the stride is no whole number of pixels");
        assert!(Pixels::new(&bytes, 12, size(0, 2)).is_none());
        assert!(Pixels::new(&bytes, 12, size(3, 0)).is_none());
    }

    #[test]
    fn a_region_of_a_region_names_the_same_pixels() {
        let bytes: Vec<u8> = (0..8 * 6 * 4).map(|byte: u32| byte.to_le_bytes()[0]).collect();
        let frame = Pixels::new(&bytes, 8 * 4, size(8, 6)).unwrap();
        let outer = frame.region(NativeRegion { x: 2, y: 1, width: 5, height: 4 }).unwrap();
        let inner = outer.region(NativeRegion { x: 1, y: 2, width: 4, height: 2 }).unwrap();
        assert_eq!(inner.size(), size(4, 2));
        assert_eq!(inner.rgb(3, 1), frame.rgb(6, 4));
        assert_eq!(inner.rows().map(<[u8]>::len).collect::<Vec<_>>(), [16, 16]);
        assert_eq!(inner.rgb(4, 0), None);
        for outside in
            [(0, 0, 6, 1), (5, 0, 1, 1), (0, 0, 0, 1), (0, 4, 1, 1), (u16::MAX, 0, 1, 1), (1, 1, u16::MAX, 1)]
        {
            let (x, y, width, height) = outside;
            assert!(outer.region(NativeRegion { x, y, width, height }).is_none(), "{outside:?}");
        }
    }

    proptest! {
        #[test]
        fn conversion_reverses_the_colours_and_drops_the_fourth_byte(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            room in 0_usize..160,
        ) {
            let mut rgb = vec![0xEE; room];
            bgrx_to_rgb(&bytes, &mut rgb);
            let pixels = (bytes.len() / 4).min(room / 3);
            for index in 0..pixels {
                prop_assert_eq!(rgb[index * 3..][..3].to_vec(), vec![bytes[index * 4 + 2], bytes[index * 4 + 1], bytes[index * 4]]);
            }
            prop_assert!(rgb[pixels * 3..].iter().all(|&byte| byte == 0xEE));
        }

        #[test]
        fn a_copy_has_the_pixels_of_its_source(
            (width, height, padding) in (1_u16..20, 1_u16..20, 0_usize..3),
            seed in any::<u8>(),
        ) {
            let stride = (usize::from(width) + padding) * PIXEL_BYTES;
            let bytes: Vec<u8> = (0..=250).cycle().map(|byte: u8| byte ^ seed).take(stride * usize::from(height)).collect();
            let source = Pixels::new(&bytes, stride, size(width, height)).unwrap();
            let mut copy = PixelBuffer::default();
            copy.copy_from(&source);
            prop_assert!(copy.pixels().rows().eq(source.rows()));
        }
    }
}
