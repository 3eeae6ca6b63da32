//! Pictures at another size: fitting the screen to a session, and zoom.

use fast_image_resize::{
    CropBoxError, FilterType, ImageBufferError, ResizeAlg, ResizeError, ResizeOptions, Resizer,
    images::{TypedCroppedImage, TypedImage, TypedImageRef},
    pixels::U8x4,
};
use thiserror::Error;

use super::pixels::{PixelBuffer, Pixels};
use crate::protocol::units::{NativeSize, ScreenSize};

/// Catmull-Rom, with the kernel widened when reducing, so that every native pixel counts.
///
/// Small text decides. Beside each other at 0.62 × and 1.25 × on a page of 12-pixel text: box makes strokes uneven when
/// the factor is not whole, bilinear blurs, Lanczos3 is as legible as Catmull-Rom, with halos around dark text and 1.4
/// times the time. Measured on one core, 1024×768 to 640×480: 1.2 ms against 1.6 ms; to 1280×960: 3.2 ms against 4.0 ms.
const FILTER: FilterType = FilterType::CatmullRom;

/// Scratch memory that is kept between calls; above it the next large picture allocates again. One row-reduced 1024×768
/// frame fits, so ordinary sessions never allocate, and a 4K display does not make an idle server large.
const SCRATCH_KEPT: usize = 4 * 1024 * 1024;

/// A picture could not be resized. The views and buffers here are always valid, so this is a defect.
#[derive(Debug, Error)]
pub enum ScaleError {
    /// A buffer does not have the size that it claims.
    #[error("a picture's buffer has the wrong size: {0}")]
    Buffer(#[from] ImageBufferError),
    /// A region reaches outside its frame.
    #[error("a region does not lie in its picture: {0}")]
    Region(#[from] CropBoxError),
    /// The resampler refused.
    #[error("a picture could not be resized: {0}")]
    Resize(#[from] ResizeError),
}

/// Resizes pictures one after the other, with SIMD where the processor has it. Keeps at most a few megabytes.
#[derive(Debug, Default)]
pub struct Scaler {
    resizer: Resizer,
}

impl Scaler {
    /// Fills `target` with `source` at `size`: larger, smaller or stretched. The edges of both pictures coincide.
    pub fn scale(&mut self, source: &Pixels<'_>, size: ScreenSize, target: &mut PixelBuffer) -> Result<(), ScaleError> {
        target.resize(NativeSize { width: size.width, height: size.height });
        let NativeSize { width, height } = target.size();
        let (bytes, frame_width) = source.frame();
        let place = source.place();
        // Rows below the region are not needed, those above are skipped.
        let frame_height = u32::from(place.y) + u32::from(place.height);
        let frame_width = u32::try_from(frame_width).map_err(|_| ImageBufferError::InvalidBufferSize)?;
        let frame = TypedImageRef::<U8x4>::from_buffer(frame_width, frame_height, bytes)?;
        let mut scaled = TypedImage::<U8x4>::from_buffer(width.into(), height.into(), target.bytes_mut())?;
        // A view of the region alone: with the resizer's own crop the filter would reach over the edge into its neighbours.
        let (left, top) = (u32::from(place.x), u32::from(place.y));
        let region = TypedCroppedImage::from_ref(&frame, left, top, place.width.into(), place.height.into())?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FILTER))
            // The fourth byte is no alpha.
            .use_alpha(false);
        self.resizer.resize_typed(&region, &mut scaled, &options)?;
        if self.resizer.size_of_internal_buffers() > SCRATCH_KEPT {
            self.resizer.reset_internal_buffers();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{image::pixels::PIXEL_BYTES, protocol::units::NativeRegion};

    const CORNERS: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]];

    /// Four quarters, each in its own colour: top left, top right, bottom left, bottom right.
    fn quarters(width: u16, height: u16) -> PixelBuffer {
        let mut buffer = PixelBuffer::default();
        buffer.resize(NativeSize { width, height });
        for (index, pixel) in buffer.bytes_mut().as_chunks_mut::<PIXEL_BYTES>().0.iter_mut().enumerate() {
            let (x, y) = (index % usize::from(width), index / usize::from(width));
            let corner = usize::from(x >= usize::from(width) / 2) + 2 * usize::from(y >= usize::from(height) / 2);
            let [red, green, blue] = CORNERS[corner];
            *pixel = [blue, green, red, 77];
        }
        buffer
    }

    fn scale(source: &Pixels<'_>, width: u16, height: u16) -> PixelBuffer {
        let mut target = PixelBuffer::default();
        Scaler::default().scale(source, ScreenSize { width, height }, &mut target).unwrap();
        target
    }

    fn corners(picture: &PixelBuffer) -> [Option<[u8; 3]>; 4] {
        let NativeSize { width, height } = picture.size();
        let (right, bottom) = (width - 1, height - 1);
        [(0, 0), (right, 0), (0, bottom), (right, bottom)].map(|(x, y)| picture.pixels().rgb(x, y))
    }

    proptest! {
        #[test]
        fn corners_stay_in_their_corners_at_every_size(
            (width, height) in (8_u16..120, 8_u16..120),
            (to_width, to_height) in (8_u16..160, 8_u16..160),
        ) {
            let scaled = scale(&quarters(width, height).pixels(), to_width, to_height);
            prop_assert_eq!(scaled.size(), NativeSize { width: to_width, height: to_height });
            for (corner, expected) in corners(&scaled).into_iter().zip(CORNERS) {
                // The filter overshoots by a tenth at most, and that towards the extremes, where values are cut off.
                let near = corner.is_some_and(|actual| {
                    actual.iter().zip(expected).all(|(&actual, expected)| actual.abs_diff(expected) <= 26)
                });
                prop_assert!(near, "{:?} instead of {:?}", corner, expected);
            }
        }

        #[test]
        fn one_colour_stays_that_colour(
            color in any::<[u8; 4]>(),
            (width, height) in (1_u16..50, 1_u16..50),
            (to_width, to_height) in (1_u16..80, 1_u16..80),
        ) {
            let mut source = PixelBuffer::default();
            source.resize(NativeSize { width, height });
            source.bytes_mut().as_chunks_mut::<PIXEL_BYTES>().0.fill(color);
            let scaled = scale(&source.pixels(), to_width, to_height);
            for row in scaled.pixels().rows() {
                for pixel in row.as_chunks::<PIXEL_BYTES>().0 {
                    prop_assert_eq!(&pixel[..3], &color[..3]);
                }
            }
        }
    }

    #[test]
    fn the_same_size_is_a_copy() {
        let source = quarters(31, 17);
        let scaled = scale(&source.pixels(), 31, 17);
        assert!(scaled.pixels().rows().eq(source.pixels().rows()));
    }

    #[test]
    fn a_region_is_scaled_without_its_surroundings() {
        // Only the blue quarter: nothing of the three around it may bleed in, however wide the filter is.
        let source = quarters(40, 40);
        let blue = source.pixels().region(NativeRegion { x: 0, y: 20, width: 20, height: 20 }).unwrap();
        for (width, height) in [(200, 200), (5, 5), (20, 60)] {
            let scaled = scale(&blue, width, height);
            for row in scaled.pixels().rows() {
                for pixel in row.as_chunks::<PIXEL_BYTES>().0 {
                    assert_eq!(pixel[..3], [255, 0, 0], "at {width}×{height}");
                }
            }
        }
    }

    #[test]
    fn every_native_pixel_counts_when_reducing() {
        // A fine checkerboard becomes its average, not whichever pixel is hit.
        let mut board = PixelBuffer::default();
        board.resize(NativeSize { width: 64, height: 64 });
        for (index, pixel) in board.bytes_mut().as_chunks_mut::<PIXEL_BYTES>().0.iter_mut().enumerate() {
            *pixel = [if (index % 64 + index / 64) % 2 == 0 { 0 } else { 255 }; 4];
        }
        let scaled = scale(&board.pixels(), 16, 16);
        for row in scaled.pixels().rows() {
            assert!(row.iter().all(|value| (110..=145).contains(value)), "{row:?}");
        }
    }

    /// A picture in grey by a rule for each pixel.
    fn grey(width: u16, height: u16, value: impl Fn(u16, u16) -> u8) -> PixelBuffer {
        let mut buffer = PixelBuffer::default();
        buffer.resize(NativeSize { width, height });
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        for (pixel, (x, y)) in buffer.bytes_mut().as_chunks_mut::<PIXEL_BYTES>().0.iter_mut().zip(places) {
            pixel.fill(value(x, y));
        }
        buffer
    }

    fn value(picture: &PixelBuffer, x: u16, y: u16) -> u8 {
        picture.pixels().rgb(x, y).unwrap()[0]
    }

    #[test]
    fn a_checkerboard_of_single_pixels_turns_grey_at_every_fit() {
        // Displays and what sessions fit them to: factors that are whole, and not.
        for ((width, height), (to_width, to_height)) in [
            ((1920, 1080), (1568, 882)),
            ((1920, 1080), (1280, 720)),
            ((640, 480), (320, 240)),
            ((641, 479), (213, 160)),
            ((101, 99), (50, 50)),
        ] {
            let board = grey(width, height, |x, y| if (x + y) % 2 == 0 { 0 } else { 255 });
            let scaled = scale(&board.pixels(), to_width, to_height);
            let values: Vec<u8> = scaled.pixels().rows().flatten().copied().collect();
            let sum: u64 = values.iter().map(|&value| u64::from(value)).sum();
            let mean = sum / values.len() as u64;
            assert!((126..=129).contains(&mean), "{width}×{height} to {to_width}×{to_height}: {mean}");
            // Below half the size nothing of the pattern is left; nearer to the full size it beats.
            if u32::from(to_width) * 2 <= u32::from(width) {
                assert!(values.iter().all(|value| (96..=160).contains(value)), "{width} to {to_width}");
            }
        }
    }

    #[test]
    fn a_line_at_the_edge_stays_at_the_edge() {
        for (width, to) in [(300, 100), (301, 100), (1920, 1568), (99, 198), (7, 3)] {
            let left = scale(&grey(width, 8, |x, _| if x == 0 { 255 } else { 0 }).pixels(), to, 8);
            let right = scale(&grey(width, 8, |x, _| if x == width - 1 { 255 } else { 0 }).pixels(), to, 8);
            let reach = 2.max(2 * to / width);
            for x in 0..to {
                let (here, there) = (value(&left, x, 3), value(&right, to - 1 - x, 3));
                assert!(here.abs_diff(there) <= 1, "both edges alike: {here} and {there} at {x}, {width} to {to}");
                assert!(x > reach || x > 0 || here > 60, "the line is there: {here}, {width} to {to}");
                assert!(x <= reach || here <= 8, "and nowhere else: {here} at {x}, {width} to {to}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_mirrored_picture_becomes_the_mirrored_picture(
            (width, height) in (1_u16..60, 1_u16..60),
            (to_width, to_height) in (1_u16..90, 1_u16..90),
            seed in any::<u16>(),
        ) {
            let noise = |x: u16, y: u16| (x.wrapping_mul(7919) ^ y.wrapping_mul(39_193) ^ seed).to_le_bytes()[0] / 2 + 60;
            let straight = scale(&grey(width, height, noise).pixels(), to_width, to_height);
            let mirrored = grey(width, height, |x, y| noise(width - 1 - x, height - 1 - y));
            let mirrored = scale(&mirrored.pixels(), to_width, to_height);
            for y in 0..to_height {
                for x in 0..to_width {
                    let other = value(&mirrored, to_width - 1 - x, to_height - 1 - y);
                    prop_assert!(value(&straight, x, y).abs_diff(other) <= 1, "at {},{}", x, y);
                }
            }
        }
    }

    #[test]
    fn a_large_picture_leaves_no_large_scratch_behind() {
        let mut scaler = Scaler::default();
        let mut source = PixelBuffer::default();
        source.resize(NativeSize { width: 2400, height: 2000 });
        let mut target = PixelBuffer::default();
        scaler.scale(&source.pixels(), ScreenSize { width: 1200, height: 1000 }, &mut target).unwrap();
        assert!(scaler.resizer.size_of_internal_buffers() <= SCRATCH_KEPT);
    }
}
