//! Pictures out of answers.

use std::io::Cursor;

use serde_json::Value;

/// A decoded picture, 8 bits each of red, green and blue.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Decodes PNG bytes with the `png` crate's strict reader: checksums and trailing data count.
    pub fn from_png(bytes: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits")];
        let frame = reader.next_frame(&mut pixels).expect("whole PNG data");
        reader.finish().expect("a PNG that ends as it should");
        pixels.truncate(frame.buffer_size());
        let rgb = match frame.color_type {
            png::ColorType::Rgb => pixels,
            png::ColorType::Rgba => pixels.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
            other => panic!("unexpected colours: {other:?}"),
        };
        Self { width: frame.width, height: frame.height, rgb }
    }

    /// Decodes a file of this format with the `image` crate.
    pub fn from_file(bytes: &[u8], format: image::ImageFormat) -> Self {
        let decoded = image::load_from_memory_with_format(bytes, format).expect("a picture of this format").to_rgb8();
        Self { width: decoded.width(), height: decoded.height(), rgb: decoded.into_raw() }
    }

    /// The largest difference of any colour of any pixel.
    pub fn distance(&self, other: &Self) -> u8 {
        assert_eq!((self.width, self.height), (other.width, other.height));
        self.rgb.iter().zip(&other.rgb).map(|(one, two)| one.abs_diff(*two)).max().unwrap_or_default()
    }

    /// From a result's `image` with its data as base64.
    pub fn from_result(result: &Value) -> Self {
        let image = &result["image"];
        let bytes = data_encoding::BASE64.decode(image["data"].as_str().expect("base64").as_bytes()).expect("base64");
        assert_eq!(image["bytes"], bytes.len());
        Self::checked(image, &bytes)
    }

    /// From a result's `image` and the binary message that it names.
    pub fn from_attachment(result: &Value, bytes: &[u8]) -> Self {
        Self::checked(&result["image"], bytes)
    }

    fn checked(image: &Value, bytes: &[u8]) -> Self {
        let picture = match image["mime"].as_str().expect("a type") {
            "image/png" => Self::from_png(bytes),
            "image/jpeg" => Self::from_file(bytes, image::ImageFormat::Jpeg),
            "image/webp" => Self::from_file(bytes, image::ImageFormat::WebP),
            other => panic!("{other} is no type of a picture"),
        };
        assert_eq!((&image["width"], &image["height"]), (&picture.width.into(), &picture.height.into()));
        picture
    }

    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        assert!(x < self.width && y < self.height);
        let at = (y as usize * self.width as usize + x as usize) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// How many different colours there are: 1 on a screen where nothing is drawn.
    pub fn colours(&self) -> usize {
        self.rgb.chunks_exact(3).collect::<std::collections::HashSet<_>>().len()
    }
}
