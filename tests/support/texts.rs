//! Texts to type, so mixed that a lost, swapped or repeated character shows. `tests/apps` types the same files.

/// How many characters [`ascii`] has.
pub const ASCII_LENGTH: usize = 1019;
/// How many characters [`mixed`] has.
pub const MIXED_LENGTH: usize = 752;

/// How far a text is turned from one run to the next. No factor of either length, so that every run has an order of its own;
/// `tests/apps/texts.py` turns as far.
const TURN: usize = 31;

/// Every printable ASCII character about ten times, beside another one each time and at the end beside itself, in lines.
pub fn ascii(run: usize) -> String {
    turned(include_str!("../corpora/texts/ascii.txt"), ASCII_LENGTH, run)
}

/// Latin with diacritics, Cyrillic, Greek, Hangul, emoji and 672 different Chinese characters – far more than a keyboard has
/// free keys –, and at the end the first ones again, which were given keys long ago.
pub fn mixed(run: usize) -> String {
    turned(include_str!("../corpora/texts/mixed.txt"), MIXED_LENGTH, run)
}

/// The text with its beginning put behind its end, further for each `run`.
fn turned(text: &str, length: usize, run: usize) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    assert_eq!(characters.len(), length, "the file is another than the one that is written about");
    characters.rotate_left(run * TURN % length);
    characters.into_iter().collect()
}

/// Where two texts differ first, for messages that a person can read.
pub fn difference(wanted: &str, got: &str) -> String {
    let same = wanted.chars().zip(got.chars()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| text.chars().skip(same.saturating_sub(5)).take(25).collect::<String>();
    format!(
        "{} characters instead of {}, different from {same} on: {:?} instead of {:?}",
        got.chars().count(),
        wanted.chars().count(),
        part(got),
        part(wanted)
    )
}
