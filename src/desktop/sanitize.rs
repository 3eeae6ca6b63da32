//! Makes text from other clients fit for logs, terminals and models: titles, class names, names of window managers.

/// Text of at most `limit` bytes, without what could act on its reader: control characters, terminal sequences, invisible
/// and direction-changing characters. Bytes that are no UTF-8 become U+FFFD; white space of every kind becomes one space.
pub fn sanitize(bytes: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let shown_character = match character {
            '\u{1b}' => {
                skip_escape(&mut characters);
                continue;
            }
            '\u{9b}' => {
                skip_control_sequence(&mut characters);
                continue;
            }
            space if space.is_whitespace() => ' ',
            hidden if is_hidden(hidden) => continue,
            character => character,
        };
        if shown_character == ' ' && (shown.is_empty() || shown.ends_with(' ')) {
            continue;
        }
        if shown.len() + shown_character.len_utf8() > limit {
            break;
        }
        shown.push(shown_character);
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// Skips what follows an escape character (ECMA-48, sections 5.3 to 5.6): a control sequence, a control string, or
/// intermediate bytes and a final one.
fn skip_escape(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => skip_control_sequence(characters),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_control_string(characters),
        // Intermediates such as `(`, then one final byte: `ESC ( B` chooses a character set.
        Some(' '..='/') => while characters.next().is_some_and(|next| matches!(next, ' '..='/')) {},
        _ => {}
    }
}

/// Parameters and intermediates up to the final byte.
fn skip_control_sequence(characters: &mut std::str::Chars<'_>) {
    while let Some(next) = characters.as_str().chars().next() {
        match next {
            ' '..='?' => characters.next(),
            '@'..='~' => {
                characters.next();
                return;
            }
            // Not a control sequence after all: what follows is text.
            _ => return,
        };
    }
}

/// Everything up to BEL or the string terminator; all of the rest where there is none, as a terminal would swallow it.
fn skip_control_string(characters: &mut std::str::Chars<'_>) {
    while let Some(next) = characters.next() {
        match next {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' if characters.as_str().starts_with('\\') => {
                characters.next();
                return;
            }
            _ => {}
        }
    }
}

/// Controls, and the format characters (Unicode category Cf and relatives) that are invisible, reorder text, or smuggle a
/// second text past a human reader. Joiners go too: a title stays readable without them.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> String {
        sanitize(text.as_bytes(), 256)
    }

    #[test]
    fn ordinary_titles_stay_as_they_are() {
        for title in ["", "Openbox", "Ünïcödé – 日本語 – Привет – 🙂", "[x]; ~y"] {
            assert_eq!(clean(title), title);
        }
    }

    #[test]
    fn terminal_sequences_go_whole() {
        assert_eq!(clean("a\u{1b}[31;1mb\u{1b}[0mc"), "abc");
        assert_eq!(clean("a\u{9b}31mb"), "ab");
        assert_eq!(clean("a\u{1b}]0;owned\u{7}b"), "ab");
        assert_eq!(clean("a\u{1b}]8;;http://x\u{1b}\\b"), "ab");
        assert_eq!(clean("a\u{1b}P payload \u{9c}b"), "ab");
        assert_eq!(clean("a\u{1b}(Bb\u{1b}cd"), "abd");
        assert_eq!(clean("a\u{1b}]0;never ends"), "a");
        assert_eq!(clean("a\u{1b}[12\u{e9}b"), "a\u{e9}b", "cut off by a character that cannot belong to it");
        assert_eq!(clean("a\u{1b}"), "a");
    }

    #[test]
    fn controls_and_invisible_and_direction_changing_characters_go() {
        assert_eq!(clean("a\0b\u{8}c\u{7f}d\u{85}e"), "abcd e");
        assert_eq!(clean("evil\u{202e}gpj.exe"), "evilgpj.exe");
        assert_eq!(clean("\u{2066}a\u{2069}\u{200f}b\u{200b}\u{feff}"), "ab");
        assert_eq!(clean("\u{e0041}\u{e0042}tags"), "tags");
    }

    #[test]
    fn white_space_of_every_kind_becomes_one_space() {
        assert_eq!(clean("  a\r\n\t b\u{2028}\u{a0}c "), "a b c");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced() {
        assert_eq!(sanitize(b"caf\xe9", 256), "caf\u{fffd}");
    }

    #[test]
    fn the_limit_counts_bytes_and_never_splits_a_character() {
        assert_eq!(sanitize("ééé".as_bytes(), 5), "éé");
        assert_eq!(sanitize(b"abc def", 4), "abc");
        assert_eq!(sanitize(b"abc", 0), "");
    }

    proptest! {
        #[test]
        fn no_bytes_get_a_control_or_hidden_character_through(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let shown = sanitize(&bytes, 256);
            prop_assert!(shown.len() <= 256);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert_eq!(sanitize(shown.as_bytes(), 256), shown.clone(), "a second pass finds nothing");
        }

        #[test]
        fn no_text_gets_a_control_or_hidden_character_through(text in any::<String>()) {
            let hidden = clean(&text).chars().any(is_hidden);
            prop_assert!(!hidden);
        }
    }
}
