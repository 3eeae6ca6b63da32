//! Messages on their way out: text and binary messages that share their pictures with whoever else holds them.
//!
//! A picture of an unchanged screen is half a megabyte that was sent a moment ago. With a text of its own for each answer such a
//! screenshot took 4.6 times as long as an echo of the same bytes, by reference 1.2 times (`benches/run`): the socket writes from
//! where the picture was encoded.

use std::sync::Arc;

/// An encoded picture as it stands in JSON.
pub type Base64 = Arc<String>;
/// The bytes of an encoded picture.
pub type PictureFile = Arc<Vec<u8>>;

/// Text that grows at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageText {
    /// Pieces that are complete: text and the picture after it.
    complete: Vec<(String, Base64)>,
    end: String,
}

impl MessageText {
    /// Puts a picture behind what there is.
    pub fn push_picture(&mut self, base64: Base64) {
        self.complete.push((std::mem::take(&mut self.end), base64));
    }

    /// Puts another message's text behind what there is.
    pub fn append(&mut self, other: Self) {
        for (text, base64) in other.complete {
            self.end.push_str(&text);
            self.push_picture(base64);
        }
        self.end.push_str(&other.end);
    }

    /// What stands after the last picture; it can be changed as long as nothing follows it.
    pub fn end(&mut self) -> &mut String {
        &mut self.end
    }

    /// The bytes, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let complete = self.complete.iter().flat_map(|(text, base64)| [text.as_bytes(), base64.as_bytes()]);
        complete.chain([self.end.as_bytes()])
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// The text with nothing where its pictures stand: a record of it costs no memory that matters.
    pub fn without_pictures(&self) -> String {
        self.complete.iter().map(|(text, _)| text.as_str()).chain([self.end.as_str()]).collect()
    }

    /// All of it in one piece.
    pub fn into_string(self) -> String {
        if self.complete.is_empty() {
            return self.end;
        }
        let mut whole = String::with_capacity(self.bytes());
        for (text, base64) in &self.complete {
            whole.push_str(text);
            whole.push_str(base64);
        }
        whole.push_str(&self.end);
        whole
    }
}

impl From<String> for MessageText {
    fn from(end: String) -> Self {
        Self { complete: Vec::new(), end }
    }
}

/// The length of the header of a binary message.
const HEADER: usize = 12;

/// What a binary message carries, as its second byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryKind {
    /// A whole picture.
    Image = 1,
    /// A rectangle of a frame.
    Tile = 2,
}

/// A binary message: a header and a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryMessage {
    header: [u8; HEADER],
    picture: PictureFile,
}

impl BinaryMessage {
    /// A message whose header says: version 1, the kind, two zero bytes, the number in little endian.
    pub fn new(kind: BinaryKind, number: u64, picture: PictureFile) -> Self {
        /// The version of this layout.
        const VERSION: u8 = 1;
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&[VERSION, kind as u8]);
        header[4..].copy_from_slice(&number.to_le_bytes());
        Self { header, picture }
    }

    /// The picture without the header.
    pub fn picture(&self) -> &PictureFile {
        &self.picture
    }

    /// The bytes, piece by piece.
    pub fn pieces(&self) -> [&[u8]; 2] {
        [&self.header, &self.picture]
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        HEADER + self.picture.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(text: &str) -> Base64 {
        Arc::new(text.to_owned())
    }

    #[test]
    fn text_stays_in_the_order_in_which_it_was_written() {
        let mut first = MessageText::from("a".to_owned());
        first.push_picture(picture("PNG"));
        first.end().push('b');
        let mut second = MessageText::from("c".to_owned());
        second.push_picture(picture("JPEG"));
        second.push_picture(picture("WEBP"));
        second.end().push('d');
        first.append(second);
        first.append(MessageText::from("e".to_owned()));
        let whole = "aPNGbcJPEGWEBPde";
        assert_eq!(first.pieces().collect::<Vec<_>>().concat(), whole.as_bytes());
        assert_eq!(first.bytes(), whole.len());
        assert_eq!(first.without_pictures(), "abcde");
        assert_eq!(first.into_string(), whole);
    }

    #[test]
    fn a_picture_is_held_and_not_copied() {
        let shared = picture("PNG");
        let mut text = MessageText::default();
        text.push_picture(Arc::clone(&shared));
        let piece = text.pieces().nth(1).expect("the picture");
        assert_eq!(piece.as_ptr(), shared.as_ptr());
    }

    #[test]
    fn a_binary_message_begins_with_its_header() {
        let whole = |kind, number, bytes: &[u8]| {
            let message = BinaryMessage::new(kind, number, Arc::new(bytes.to_vec()));
            assert_eq!(message.bytes(), message.pieces().concat().len());
            message.pieces().concat()
        };
        assert_eq!(whole(BinaryKind::Image, 0x0102, b"xy"), [1, 1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, b'x', b'y']);
        assert_eq!(whole(BinaryKind::Tile, 3, b"z"), [1, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, b'z']);
    }
}
