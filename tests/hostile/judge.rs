//! Compares what was answered with what the application received.

use serde_json::Value;

use crate::support::Recorded;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Click(i16, i16),
    Text(String),
    /// A text that is to arrive through the clipboard.
    Paste(String),
    /// Something that the application does not notice.
    Look,
}

/// What was asked for and the error, if one came back.
#[derive(Clone, Debug)]
pub struct Answered {
    pub deed: Deed,
    pub error: Option<Value>,
}

/// What an application notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Press(i16, i16),
    Release(i16, i16),
    Character(char),
}

/// The first button and the characters among what was recorded.
fn notices(recorded: &[Recorded]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for event in recorded {
        match event {
            Recorded::Button { down: true, button: 1, x, y, .. } => notices.push(Notice::Press(*x, *y)),
            Recorded::Button { down: false, button: 1, x, y, .. } => notices.push(Notice::Release(*x, *y)),
            Recorded::Key { down: true, text: Some(character), .. } => notices.push(Notice::Character(*character)),
            Recorded::Pasted { text } => notices.extend(text.chars().map(Notice::Character)),
            _ => {}
        }
    }
    notices
}

fn expected(deed: &Deed) -> Vec<Notice> {
    match deed {
        Deed::Click(x, y) => vec![Notice::Press(*x, *y), Notice::Release(*x, *y)],
        Deed::Text(text) | Deed::Paste(text) => text.chars().map(Notice::Character).collect(),
        Deed::Look => Vec::new(),
    }
}

/// Asserts that what is reported as done was received as it was asked for, in order and nothing more; of what failed, at
/// most its beginning, nothing where nothing was executed, and as many characters as were told.
pub fn assert_true(answered: &[Answered], recorded: &[Recorded]) {
    let received = notices(recorded);
    let mut rest = received.as_slice();
    for (index, Answered { deed, error }) in answered.iter().enumerate() {
        let expected = expected(deed);
        let same = expected.iter().zip(rest).take_while(|(wanted, seen)| wanted == seen).count();
        let seen = &rest[..rest.len().min(expected.len() + 2)];
        let Some(error) = error else {
            assert!(same == expected.len(), "wrong done: answer {index}, {deed:?}, but received: {seen:?}");
            rest = &rest[same..];
            continue;
        };
        let data = &error["data"];
        if data["executed"] == "no" {
            continue;
        }
        // What a display that is gone has received nobody can tell; and of a text whose layout has changed, only what was
        // looked up before that is known to be right.
        let certain = data["executed"] != "unknown" && data["kind"] != "keymap_changed";
        if let (Deed::Text(_), Some(typed)) = (deed, data["typed"].as_u64()) {
            let typed = usize::try_from(typed).unwrap();
            let right = if certain { same == typed } else { same >= typed };
            assert!(right, "wrong count: answer {index}, {deed:?}: {error}, but received {same}: {seen:?}");
        }
        rest = &rest[same..];
        // A press that was sent is released wherever the pointer has got to.
        if same == 1
            && let [Notice::Release(..), after @ ..] = rest
        {
            rest = after;
        }
    }
    assert!(rest.is_empty(), "more was received than was asked for: {rest:?}");
}
