//! Texts to type, made by rule so that a lost, swapped or repeated character shows.

/// How many characters [`ascii`] has.
pub const ASCII_LENGTH: usize = 1019;
/// How many characters [`mixed`] has.
pub const MIXED_LENGTH: usize = 752;
/// How many different Chinese characters are in [`mixed`]: far more than a keyboard has free keys.
const CHINESE: u32 = 672;

/// Every printable ASCII character about ten times, in lines; another order for each `run`.
pub fn ascii(run: usize) -> String {
    const PRINTABLE: usize = 95;
    // Steps that have no factor in common with 95 reach every character, and put others beside it each time.
    const STRIDES: [usize; 4] = [1, 37, 58, 94];
    const LINE: usize = 68;
    (0..ASCII_LENGTH)
        .map(|at| {
            if at % LINE == LINE - 1 {
                return '\n';
            }
            let nth = run * 7 + at * STRIDES[at / PRINTABLE % STRIDES.len()];
            char::from(b' ' + u8::try_from(nth % PRINTABLE).unwrap())
        })
        .collect()
}

/// Latin with diacritics, Cyrillic, Greek, Hangul, emoji and hundreds of different Chinese characters; another order for
/// each `run`.
pub fn mixed(run: usize) -> String {
    let written = "Grüße aus Köln, naïve façade; Ελληνικά; Привет, мир; 日本語テスト; 한국어; 😀🚀✅ ½ € “ok”\n";
    let mut text: Vec<char> = written.chars().collect();
    let run = u32::try_from(run).unwrap();
    // 257 has no factor in common with the count, so that each comes once.
    text.extend((0..CHINESE).map(|nth| char::from_u32(0x4e00 + (nth * 257 + run * 31) % CHINESE).unwrap()));
    assert!(text.len() <= MIXED_LENGTH);
    // The rest is written again: characters that were given keys long ago.
    let rest = MIXED_LENGTH - text.len();
    text.extend(written.chars().cycle().take(rest));
    text.into_iter().collect()
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
