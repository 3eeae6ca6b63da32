//! RGB8 PNG, as fast as the machine can, and only as much of it as has changed: strips that know nothing of each other, each a
//! chunk that is kept until its pixels change.
//!
//! `cargo bench --bench pictures`: whole frames of 1024×768, conversion from BGRX included, processor time on one core of two that
//! others used as well, in ms and kB; zlib level 6 with the filters that libpng and Pillow choose:
//!
//! | frame | fast | compact | `png` crate `Fastest` | `Fast` | zlib 6 | WebP |
//! |---|---|---|---|---|---|---|
//! | terminal | 2.4, 165 | 10.8, 147.8 | 1.1, 405 | 1.7, 323 | 18.6, 149.3 | 3.3, 161 |
//! | document | 2.1, 132 | 9.5, 109.9 | 1.4, 515 | 2.0, 344 | 16.7, 110.5 | 3.7, 145 |
//! | web page | 2.9, 249 | 13.7, 209.5 | 1.5, 397 | 2.3, 304 | 43.3, 211.3 | 3.7, 221 |
//! | photograph | 3.7, 960 | 5.2, 893.6 | 3.2, 1,090 | 4.1, 1,031 | 234.9, 890.9 | 4.8, 1,023 |
//! | gradient | 2.9, 124 | 4.3, 17.4 | 1.5, 392 | 1.5, 235 | 9.5, 8.4 | 3.1, 148 |
//! | noise | 5.7, 2,361 | 6.0, 2,360 | 3.0, 2,360 | 3.8, 2,360 | 56.6, 2,360 | 4.5, 2,359 |
//!
//! What was tried for the fast preset: fdeflate in strips with Up and Sub took 1.3, 1.4, 2.3 and 4.0 ms for the first four and made two
//! to two and a half times the bytes of text; a link of 1 Gbit/s already wins that back. Looking for repetitions only where pixels begin
//! was no faster and made text 6 % larger. Strips of 64 rows are 3 % smaller than those of 16, and leave four times as much to
//! encode after a small change. For the compact one: 16, 64 and 128 places looked at make a document 120.0, 117.7 and 116.6 kB in 6.3,
//! 7.7 and 9.4 ms, where zlib makes 117.0; strips of 16, 64 and 128 rows 122.3, 118.0 and 117.5 kB. Text takes it 4.5 times as long as
//! the fast preset, a page 4.7, a photograph 1.4; fewer places would not beat zlib.

use std::{
    io::Error,
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    pixels::Pixels,
    rows::Overlay,
    strip::{CHUNK_HEAD_BYTES, Checksum, Press, Strip, close_chunk},
    tiles::{TILE_HEIGHT, TileSerials},
};
use crate::protocol::{encoding::Preset, units::NativeSize};

/// What every PNG begins with (PNG specification, third edition, section 5.2).
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The end of the header chunk: 8 bits a sample, truecolour, deflate, adaptive filtering, not interlaced (section 11.2.1).
const HEADER_END: [u8; 5] = [8, 2, 0, 0, 0];
/// What a zlib stream begins with (RFC 1950, 2.2): deflate with a window of 32 KiB, and check bits.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];
/// An empty stored block, marked as the last (RFC 1951, 3.2.4).
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// From how many pixels on strips are split between two threads. Starting one costs some 50 µs, in which a core compresses
/// about 20,000 pixels of a busy page.
const SPLIT_PIXELS: usize = 200_000;

/// About how many bytes a strip of the compact preset has: twelve windows of deflate, so that beginning anew costs little, and still
/// two strips of a small screen for each of two threads.
const COMPACT_STRIP_BYTES: usize = 400 * 1024;
/// And how many tiles at most, so that narrow pictures have strips at all.
const COMPACT_STRIP_TILES: usize = 32;

/// Encodes pictures one after the other; where only a part of a picture has changed since the last one, only that.
#[derive(Debug, Default)]
pub struct PngEncoder {
    /// Of the frame that the strips hold; `None` when they hold no frame.
    size: Option<NativeSize>,
    /// Each is taken by one thread at a time; nobody ever waits.
    strips: Vec<Mutex<Strip>>,
    /// The serial of the frame that the strips hold.
    serial: u64,
    presses: [Press; 2],
    preset: Preset,
    /// The chunk that is being put together.
    chunk: Vec<u8>,
}

impl PngEncoder {
    /// An encoder that prefers time or bytes.
    pub fn new(preset: Preset) -> Self {
        Self { preset, ..Self::default() }
    }

    /// Appends the picture as a PNG to `output`, with the cursor drawn over it if one is given.
    ///
    /// # Errors
    /// Only if the compressor fails, which does not happen while it writes to memory.
    pub fn encode(&mut self, pixels: &Pixels<'_>, overlay: Overlay<'_>, output: &mut Vec<u8>) -> Result<(), Error> {
        self.size = None;
        self.refresh(pixels, |_| true, overlay)?;
        self.assemble(pixels.size(), output)
    }

    /// The same for a frame of one display, whose tiles tell what has changed since the last call: `serial` is the frame's.
    ///
    /// # Errors
    /// As for [`PngEncoder::encode`].
    pub fn update(
        &mut self,
        pixels: &Pixels<'_>,
        (serial, tiles): (u64, &TileSerials),
        overlay: Overlay<'_>,
        output: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let is_known = self.size.take() == Some(pixels.size());
        let known = self.serial;
        let tile_rows = self.strip_height(pixels.size()) / usize::from(TILE_HEIGHT);
        let has_changed = |number: usize| {
            let mut rows = number * tile_rows..(number + 1) * tile_rows;
            !is_known || rows.any(|row| tiles.newest_in_row(row) > known)
        };
        self.refresh(pixels, has_changed, overlay)?;
        (self.size, self.serial) = (Some(pixels.size()), serial);
        self.assemble(pixels.size(), output)
    }

    /// Compresses the strips of which `has_changed` says so, and those that the overlay has come to or gone from.
    fn refresh(
        &mut self,
        pixels: &Pixels<'_>,
        has_changed: impl Fn(usize) -> bool,
        overlay: Overlay<'_>,
    ) -> Result<(), Error> {
        let size = pixels.size();
        let (height, strip_height) = (usize::from(size.height), self.strip_height(size));
        self.strips.resize_with(height.div_ceil(strip_height), Mutex::default);
        let rows_of = |number: usize| number * strip_height..((number + 1) * strip_height).min(height);
        let mut stale_rows = 0;
        for (number, strip) in self.strips.iter_mut().enumerate() {
            let strip = strip.get_mut().unwrap_or_else(PoisonError::into_inner);
            let rows = rows_of(number);
            let is_overlaid = covers(overlay, rows.clone());
            strip.is_stale |= is_overlaid || strip.is_overlaid || has_changed(number);
            strip.is_overlaid = is_overlaid;
            stale_rows += if strip.is_stale { rows.len() } else { 0 };
        }
        let next = AtomicUsize::new(0);
        let preset = self.preset;
        let work = |press: &mut Press| -> Result<(), Error> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(mut strip) = self.strips.get(number).map(lock) else { break };
                if strip.is_stale {
                    strip.compress(press, preset, pixels, rows_of(number), overlay)?;
                    strip.is_stale = false;
                }
            }
            Ok(())
        };
        let [first, second] = &mut self.presses;
        let stale_pixels = stale_rows * usize::from(size.width);
        let is_little = match preset {
            Preset::Fast => stale_pixels < SPLIT_PIXELS,
            // A pixel takes four to six times as long.
            Preset::Compact => stale_pixels < SPLIT_PIXELS / 4,
        };
        if is_little {
            return work(first);
        }
        thread::scope(|scope| {
            let other = scope.spawn(|| work(second));
            work(first).and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// How many rows a strip has: whole tiles.
    fn strip_height(&self, size: NativeSize) -> usize {
        let tile_height = usize::from(TILE_HEIGHT);
        match self.preset {
            Preset::Fast => tile_height,
            Preset::Compact => {
                let tile_bytes = (usize::from(size.width) * 3 + 1) * tile_height;
                (COMPACT_STRIP_BYTES / tile_bytes).clamp(1, COMPACT_STRIP_TILES) * tile_height
            }
        }
    }

    /// Puts the strips together.
    fn assemble(&mut self, size: NativeSize, output: &mut Vec<u8>) -> Result<(), Error> {
        let Self { strips, chunk, .. } = self;
        let mut add = |kind: [u8; 4], parts: &[&[u8]], output: &mut Vec<u8>| {
            chunk.clear();
            chunk.resize(CHUNK_HEAD_BYTES, 0);
            for part in parts {
                chunk.extend_from_slice(part);
            }
            close_chunk(chunk, kind)?;
            output.extend_from_slice(chunk);
            Ok::<_, Error>(())
        };
        output.extend_from_slice(&SIGNATURE);
        let (width, height) = (u32::from(size.width).to_be_bytes(), u32::from(size.height).to_be_bytes());
        add(*b"IHDR", &[&width, &height, &HEADER_END], output)?;
        add(*b"IDAT", &[&ZLIB_HEADER], output)?;
        let mut checksum = Checksum::default();
        for strip in strips {
            let strip = strip.get_mut().unwrap_or_else(PoisonError::into_inner);
            checksum = checksum.then(strip.checksum());
            output.extend_from_slice(strip.chunk());
        }
        add(*b"IDAT", &[&LAST_BLOCK, &checksum.adler.to_be_bytes()], output)?;
        add(*b"IEND", &[], output)
    }
}

fn lock(strip: &Mutex<Strip>) -> MutexGuard<'_, Strip> {
    // A strip that a panic has left half written is still marked as stale.
    strip.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the overlay reaches any of these rows.
fn covers(overlay: Overlay<'_>, mut rows: Range<usize>) -> bool {
    overlay
        .is_some_and(|(image, place)| rows.any(|row| i32::try_from(row).is_ok_and(|row| image.covers_row(place, row))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::io::Cursor;

    use super::*;
    use crate::{
        image::{
            cursor::{CursorImage, CursorPlace},
            pixels::{PIXEL_BYTES, PixelBuffer},
            tiles::TILE_WIDTH,
        },
        protocol::units::{NativeRegion, NativeSize},
    };

    fn picture(width: u16, height: u16, color: impl Fn(u16, u16) -> [u8; 3]) -> PixelBuffer {
        let mut buffer = PixelBuffer::default();
        buffer.resize(NativeSize { width, height });
        let pixels = buffer.bytes_mut().as_chunks_mut::<PIXEL_BYTES>().0;
        for (index, pixel) in (0_u32..).zip(pixels) {
            let at = |value: u32| u16::try_from(value).unwrap();
            let [red, green, blue] = color(at(index % u32::from(width)), at(index / u32::from(width)));
            // The fourth byte is whatever the server left there.
            *pixel = [blue, green, red, index.to_le_bytes()[0]];
        }
        buffer
    }

    /// Pseudo-random bytes that need no generator: a multiplicative hash of the place.
    fn noise(x: u16, y: u16) -> [u8; 3] {
        let mixed = (u32::from(x) << 16 | u32::from(y)).wrapping_add(0x9E37_79B9).wrapping_mul(0x85EB_CA6B);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0xC2B2_AE35);
        let [first, second, third, _] = (mixed ^ mixed >> 13).to_le_bytes();
        [first, second, third]
    }

    fn encode(pixels: &Pixels<'_>) -> Vec<u8> {
        let mut png = Vec::new();
        PngEncoder::default().encode(pixels, None, &mut png).unwrap();
        png
    }

    fn decode(png: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        reader.finish().unwrap();
        (info.width, info.height, rgb)
    }

    fn assert_decodes_to(png: &[u8], pixels: &Pixels<'_>) {
        let (width, height, rgb) = decode(png);
        let NativeSize { width: expected_width, height: expected_height } = pixels.size();
        assert_eq!((width, height), (expected_width.into(), expected_height.into()));
        let mut actual = rgb.as_chunks::<3>().0.iter();
        for (y, row) in pixels.rows().enumerate() {
            for (x, pixel) in row.as_chunks::<PIXEL_BYTES>().0.iter().enumerate() {
                assert_eq!(actual.next(), Some(&[pixel[2], pixel[1], pixel[0]]), "at {x},{y}");
            }
        }
        assert_eq!(actual.next(), None);
    }

    #[test]
    fn every_width_decodes_to_the_same_pixels() {
        for width in [1, 3, 17, 1024] {
            let gradient = |x: u16, y: u16| [x.to_le_bytes()[0], y.to_le_bytes()[0], (x ^ y).to_le_bytes()[0]];
            let mixed = |x: u16, y: u16| if (x / 8).is_multiple_of(2) { noise(x, y) } else { [255, 255, 255] };
            for buffer in [picture(width, 9, gradient), picture(width, 9, noise), picture(width, 9, mixed)] {
                assert_decodes_to(&encode(&buffer.pixels()), &buffer.pixels());
            }
        }
    }

    #[test]
    fn a_checkerboard_of_single_pixels_stays_sharp() {
        let board = picture(1024, 64, |x, y| if (x + y) % 2 == 0 { [0, 0, 0] } else { [255, 255, 255] });
        assert_decodes_to(&encode(&board.pixels()), &board.pixels());
    }

    #[test]
    fn one_encoder_encodes_pictures_of_changing_sizes_one_after_the_other() {
        let mut encoder = PngEncoder::default();
        for (width, height) in [(64, 8), (3, 40), (200, 2), (64, 8)] {
            let buffer = picture(width, height, noise);
            let mut png = Vec::new();
            encoder.encode(&buffer.pixels(), None, &mut png).unwrap();
            assert_decodes_to(&png, &buffer.pixels());
        }
    }

    #[test]
    fn the_picture_is_appended_to_what_the_output_holds() {
        let buffer = picture(5, 5, noise);
        let mut output = b"before".to_vec();
        PngEncoder::default().encode(&buffer.pixels(), None, &mut output).unwrap();
        assert_eq!(output.split_off(6), encode(&buffer.pixels()));
        assert_eq!(output, b"before");
    }

    #[test]
    fn a_picture_that_is_split_between_threads_is_whole() {
        let text = |x: u16, y: u16| if (x / 3 + y / 5).is_multiple_of(4) { [20, 20, 20] } else { [250, 250, 245] };
        for (width, height) in [(640, 401), (1024, 768), (1001, 701), (3840, 60)] {
            for buffer in [picture(width, height, text), picture(width, height, |x, y| [noise(x, y)[0], 0, 0])] {
                assert_decodes_to(&encode(&buffer.pixels()), &buffer.pixels());
            }
        }
    }

    #[test]
    fn noise_costs_no_more_than_storing_it() {
        let buffer = picture(640, 480, noise);
        let png = encode(&buffer.pixels());
        assert_decodes_to(&png, &buffer.pixels());
        assert!(png.len() < 640 * 480 * 3 * 1002 / 1000, "{} bytes", png.len());
    }

    #[test]
    fn a_plain_background_costs_almost_nothing() {
        let png = encode(&picture(1024, 768, |_, _| [200, 210, 220]).pixels());
        assert!(png.len() < 20_000, "{} bytes", png.len());
    }

    #[test]
    fn a_region_is_encoded_alone() {
        let buffer = picture(40, 30, noise);
        let region = buffer.pixels().region(NativeRegion { x: 7, y: 11, width: 13, height: 5 }).unwrap();
        assert_decodes_to(&encode(&region), &region);
    }

    #[test]
    fn the_cursor_is_drawn_into_the_png_and_nowhere_else() {
        // Equal rows above, under and below the cursor, so that the short cut for repeated rows is in play.
        let page = picture(30, 20, |x, _| [x.to_le_bytes()[0], 0, 0]);
        let cursor = CursorImage::new(4, vec![0x8080_4000; 12]).unwrap();
        for place in [(5, 5), (-2, -1), (28, 18), (40, 40)] {
            let place = CursorPlace { left: place.0, top: place.1 };
            let mut png = Vec::new();
            PngEncoder::default().encode(&page.pixels(), Some((&cursor, place)), &mut png).unwrap();
            let mut expected = PixelBuffer::default();
            expected.copy_from(&page.pixels());
            cursor.blend(place, &mut expected);
            assert_decodes_to(&png, &expected.pixels());
        }
    }

    /// A screen on which rectangles change, and its tiles.
    struct Screen {
        buffer: PixelBuffer,
        tiles: TileSerials,
        serial: u64,
    }

    impl Screen {
        fn new(width: u16, height: u16) -> Self {
            let buffer = picture(width, height, |x, y| [x.to_le_bytes()[0], y.to_le_bytes()[0], 7]);
            let mut tiles = TileSerials::new(buffer.size());
            for row in 0..usize::from(height.div_ceil(TILE_HEIGHT)) {
                tiles.row_mut(row).fill(1);
            }
            Self { buffer, tiles, serial: 1 }
        }

        fn change(&mut self, region: NativeRegion, colour: impl Fn(u16, u16) -> [u8; 3]) {
            self.serial += 1;
            let width = usize::from(self.buffer.size().width);
            let pixels = self.buffer.bytes_mut().as_chunks_mut::<PIXEL_BYTES>().0;
            for y in region.y..region.y + region.height {
                for x in region.x..region.x + region.width {
                    let [red, green, blue] = colour(x, y);
                    pixels[usize::from(y) * width + usize::from(x)] = [blue, green, red, 0];
                    self.tiles.row_mut((y / TILE_HEIGHT).into())[usize::from(x / TILE_WIDTH)] = self.serial;
                }
            }
        }

        fn update(&self, encoder: &mut PngEncoder, overlay: Overlay<'_>) -> Vec<u8> {
            let mut png = Vec::new();
            encoder.update(&self.buffer.pixels(), (self.serial, &self.tiles), overlay, &mut png).unwrap();
            png
        }
    }

    /// A region inside a screen from four numbers.
    fn somewhere(size: NativeSize, [x, y, width, height]: [u16; 4]) -> NativeRegion {
        let (x, y) = (x % size.width, y % size.height);
        NativeRegion { x, y, width: 1 + width % (size.width - x), height: 1 + height % (size.height - y) }
    }

    #[test]
    fn a_change_is_encoded_alone_and_in_its_place() {
        for width in [1, 3, 17, 1920] {
            let mut screen = Screen::new(width, 100);
            let mut encoder = PngEncoder::default();
            let first = screen.update(&mut encoder, None);
            assert_decodes_to(&first, &screen.buffer.pixels());
            assert_eq!(screen.update(&mut encoder, None), first);
            screen.change(NativeRegion { x: 0, y: 33, width, height: 2 }, noise);
            assert_decodes_to(&screen.update(&mut encoder, None), &screen.buffer.pixels());
            // Not marked, so not encoded: only the strips that the tiles name are looked at.
            let shown = screen.buffer.pixels().rows().flatten().copied().collect::<Vec<_>>();
            screen.buffer.bytes_mut()[0] ^= 0xff;
            let (_, _, rgb) = decode(&screen.update(&mut encoder, None));
            assert_eq!(rgb[2], shown[0]);
        }
    }

    #[test]
    fn the_cursor_comes_and_goes_with_its_strips_alone() {
        let screen = Screen::new(70, 90);
        let mut encoder = PngEncoder::default();
        let cursor = CursorImage::new(4, vec![0x8080_4000; 12]).unwrap();
        let plain = screen.update(&mut encoder, None);
        for place in [(5, 5), (6, 14), (6, 14), (60, 70)] {
            let place = CursorPlace { left: place.0, top: place.1 };
            let mut expected = PixelBuffer::default();
            expected.copy_from(&screen.buffer.pixels());
            cursor.blend(place, &mut expected);
            assert_decodes_to(&screen.update(&mut encoder, Some((&cursor, place))), &expected.pixels());
        }
        assert_eq!(screen.update(&mut encoder, None), plain);
    }

    proptest! {
        #[test]
        fn every_picture_survives(
            (width, height) in (1_u16..40, 1_u16..20),
            palette in proptest::collection::vec(any::<[u8; 3]>(), 1..4),
            seed in any::<u16>(),
        ) {
            let color = |x: u16, y: u16| palette[usize::from(noise(x ^ seed, y / 3)[0]) % palette.len()];
            let buffer = picture(width, height, color);
            assert_decodes_to(&encode(&buffer.pixels()), &buffer.pixels());
        }

        #[test]
        fn every_sequence_of_changes_survives(
            (width, height) in (1_u16..200, 1_u16..90),
            changes in proptest::collection::vec((any::<[u16; 4]>(), any::<[u8; 3]>(), any::<bool>()), 1..12),
        ) {
            let mut screen = Screen::new(width, height);
            let mut encoder = PngEncoder::default();
            for (place, colour, is_noise) in changes {
                let region = somewhere(screen.buffer.size(), place);
                screen.change(region, |x, y| if is_noise { noise(x, y) } else { colour });
                assert_decodes_to(&screen.update(&mut encoder, None), &screen.buffer.pixels());
            }
        }
    }

    #[test]
    fn thousands_of_updates_decode_to_the_screen_of_their_moment() {
        for (width, height) in [(1, 40), (3, 33), (17, 50), (129, 64)] {
            let mut screen = Screen::new(width, height);
            let mut encoder = PngEncoder::default();
            for step in 0..1000_u16 {
                let [a, b, c] = noise(step, width);
                let region = somewhere(screen.buffer.size(), [a, b, c, a ^ c].map(u16::from));
                screen.change(region, |x, y| if step % 3 == 0 { noise(x, y ^ step) } else { [a, b, c] });
                assert_decodes_to(&screen.update(&mut encoder, None), &screen.buffer.pixels());
            }
        }
    }
}
