//! What is encoded is read by others, exactly: the `png` and `image` crates, Pillow, `ImageMagick` and Chromium.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use deskhand::{
    desktop::last_frame::{LastFrame, padded_bytes},
    image::{
        cursor::{CursorImage, CursorPlace},
        jpeg::JpegEncoder,
        pixels::Pixels,
        png::PngEncoder,
        webp::WebpEncoder,
    },
    protocol::{
        encoding::{Preset, Quality},
        units::NativeSize,
    },
};
use proptest::prelude::*;
use support::Picture;

/// A screen of which rectangles change, and the encoders that follow it.
struct Follower {
    size: NativeSize,
    captured: Vec<u8>,
    frame: LastFrame,
    encoders: [PngEncoder; 2],
    file: Vec<u8>,
}

/// A rectangle that changes: place and size as shares of the screen, what it shows, a seed.
type Change = ([u16; 4], u8, u32);

impl Follower {
    fn new(width: u16, height: u16) -> Self {
        let size = NativeSize { width, height };
        Self {
            size,
            captured: vec![0; padded_bytes(size)],
            frame: LastFrame::new(size),
            encoders: [Preset::Fast, Preset::Compact].map(PngEncoder::new),
            file: Vec::new(),
        }
    }

    fn change(&mut self, ([x, y, width, height], look, seed): Change) {
        let NativeSize { width: full_width, height: full_height } = self.size;
        let (x, y) = (x % full_width, y % full_height);
        for row in y..y + 1 + height % (full_height - y) {
            for column in x..x + 1 + width % (full_width - x) {
                let (a, b) = (u32::from(column), u32::from(row));
                let value = match look % 5 {
                    0 => seed,
                    1 => {
                        a.wrapping_mul(0x9E37_79B1).wrapping_add(b.wrapping_mul(0x85EB_CA6B)).wrapping_mul(seed | 1)
                            >> 7
                    }
                    2 => (a / 2) << 16 | b << 8 | (((a + b) / 3) & 0xff),
                    3 => {
                        if (a * 5 + b * 3 + (a * b) / 7).is_multiple_of(7) {
                            seed
                        } else {
                            0xff_ff_ff
                        }
                    }
                    _ => (seed.wrapping_add(a * 3 + b).wrapping_mul(0x0101) & 0x07_07_07) + (a & 0x7f),
                };
                let at = (usize::from(row) * usize::from(full_width) + usize::from(column)) * 4;
                self.captured[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
        }
        self.frame.update(self.captured.as_chunks::<8>().0);
    }

    fn pixels(&self) -> Pixels<'_> {
        self.frame.pixels().unwrap()
    }

    fn truth(&self) -> Picture {
        let pixels = self.pixels().rows().flat_map(|row| row.as_chunks::<4>().0);
        let rgb = pixels.flat_map(|&[blue, green, red, _]| [red, green, blue]).collect();
        Picture { width: self.size.width.into(), height: self.size.height.into(), rgb }
    }

    /// The PNG of now by each preset.
    fn png(&mut self, preset: Preset, cursor: Option<(&CursorImage, CursorPlace)>) -> &[u8] {
        let encoder = &mut self.encoders[usize::from(preset == Preset::Compact)];
        self.file.clear();
        let changes = (self.frame.serial(), self.frame.tiles());
        encoder.update(&self.frame.pixels().unwrap(), changes, cursor, &mut self.file).unwrap();
        &self.file
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    (any::<[u16; 4]>(), any::<u8>(), any::<u32>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    // 60 screens with up to 40 updates each, by two presets and read by two crates: some 2,400 updates.
    #[test]
    fn every_update_is_read_exactly_by_two_crates(
        (width, height) in (prop_oneof![Just(1), Just(3), Just(17), 1..300_u16], 1..200_u16),
        changes in proptest::collection::vec((any_change(), 0..4_u8), 1..40),
    ) {
        let mut follower = Follower::new(width, height);
        let cursor = CursorImage::new(9, vec![0xff00_ff00; 90]).unwrap();
        for (change, steps) in changes {
            follower.change(change);
            let truth = follower.truth();
            for preset in [Preset::Fast, Preset::Compact] {
                // The two do not see every frame: each must catch up with what it has missed. A pointer comes and goes.
                if steps & (1 + u8::from(preset == Preset::Compact)) == 0 {
                    let file = follower.png(preset, None).to_vec();
                    prop_assert!(Picture::from_png(&file) == truth);
                    prop_assert!(Picture::from_file(&file, image::ImageFormat::Png) == truth);
                } else {
                    let place = CursorPlace { left: (change.0[0] % width).into(), top: (change.0[1] % height).into() };
                    Picture::from_png(follower.png(preset, Some((&cursor, place))));
                }
            }
        }
    }

    #[test]
    fn wide_screens_are_read_exactly(changes in proptest::collection::vec(any_change(), 1..6), height in 1..130_u16) {
        let mut follower = Follower::new(1920, height);
        for change in changes {
            follower.change(change);
            let truth = follower.truth();
            for preset in [Preset::Fast, Preset::Compact] {
                let file = follower.png(preset, None).to_vec();
                prop_assert!(Picture::from_png(&file) == truth);
            }
        }
    }

    #[test]
    fn webp_is_exact_and_jpeg_has_the_size(
        (width, height) in (prop_oneof![Just(1), Just(3), Just(17), 1..200_u16], 1..120_u16),
        changes in proptest::collection::vec(any_change(), 1..6),
    ) {
        let mut follower = Follower::new(width, height);
        for change in changes {
            follower.change(change);
        }
        let mut webp = Vec::new();
        WebpEncoder::default().encode(&follower.pixels(), &mut webp).unwrap();
        prop_assert!(Picture::from_file(&webp, image::ImageFormat::WebP) == follower.truth());
        let mut jpeg = Vec::new();
        JpegEncoder::default().encode(&follower.pixels(), Quality::default(), &mut jpeg).unwrap();
        let decoded = Picture::from_file(&jpeg, image::ImageFormat::Jpeg);
        prop_assert_eq!((decoded.width, decoded.height), (width.into(), height.into()));
    }
}

#[test]
fn no_picture_is_much_larger_than_what_others_make_of_it() {
    for look in 0..5 {
        let mut follower = Follower::new(1024, 768);
        follower.change(([0, 0, 1023, 767], look, 0x0012_3457));
        let truth = follower.truth();
        let mut others = Vec::new();
        let mut encoder = png::Encoder::new(&mut others, truth.width, truth.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Fast);
        encoder.write_header().unwrap().write_image_data(&truth.rgb).unwrap();
        let fast = follower.png(Preset::Fast, None).len();
        let compact = follower.png(Preset::Compact, None).len();
        // 48 strips have a hundred bytes each that do not depend on what they show.
        assert!(
            fast <= others.len() * 5 / 4 + 4800,
            "look {look}: {fast} bytes, the png crate's fast preset {}",
            others.len()
        );
        assert!(compact <= fast, "look {look}: {compact} bytes, the fast preset {fast}");
    }
}

/// Files of many sizes and looks, each with its colours beside it as RGB: `0.png`, `0.rgb`, …
fn write_files(directory: &Path) -> Vec<Picture> {
    let mut truths: Vec<Picture> = Vec::new();
    for (width, height) in [(1, 1), (1, 40), (3, 17), (17, 65), (333, 150), (1920, 40)] {
        let mut follower = Follower::new(width, height);
        for look in 0..10 {
            let seed = u32::from(look) * 0x0123_4567;
            let place =
                if look < 5 { [0, 0, width - 1, height - 1] } else { [width / 3, height / 4, width / 2, height / 3] };
            follower.change((place, look, seed));
            let truth = follower.truth();
            let files = [follower.png(Preset::Fast, None).to_vec(), follower.png(Preset::Compact, None).to_vec()];
            for file in files {
                let number = truths.len();
                fs::write(directory.join(format!("{number}.png")), file).unwrap();
                fs::write(directory.join(format!("{number}.rgb")), &truth.rgb).unwrap();
                truths.push(truth.clone());
            }
        }
    }
    truths
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn pillow_reads_the_same_colours() {
    let directory = tempfile::tempdir().unwrap();
    let count = write_files(directory.path()).len();
    let program = "
import sys
from PIL import Image
for number in range(int(sys.argv[2])):
    name = f'{sys.argv[1]}/{number}'
    Image.open(name + '.png').verify()
    picture = Image.open(name + '.png')
    picture.load()
    assert picture.mode == 'RGB' and picture.tobytes() == open(name + '.rgb', 'rb').read(), name
";
    // The distribution's own, for which the package is.
    output(Command::new("/usr/bin/python3").args(["-c", program]).arg(directory.path()).arg(count.to_string()));
}

#[test]
fn imagemagick_reads_the_same_colours() {
    let directory = tempfile::tempdir().unwrap();
    for (number, truth) in write_files(directory.path()).into_iter().enumerate() {
        let file = directory.path().join(format!("{number}.png"));
        let said = output(Command::new("identify").args(["-format", "%m %w %h"]).arg(&file));
        assert_eq!(String::from_utf8(said).unwrap(), format!("PNG {} {}", truth.width, truth.height));
        let rgb = output(Command::new("convert").arg(&file).args(["-depth", "8", "rgb:-"]));
        assert!(rgb == truth.rgb, "{number}");
    }
}

#[test]
fn chromium_reads_the_same_colours() {
    let directory = tempfile::tempdir().unwrap();
    let encode = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let mut pictures = String::new();
    for (number, truth) in write_files(directory.path()).into_iter().enumerate() {
        let png = fs::read(directory.path().join(format!("{number}.png"))).unwrap();
        let (png, rgb) = (encode(&png), encode(&truth.rgb));
        writeln!(pictures, r#"<img src="data:image/png;base64,{png}" data-rgb="{rgb}">"#).unwrap();
    }
    // The browser prints the page as it is after the load event, and that comes after the pictures.
    let page = format!(
        r#"<!doctype html><body>{pictures}<script>
window.addEventListener("load", () => {{
  const images = [...document.images];
  const wrong = [];
  for (const [number, image] of images.entries()) {{
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", {{ willReadFrequently: true }});
    context.drawImage(image, 0, 0);
    const found = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const expected = Uint8Array.from(atob(image.dataset.rgb), (letter) => letter.charCodeAt(0));
    const same = expected.every((value, at) => found[at + Math.floor(at / 3)] === value);
    if (expected.length * 4 !== found.length * 3 || !same) wrong.push(number);
  }}
  document.body.textContent = `read ${{images.length}}, wrong ${{JSON.stringify(wrong)}}`;
}});
</script>"#
    );
    let file = directory.path().join("page.html");
    fs::write(&file, page).unwrap();
    let profile = directory.path().join("profile");
    let shown = output(
        Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--virtual-time-budget=60000",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .env("HOME", directory.path())
            .arg("--dump-dom")
            .arg(format!("file://{}", file.display())),
    );
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("read 120, wrong []"), "{}", &shown[shown.len().saturating_sub(400)..]);
}
