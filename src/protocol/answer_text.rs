//! Answers as text: results, errors and the pictures inside them.
//!
//! A picture is most of an answer's bytes, so it stands in the text by reference; everything else goes through serde.

use serde::Serialize;

use super::{
    answer::{ImagePart, ImageResult},
    error::{ErrorDetail, ErrorKind, Executed, Failure},
    message::MessageText,
    request::RequestId,
    subscription::EventParams,
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

/// Writes one result object, its picture first.
pub fn push_result(text: &mut MessageText, result: &impl Serialize, image: Option<ImagePart>) {
    let Some(image) = image else { return push_json(text.end(), result) };
    text.end().push_str(r#"{"image":"#);
    push_image(text, image);
    extend_object(text.end(), result);
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

/// One error object.
pub fn error_value(failure: &Failure) -> serde_json::Value {
    let mut text = String::new();
    push_error(&mut text, failure);
    // What has just been written is JSON.
    serde_json::from_str(&text).unwrap_or_default()
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

fn push_image(text: &mut MessageText, part: ImagePart) {
    let (image, attachment, data) = match part {
        ImagePart::Unchanged => return text.end().push_str(r#"{"unchanged":true}"#),
        ImagePart::Inline(image, data) => (image, None, Some(data)),
        ImagePart::Attached(image, number) => (image, Some(number), None),
    };
    let ScreenSize { width, height } = image.size;
    let described = ImageResult { mime: image.mime, width, height, bytes: image.file.len(), data: None, attachment };
    push_json(text.end(), &described);
    if let Some(data) = data {
        // `data` continues the object before its closing brace.
        text.end().pop();
        text.end().push_str(r#","data":""#);
        text.push_picture(data);
        text.end().push_str(r#""}"#);
    }
}

/// The text of an event: a message without an id.
pub fn event(params: &EventParams) -> String {
    let mut text = String::from(r#"{"jsonrpc":"2.0","method":"event","params":"#);
    push_json(&mut text, params);
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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

    fn image(bytes: &[u8]) -> EncodedImage {
        EncodedImage { mime: "image/png", size: ScreenSize { width: 3, height: 2 }, file: Arc::new(bytes.to_vec()) }
    }

    #[test]
    fn a_picture_stands_inside_the_result_or_is_named_by_it() {
        let id = RequestId::Text("é\"".to_owned());
        let read = |text: MessageText| serde_json::from_str::<Value>(&text.into_string()).expect("valid JSON");
        let with = |members: &Value, part| {
            let mut text = MessageText::from(begin_result(&id));
            push_result(&mut text, members, Some(part));
            text.end().push('}');
            text
        };
        let sample = serde_json::to_value(sample()).expect("a result");
        let inline = read(with(&sample, ImagePart::Inline(image(b"\x89PNG"), Arc::new("iVBORw==".to_owned()))));
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
}
