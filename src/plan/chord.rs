//! Chords as controllers write them: `ctrl+shift+t`.

use thiserror::Error;

use super::{
    gesture::Chord,
    key_names::{UnknownKey, keysym_named},
    keysyms::name_of,
    step::Keysym,
};
use crate::protocol::{
    error::{ErrorKind, Failure},
    limits::CHORD_KEYS,
};

/// The character that joins the keys of a chord.
const JOIN: char = '+';

/// How much of a controller's text a message repeats, in characters.
const QUOTED: usize = 64;

/// Why a text is no chord.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChordError {
    /// Nothing but white space, or nothing at all.
    #[error(
        "a chord needs at least one key, got an empty text; write for example `ctrl+c`, or `space` for the space key"
    )]
    Empty,
    /// A `+` with no key before or after it.
    #[error("a key is missing beside a `+` in `{0}`; the plus key itself is `plus`, as in `ctrl+plus`")]
    MissingKey(String),
    /// White space where only one chord can stand.
    #[error("one chord was expected, got several in `{0}`; join keys with `+`")]
    Several(String),
    /// U+0000.
    #[error("a key name cannot contain U+0000; leave it out")]
    Nul,
    /// A symbol by which the X server itself is switched.
    #[error("`{0}` is an order to the X server and reaches no program; leave it out")]
    ForServer(String),
    /// More than [`CHORD_KEYS`] keys.
    #[error("a chord has at most {CHORD_KEYS} keys, got {0}; split it")]
    TooManyKeys(usize),
    /// A name that no key has.
    #[error("{}", unknown_text(.0))]
    Unknown(UnknownKey),
}

fn unknown_text(unknown: &UnknownKey) -> String {
    let name = &unknown.name;
    match unknown.nearest.as_slice() {
        [] => format!("no key is named `{name}`; use X keysym names such as `Return` or `Page_Up`"),
        nearest => format!("no key is named `{name}`; the nearest names are `{}`", nearest.join("`, `")),
    }
}

impl From<ChordError> for Failure {
    fn from(error: ChordError) -> Self {
        let kind = match error {
            ChordError::TooManyKeys(_) => ErrorKind::OutOfRange,
            _ => ErrorKind::InvalidParams,
        };
        let failure = Self::new(kind, error.to_string());
        match error {
            ChordError::Unknown(unknown) if !unknown.nearest.is_empty() => {
                failure.with(|detail| detail.names = Some(unknown.nearest))
            }
            _ => failure,
        }
    }
}

/// The keys of one chord. A single letter beside other keys means its lower case, so that `ctrl+A` is `ctrl+a`, as everybody
/// who writes it intends; alone, `A` is the capital.
pub fn parse_chord(text: &str) -> Result<Chord, ChordError> {
    if text == " " {
        return Ok(Chord(vec![Keysym::SPACE]));
    }
    let trimmed = text.trim();
    if trimmed.contains('\0') {
        return Err(ChordError::Nul);
    }
    if trimmed.is_empty() {
        return Err(ChordError::Empty);
    }
    if trimmed.contains(char::is_whitespace) {
        return Err(ChordError::Several(quoted(trimmed)));
    }
    let names = split(trimmed)?;
    if names.len() > CHORD_KEYS {
        return Err(ChordError::TooManyKeys(names.len()));
    }
    let alone = names.len() == 1;
    let keysym = |name: &&str| match name.as_bytes() {
        [letter @ b'A'..=b'Z'] if !alone => Ok(Keysym(letter.to_ascii_lowercase().into())),
        _ => match keysym_named(name).map_err(ChordError::Unknown)? {
            keysym if keysym.is_for_server() => Err(ChordError::ForServer(name_of(keysym))),
            keysym => Ok(keysym),
        },
    };
    names.iter().map(keysym).collect::<Result<_, _>>().map(Chord)
}

/// The names between the joins. A `+` where a name must begin is the plus key: `+`, `ctrl++`, `++ctrl`, `+++`.
pub(super) fn split(text: &str) -> Result<Vec<&str>, ChordError> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let end = match code_point_length(rest) {
            Some(length) => length,
            None if rest.starts_with(JOIN) => JOIN.len_utf8(),
            None => rest.find(JOIN).unwrap_or(rest.len()),
        };
        let (name, after) = rest.split_at(end);
        names.push(name);
        if after.is_empty() {
            return Ok(names);
        }
        rest = after
            .strip_prefix(JOIN)
            .filter(|rest| !rest.is_empty())
            .ok_or_else(|| ChordError::MissingKey(quoted(text)))?;
    }
}

/// The length of `U+20AC` at the start of a text, whose `+` joins nothing. No key is named by four to six hexadecimal digits, so
/// `u+1` stays a chord of two keys and nothing is ambiguous.
fn code_point_length(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['U', 'u'])?.strip_prefix(JOIN)?;
    let digits = digits.split(JOIN).next()?;
    let is_code_point = (4..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_code_point.then_some("U+".len() + digits.len())
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: u32 = 0xffe3;
    const SHIFT: u32 = 0xffe1;
    const PLUS: u32 = 0x2b;

    fn chord(text: &str) -> Vec<u32> {
        parse_chord(text)
            .unwrap_or_else(|error| panic!("{text:?}: {error}"))
            .0
            .into_iter()
            .map(|keysym| keysym.0)
            .collect()
    }

    #[test]
    fn what_would_switch_the_server_is_no_key() {
        for name in
            ["Terminate_Server", "terminateserver", "0xfed5", "SlowKeys_Enable", "XF86Switch_VT_1", "ctrl+XF86Ungrab"]
        {
            assert!(matches!(parse_chord(name), Err(ChordError::ForServer(_))), "{name}");
        }
        assert!(parse_chord("ctrl+alt+BackSpace").is_ok() && parse_chord("Last_Virtual_Screen").is_ok());
    }

    #[test]
    fn keys_are_joined_by_plus_in_their_order() {
        assert_eq!(chord("ctrl+shift+t"), [CONTROL, SHIFT, 0x74]);
        assert_eq!(chord("shift+CTRL+t"), [SHIFT, CONTROL, 0x74]);
        assert_eq!(chord("Return"), [0xff0d]);
        assert_eq!(chord(" ctrl+a\n"), [CONTROL, 0x61]);
    }

    #[test]
    fn the_plus_key_itself_can_be_written() {
        assert_eq!(chord("+"), [PLUS]);
        assert_eq!(chord("plus"), [PLUS]);
        assert_eq!(chord("ctrl++"), [CONTROL, PLUS]);
        assert_eq!(chord("ctrl+plus"), [CONTROL, PLUS]);
        assert_eq!(chord("++ctrl"), [PLUS, CONTROL]);
        assert_eq!(chord("ctrl+++a"), [CONTROL, PLUS, 0x61]);
        assert_eq!(chord("+++"), [PLUS, PLUS]);
    }

    #[test]
    fn code_points_keep_their_plus() {
        assert_eq!(chord("U+20AC"), [0x0100_20ac]);
        assert_eq!(chord("ctrl+U+20AC+a"), [CONTROL, 0x0100_20ac, 0x61]);
        assert_eq!(chord("u+1"), [0x75, 0x31]);
    }

    #[test]
    fn a_letter_beside_other_keys_is_lower_case_and_alone_is_itself() {
        assert_eq!(chord("ctrl+A"), [CONTROL, 0x61]);
        assert_eq!(chord("A"), [0x41]);
        assert_eq!(chord("shift+A"), [SHIFT, 0x61]);
        assert_eq!(chord("ctrl+Aacute"), [CONTROL, 0xc1], "only single letters");
    }

    #[test]
    fn the_space_key_is_a_space_or_its_name() {
        assert_eq!(parse_chord(" ").unwrap(), Chord(vec![Keysym::SPACE]));
        assert_eq!(chord("space"), [0x20]);
        assert_eq!(chord("ctrl+space"), [CONTROL, 0x20]);
    }

    #[test]
    fn broken_chords_have_their_own_errors() {
        for empty in ["", "  ", "\t\n"] {
            assert_eq!(parse_chord(empty), Err(ChordError::Empty), "{empty:?}");
        }
        for missing in ["ctrl+", "++", "ctrl+shift+", "+a", "ctrl+++"] {
            assert!(matches!(parse_chord(missing), Err(ChordError::MissingKey(_))), "{missing:?}");
        }
        assert_eq!(parse_chord("\0"), Err(ChordError::Nul));
        assert_eq!(parse_chord("ctrl+\0"), Err(ChordError::Nul));
        assert!(matches!(parse_chord("ctrl+a ctrl+b"), Err(ChordError::Several(_))));
        assert!(matches!(parse_chord("hyper+bogus"), Err(ChordError::Unknown(_))));
        assert!(matches!(parse_chord("0x0"), Err(ChordError::Unknown(_))));
    }

    #[test]
    fn thirty_two_keys_are_a_chord_and_thirty_three_are_not() {
        let of = |keys: usize| vec!["a"; keys].join("+");
        assert_eq!(chord(&of(CHORD_KEYS)).len(), CHORD_KEYS);
        assert_eq!(parse_chord(&of(CHORD_KEYS + 1)), Err(ChordError::TooManyKeys(33)));
        assert_eq!(Failure::from(ChordError::TooManyKeys(33)).kind, ErrorKind::OutOfRange);
    }

    #[test]
    fn a_failure_for_an_unknown_key_carries_the_nearest_names() {
        let failure = Failure::from(parse_chord("ctrl+Retrun").unwrap_err());
        assert_eq!(failure.kind, ErrorKind::InvalidParams);
        assert!(failure.message.starts_with("no key is named `Retrun`; the nearest names are `Return`"), "{failure}");
        assert_eq!(failure.detail.unwrap().names.unwrap()[0], "Return");
    }
}
