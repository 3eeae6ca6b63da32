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
