//! After the first few pictures the encoders allocate nothing: their memory is used again. A program of its own, because it counts
//! every allocation of the process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    unsafe_code,
    reason = "an allocator can only be replaced by an unsafe implementation, which hands everything on"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use deskhand::{
    desktop::last_frame::{LastFrame, padded_bytes},
    image::{
        cursor::{CursorImage, CursorPlace},
        pixels::PixelBuffer,
        png::PngEncoder,
        resize::Scaler,
    },
    protocol::{
        encoding::Preset,
        units::{NativeSize, ScreenSize},
    },
};

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZE: NativeSize = NativeSize { width: 1024, height: 768 };
/// Pictures until everything has its size, and pictures that are counted.
const FIRST: u32 = 8;
const COUNTED: u32 = 40;

/// A screen in one of four looks: text, a photograph's noise, a gradient, flat. The rows of one `change` are of the next.
fn screen(bytes: &mut [u8], change: u32, rows: std::ops::Range<usize>) {
    let width = usize::from(SIZE.width);
    for y in rows {
        for x in 0..width {
            let (x32, y32) = (u32::try_from(x).unwrap(), u32::try_from(y).unwrap());
            let value = match (y32 / 48 + change) % 4 {
                0 => {
                    if (x32 * 7 + y32 * 3 + change).is_multiple_of(11) {
                        0x20_20_20
                    } else {
                        0xf0_f0_f8
                    }
                }
                1 => x32.wrapping_mul(0x9E37_79B1).wrapping_add(y32.wrapping_mul(0x85EB_CA6B)) >> 8 ^ change,
                2 => (x32 / 4) << 16 | (y32 / 3) << 8 | ((x32 + y32 + change) / 8),
                _ => 0x33_66_99,
            };
            bytes[(y * width + x) * 4..][..4].copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// Allocations and bytes of what `work` does with each of the counted pictures, after the first few.
fn count(mut work: impl FnMut(u32)) -> (usize, usize) {
    (0..FIRST).for_each(&mut work);
    let before = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    (0..COUNTED).for_each(&mut work);
    (ALLOCATIONS.load(Ordering::Relaxed) - before.0, BYTES.load(Ordering::Relaxed) - before.1)
}

/// One test, because the count is the process's.
#[test]
fn pictures_after_the_first_few_allocate_nothing() {
    let mut captured = vec![0; padded_bytes(SIZE)];
    let pixels = usize::from(SIZE.width) * usize::from(SIZE.height);
    let cursor = CursorImage::new(16, vec![0x80ff_0000; 256]).unwrap();
    for preset in [Preset::Fast, Preset::Compact] {
        let mut frame = LastFrame::new(SIZE);
        let mut encoder = PngEncoder::new(preset);
        let mut png = Vec::new();
        let mut show = |rows: fn(u32) -> std::ops::Range<usize>, png: &mut Vec<u8>| {
            count(|number| {
                // Looks and places come round, so that everything has had its largest size after the first few.
                screen(&mut captured, number % 4, rows(number));
                frame.update(captured.as_chunks::<8>().0, 0..SIZE.height);
                png.clear();
                let place = CursorPlace { left: 100, top: i32::try_from(number % FIRST).unwrap() };
                let overlay = (number % 2 == 0).then_some((&cursor, place));
                encoder.update(&frame.pixels().unwrap(), (frame.serial(), frame.tiles()), overlay, png).unwrap();
            })
        };
        // A whole picture has a helper's thread, whose start allocates a little; the pictures themselves nothing.
        let (allocations, bytes) = show(|_| 0..768, &mut png);
        assert!(
            bytes / (COUNTED as usize) < 4096,
            "{preset:?}: {allocations} allocations, {bytes} bytes in {COUNTED} pictures"
        );
        // Nothing of a change that one thread encodes.
        let few = show(
            |number| {
                let top = (number % FIRST) as usize * 16;
                top..top + 16
            },
            &mut png,
        );
        if preset == Preset::Fast {
            assert_eq!(few, (0, 0), "allocations and bytes in {COUNTED} small changes");
        }
        assert!(png.len() < pixels * 4);
        let unchanged = show(|_| 0..0, &mut png);
        if preset == Preset::Fast {
            assert_eq!(unchanged, (0, 0), "an unchanged screen");
        }
    }
    let (mut scaler, mut small) = (Scaler::default(), PixelBuffer::default());
    let mut source = PixelBuffer::default();
    source.resize(SIZE);
    let (allocations, bytes) = count(|number| {
        screen(source.bytes_mut(), number % 4, 0..768);
        scaler.scale(&source.pixels(), ScreenSize { width: 784, height: 588 }, &mut small).unwrap();
    });
    // What the resampler makes anew each time: a list of weights for each row and column, 146 kB in all. The pixels' memory is
    // used again; a picture of this size has 1.8 MB.
    assert!(
        bytes / (COUNTED as usize) < 200_000,
        "{allocations} allocations, {bytes} bytes in {COUNTED} resized pictures"
    );
}
