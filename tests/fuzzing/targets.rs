//! The readers, each as a function of bytes. They panic where a promise is broken.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use deskhand::{
    config::{policy, tokens},
    desktop::xauthority,
    image::{pixels::Pixels, png::PngEncoder, tiles::TileSerials},
    observe::audit::verify::verify,
    protocol::{answer_text, call, encoding::Preset, request, secret_params, units::NativeSize},
    session::policy::Rulebook,
};

/// A message: what it is answered with is JSON, whatever it was.
pub fn message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(rejected) = request::read(text).and_then(call::prepare) {
        let answer = answer_text::error(rejected.id.as_ref(), &rejected.failure);
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("an answer that is JSON");
        assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    }
}

pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = policy::parse(text).and_then(Rulebook::new);
    assert!(read.err().is_none_or(|problem| !problem.is_empty()));
}

pub fn tokens(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(tokens::parse(text).err().is_none_or(|problem| !problem.is_empty()));
}

/// A line of secrets: what is wrong with it is told without the value.
pub fn secret(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(problem) = secret_params::read_line(text) {
        assert!(!problem.contains("hunter2-hunter2"), "{problem}");
    }
}

/// An audit file: it is whole or not, and which line is told.
pub fn audit(bytes: &[u8]) {
    let file = File::with(bytes);
    if let Err(error) = verify(&file.0, None, None) {
        assert!(!error.to_string().is_empty());
    }
}

pub fn cookie(bytes: &[u8]) {
    let file = File::with(bytes);
    if let Ok(cookie) = xauthority::read_cookie(&file.0, ":7".parse().expect("a display")) {
        assert!(cookie.len() <= bytes.len());
    }
}

/// Frames of one display, of which rows change: each picture is the frame, to the pixel.
pub fn picture(bytes: &[u8]) {
    let [width, height, preset, script @ ..] = bytes else { return };
    let size = NativeSize { width: u16::from(*width) % 97 + 1, height: u16::from(*height) % 90 + 1 };
    let (columns, rows) = (usize::from(size.width), usize::from(size.height));
    let mut encoder = PngEncoder::new(if preset % 2 == 0 { Preset::Fast } else { Preset::Compact });
    let (mut frame, mut tiles) = (vec![0_u8; columns * rows * 4], TileSerials::new(size));
    for (change, serial) in script.chunks(4).take(12).zip(1..) {
        let [first, count, value, step] = [0, 1, 2, 3].map(|index| change.get(index).copied().unwrap_or_default());
        let first = usize::from(first) % rows;
        let end = (first + usize::from(count) % rows + 1).min(rows);
        for (index, byte) in frame[first * columns * 4..end * columns * 4].iter_mut().enumerate() {
            *byte = u8::try_from(index % 256).unwrap_or_default().wrapping_mul(step).wrapping_add(value);
        }
        for tile in first / TILE_ROWS..=(end - 1) / TILE_ROWS {
            tiles.row_mut(tile).fill(serial);
        }
        let pixels = Pixels::new(&frame, columns * 4, size).expect("a frame");
        let mut png = Vec::new();
        encoder.update(&pixels, (serial, &tiles), None, &mut png).expect("a picture");
        let mut rgb = vec![0; columns * rows * 3];
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a PNG");
        reader.next_frame(&mut rgb).expect("its pixels");
        let wanted: Vec<u8> = frame.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        assert_eq!(rgb, wanted, "frame {serial} of {size:?}");
    }
}

/// The height of the tiles that say what has changed.
const TILE_ROWS: usize = 16;

/// A file that goes with this.
struct File(PathBuf);

impl File {
    fn with(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("deskhand-fuzzing-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).expect("a file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // One that is gone already is what is wanted.
        fs::remove_file(&self.0).ok();
    }
}
