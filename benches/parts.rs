//! `cargo bench --bench parts`: the parts of a picture's way, each alone: comparing, encoding, resizing, base64. No display needed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops where it cannot go on")]

mod corpus;
#[path = "../tests/support/mod.rs"]
mod support;

use corpus::{SIZE, reckoned_frames};
use deskhand::{
    desktop::last_frame::{LastFrame, padded_bytes},
    image::{jpeg::JpegEncoder, pixels::PixelBuffer, png::PngEncoder, resize::Scaler, webp::WebpEncoder},
    protocol::{
        encoding::{Preset, Quality},
        units::{NativeSize, ScreenSize},
    },
};
use divan::{Bencher, counter::BytesCount};

fn main() {
    divan::main();
}

/// Text-like: letters of a few shapes in lines on a light ground.
fn text() -> Vec<u8> {
    let places = (0..u32::from(SIZE.height)).flat_map(|y| (0..u32::from(SIZE.width)).map(move |x| (x, y)));
    let colour = |(x, y): (u32, u32)| {
        let letter = (x / 8).wrapping_mul(2_654_435_761).wrapping_add(y / 16 * 40_503) >> 9 & 7;
        let dark = y % 16 < 11 && x % 8 < 6 && ((x % 8) * 3 + (y % 16) * 5 + letter * 7).is_multiple_of(4);
        if dark { 0x20_20_20_u32 } else { 0xf4_f6_fa }
    };
    places.flat_map(|place| colour(place).to_le_bytes()).collect()
}

#[divan::bench(args = [0, 1, 10, 100])]
fn compare_and_update(bencher: Bencher<'_, '_>, changed_per_cent: usize) {
    let mut captured = text();
    captured.resize(padded_bytes(SIZE), 0);
    let mut frame = LastFrame::new(SIZE);
    frame.update(captured.as_chunks::<8>().0, 0..SIZE.height);
    let changed = captured.len() * changed_per_cent / 100;
    bencher.counter(BytesCount::new(captured.len())).bench_local(|| {
        for byte in captured[..changed].iter_mut().step_by(16) {
            *byte ^= 1;
        }
        frame.update(captured.as_chunks::<8>().0, 0..SIZE.height);
    });
}

/// A screen of text of which so many rows change each time.
#[divan::bench(args = [(Preset::Fast, 16), (Preset::Fast, 768), (Preset::Compact, 16), (Preset::Compact, 768)])]
fn png(bencher: Bencher<'_, '_>, (preset, rows): (Preset, usize)) {
    let mut captured = text();
    let mut frame = LastFrame::new(SIZE);
    let mut encoder = PngEncoder::new(preset);
    let mut file = Vec::new();
    bencher.bench_local(|| {
        for row in captured.chunks_exact_mut(usize::from(SIZE.width) * 4).take(rows) {
            row[0] ^= 1;
        }
        frame.update(captured.as_chunks::<8>().0, 0..SIZE.height);
        file.clear();
        encoder.update(&frame.pixels().unwrap(), (frame.serial(), frame.tiles()), None, &mut file).unwrap();
    });
}

#[divan::bench(args = ["gradient", "photograph", "noise"])]
fn png_whole(bencher: Bencher<'_, '_>, name: &str) {
    let frame = reckoned_frames().into_iter().find(|frame| frame.name == name).unwrap();
    let mut encoder = PngEncoder::default();
    let mut file = Vec::new();
    bencher.bench_local(|| {
        file.clear();
        encoder.encode(&frame.pixels(), None, &mut file).unwrap();
    });
}

#[divan::bench]
fn jpeg(bencher: Bencher<'_, '_>) {
    let frame = corpus::Frame { name: "text", bytes: text() };
    let (mut encoder, mut file) = (JpegEncoder::default(), Vec::new());
    bencher.bench_local(|| {
        file.clear();
        encoder.encode(&frame.pixels(), Quality::default(), &mut file).unwrap();
    });
}

#[divan::bench]
fn webp(bencher: Bencher<'_, '_>) {
    let frame = corpus::Frame { name: "text", bytes: text() };
    let (mut encoder, mut file) = (WebpEncoder::default(), Vec::new());
    bencher.bench_local(|| {
        file.clear();
        encoder.encode(&frame.pixels(), &mut file).unwrap();
    });
}

/// From a display to a session's picture.
#[divan::bench(args = [((1024, 768), (640, 480)), ((1920, 1080), (1568, 882)), ((3840, 2160), (1568, 882)), ((3840, 2160), (2576, 1449))])]
fn resize(bencher: Bencher<'_, '_>, ((width, height), (to_width, to_height)): ((u16, u16), (u16, u16))) {
    let mut source = PixelBuffer::default();
    source.resize(NativeSize { width, height });
    for (at, byte) in source.bytes_mut().iter_mut().enumerate() {
        *byte = (at * 7 / 3).to_le_bytes()[0];
    }
    let (mut scaler, mut small) = (Scaler::default(), PixelBuffer::default());
    let size = ScreenSize { width: to_width, height: to_height };
    bencher.bench_local(|| scaler.scale(&source.pixels(), size, &mut small).unwrap());
}

/// A picture into the text of an answer.
#[divan::bench(args = [10_000, 170_000, 1_000_000])]
fn base64(bencher: Bencher<'_, '_>, bytes: usize) {
    let file: Vec<u8> = (0..bytes).map(|at| (at * 31 / 8).to_le_bytes()[0]).collect();
    let mut text = String::new();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        text.clear();
        base64_simd::STANDARD.encode_append(&file, &mut text);
    });
}
