//! `cargo bench --bench pictures`: processor time and bytes of a whole frame of 1024×768 by each encoder, on the frames of `corpus`;
//! the tables in `src/image` are from here. It reports and judges nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]

mod corpus;
#[path = "../tests/support/mod.rs"]
mod support;

use std::io::Write;

use corpus::{Frame, SIZE};
use deskhand::{
    image::{jpeg::JpegEncoder, png::PngEncoder, webp::WebpEncoder},
    protocol::encoding::{Preset, Quality},
};
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds that all threads of this process have worked: what others do at the same time does not count.
#[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The least of several runs, and what the last one made.
fn measure(runs: usize, mut encode: impl FnMut(&mut Vec<u8>)) -> (f64, Vec<u8>) {
    let mut file = Vec::new();
    let mut least = f64::MAX;
    for _ in 0..runs {
        file.clear();
        let begun = processor_time();
        encode(&mut file);
        least = least.min(processor_time() - begun);
    }
    (least, file)
}

fn png_crate(rgb: &[u8], compression: png::Compression, file: &mut Vec<u8>) {
    let mut encoder = png::Encoder::new(file, SIZE.width.into(), SIZE.height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(compression);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
}

/// zlib at a level over rows that are each filtered by the least sum of absolute values, as libpng and Pillow do.
fn zlib(rgb: &[u8], level: u32, file: &mut Vec<u8>) {
    let row_bytes = usize::from(SIZE.width) * 3;
    let mut encoder = flate2::write::ZlibEncoder::new(file, flate2::Compression::new(level));
    let nothing = vec![0; row_bytes];
    let mut above = &nothing[..];
    for row in rgb.chunks_exact(row_bytes) {
        let best = (0..5_u8).map(|kind| filtered(kind, row, above)).min_by_key(|filtered| {
            filtered[1..].iter().map(|&byte| u64::from(byte.cast_signed().unsigned_abs())).sum::<u64>()
        });
        encoder.write_all(&best.unwrap()).unwrap();
        above = row;
    }
    encoder.finish().unwrap();
}

fn filtered(kind: u8, row: &[u8], above: &[u8]) -> Vec<u8> {
    let mut filtered = vec![kind];
    filtered.extend((0..row.len()).map(|at| {
        let (left, up_left) = if at < 3 { (0, 0) } else { (row[at - 3], above[at - 3]) };
        let up = above[at];
        row[at].wrapping_sub(match kind {
            0 => 0,
            1 => left,
            2 => up,
            3 => left.midpoint(up),
            _ => {
                let estimate = i16::from(left) + i16::from(up) - i16::from(up_left);
                let distance = |byte: &u8| (estimate - i16::from(*byte)).abs();
                [left, up, up_left].into_iter().min_by_key(distance).unwrap()
            }
        })
    }));
    filtered
}

fn report(frame: &Frame) {
    println!("{}", frame.name);
    let row =
        |name: &str, (time, file): (f64, Vec<u8>)| println!("  {name:<44} {time:>8.2} ms {:>9} bytes", file.len());
    let (pixels, rgb) = (frame.pixels(), frame.rgb());
    for preset in [Preset::Fast, Preset::Compact] {
        let mut encoder = PngEncoder::new(preset);
        row(&format!("{preset:?}"), measure(9, |file| encoder.encode(&pixels, None, file).unwrap()));
    }
    row("png crate, Fastest", measure(5, |file| png_crate(&rgb, png::Compression::Fastest, file)));
    row("png crate, Fast", measure(5, |file| png_crate(&rgb, png::Compression::Fast, file)));
    row("png crate, Balanced", measure(2, |file| png_crate(&rgb, png::Compression::Balanced, file)));
    for level in [1, 6] {
        row(&format!("zlib level {level}, filters by sums (with those)"), measure(1, |file| zlib(&rgb, level, file)));
    }
    let mut webp = WebpEncoder::default();
    row("WebP, lossless", measure(5, |file| webp.encode(&pixels, file).unwrap()));
    let mut jpeg = JpegEncoder::default();
    row("JPEG, 85", measure(5, |file| jpeg.encode(&pixels, Quality::default(), file).unwrap()));
}

fn main() {
    corpus::frames().iter().for_each(report);
}
