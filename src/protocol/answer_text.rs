//! Answers as text: results, errors and the pictures inside them.
//!
//! A picture is most of an answer's bytes, so results are written into one string with the picture encoded straight into
//! it; everything else goes through serde.

use serde::Serialize;

use super::{
    answer::{ImagePart, ImageResult},
    error::{ErrorDetail, ErrorKind, Executed, Failure},
    request::RequestId,
    units::ScreenSize,
};

/// The beginning of an answer: what follows is one result object and a closing brace.
pub fn begin_result(id: &RequestId) -> String {
    let mut text = String::from(r#"{"jsonrpc":"2.0","id":"#);
    push_json(&mut text, id);
    text.push_str(r#","result":"#);
    text
}

/// The text of an answer with this result.
pub fn result(id: &RequestId, result: &impl Serialize) -> String {
    let mut text = begin_result(id);
    push_json(&mut text, result);
    text.push('}');
    text
}

/// Writes one result object, its picture first, so that the picture's bytes are written once and in place.
pub fn push_result(text: &mut String, result: &impl Serialize, image: Option<ImagePart<'_>>) {
    let Some(image) = image else { return push_json(text, result) };
    text.reserve(encoded_length(&image) + 512);
    text.push_str(r#"{"image":"#);
    push_image(text, image);
    extend_object(text, result);
}

/// Continues an object whose closing brace is still to come with all members of another, and closes it.
pub fn extend_object(text: &mut String, members: &impl Serialize) {
    let start = text.len();
    push_json(text, members);
    // Two objects become one: `{…}` continues as `,…}`.
    let joint = if text.as_bytes().get(start + 1) == Some(&b'}') { "" } else { "," };
    text.replace_range(start..=start, joint);
}

/// The text of an answer with this error; `null` for an id that could not be read.
pub fn error(id: Option<&RequestId>, failure: &Failure) -> String {
    let mut text = String::from(r#"{"jsonrpc":"2.0","id":"#);
    push_json(&mut text, &id);
    text.push_str(r#","error":"#);
    push_error(&mut text, failure);
    text.push('}');
    text
}

/// Writes one error object.
pub fn push_error(text: &mut String, failure: &Failure) {
    #[derive(Serialize)]
    struct ErrorObject<'a> {
        code: i32,
        message: &'a str,
        data: Data<'a>,
    }

    #[derive(Serialize)]
    struct Data<'a> {
        kind: ErrorKind,
        executed: Executed,
        #[serde(flatten)]
        detail: Option<&'a ErrorDetail>,
    }

    let data = Data { kind: failure.kind, executed: failure.executed, detail: failure.detail.as_deref() };
    push_json(text, &ErrorObject { code: failure.kind.code(), message: &failure.message, data });
}

fn push_json(text: &mut String, value: &impl Serialize) {
    // Our own types have string keys and finite numbers, which is all that serde_json can refuse.
    let json = serde_json::to_string(value).unwrap_or_else(|error| format!(r#""unserialisable: {error}""#));
    text.push_str(&json);
}

fn encoded_length(image: &ImagePart<'_>) -> usize {
    match image {
        ImagePart::Inline(image) => base64_simd::STANDARD.encoded_length(image.bytes.len()),
        ImagePart::Attached(..) | ImagePart::Unchanged => 0,
    }
}

fn push_image(text: &mut String, part: ImagePart<'_>) {
    let (image, attachment) = match part {
        ImagePart::Unchanged => return text.push_str(r#"{"unchanged":true}"#),
        ImagePart::Inline(image) => (image, None),
        ImagePart::Attached(image, number) => (image, Some(number)),
    };
    let ScreenSize { width, height } = image.size;
    let described = ImageResult { mime: image.mime, width, height, bytes: image.bytes.len(), data: None, attachment };
    push_json(text, &described);
    if attachment.is_none() {
        text.pop();
        text.push_str(r#","data":""#);
        base64_simd::STANDARD.encode_append(image.bytes, text);
        text.push_str(r#""}"#);
    }
}

/// The length of the header of a binary message.
pub const ATTACHMENT_HEADER: usize = 12;

/// A binary message that carries a picture, its header first: version 1, kind 1, two zero bytes, the number in little endian.
pub fn attachment(number: u64, bytes: &[u8]) -> Vec<u8> {
    /// The version of this layout.
    const VERSION: u8 = 1;
    /// A whole picture, as opposed to a tile.
    const KIND_IMAGE: u8 = 1;
    let mut message = Vec::with_capacity(ATTACHMENT_HEADER + bytes.len());
    message.extend([VERSION, KIND_IMAGE, 0, 0]);
    message.extend(number.to_le_bytes());
    message.extend(bytes);
    message
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::{
        action::Button,
        answer::{ActionResult, EncodedImage, Held, Timing},
        units::FrameId,
    };

    fn sample() -> ActionResult {
        ActionResult {
            output: None,
            notches: None,
            cursor: [5, 6],
            frame: FrameId { epoch: 1, serial: 2 },
            held: Held { keys: vec!["Shift_L".to_owned()], buttons: vec![Button::Left] },
            timing: Timing::default(),
            settled: None,
        }
    }

    fn image(bytes: &[u8]) -> EncodedImage<'_> {
        EncodedImage { mime: "image/png", size: ScreenSize { width: 3, height: 2 }, bytes }
    }

    #[test]
    fn a_picture_stands_inside_the_result_or_is_named_by_it() {
        let id = RequestId::Text("é\"".to_owned());
        let read = |text: String| serde_json::from_str::<Value>(&text).expect("valid JSON");
        let with = |members: &Value, part| {
            let mut text = begin_result(&id);
            push_result(&mut text, members, Some(part));
            text.push('}');
            text
        };
        let sample = serde_json::to_value(sample()).expect("a result");
        let inline = read(with(&sample, ImagePart::Inline(image(b"\x89PNG"))));
        assert_eq!(inline["id"], json!("é\""));
        assert_eq!(
            inline["result"]["image"],
            json!({"mime": "image/png", "width": 3, "height": 2, "bytes": 4, "data": "iVBORw=="})
        );
        assert_eq!(inline["result"]["cursor"], json!([5, 6]));
        assert_eq!(inline["result"]["held"], json!({"keys": ["Shift_L"], "buttons": ["left"]}));
        let attached = read(with(&sample, ImagePart::Attached(image(b"1234"), 9)));
        assert_eq!(
            attached["result"]["image"],
            json!({"mime": "image/png", "width": 3, "height": 2, "bytes": 4, "attachment": 9})
        );
        let unchanged = read(with(&json!({}), ImagePart::Unchanged));
        assert_eq!(unchanged["result"], json!({"image": {"unchanged": true}}));
    }

    #[test]
    fn an_error_carries_kind_code_and_only_the_details_it_has() {
        let failure = Failure::new(ErrorKind::PointerBlocked, "blocked")
            .executed(Executed::Partial)
            .with(|detail| detail.pointer = Some([1, 2]));
        let value: Value = serde_json::from_str(&error(None, &failure)).expect("valid JSON");
        assert_eq!(
            value,
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "blocked",
                "data": {"kind": "pointer_blocked", "executed": "partial", "pointer": [1, 2]}}})
        );
    }

    #[test]
    fn an_attachment_begins_with_its_header() {
        assert_eq!(attachment(0x0102, b"xy"), [1, 1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, b'x', b'y']);
    }
}
