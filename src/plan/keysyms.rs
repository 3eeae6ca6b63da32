//! Keysyms, their canonical names and the characters that they stand for.
//!
//! The encoding is that of the X11 protocol, appendix A: Latin-1 characters are their own keysym, every other Unicode
//! character is `0x0100_0000 | code point`, and some 760 characters have an older keysym besides, which layouts still use.

use super::{
    step::Keysym,
    tables::{keysym_values::KEYSYM_VALUES, legacy_characters::LEGACY_CHARACTERS},
};

/// What marks a keysym that carries a Unicode code point.
const UNICODE_KEYSYM: u32 = 0x0100_0000;

/// The highest keysym: the three top bits of a CARD32 are always zero (X11 protocol, appendix A).
const HIGHEST_KEYSYM: u32 = 0x1fff_ffff;

/// `VoidSymbol`, which like 0 (`NoSymbol`) says that there is no symbol.
const VOID_SYMBOL: u32 = 0x00ff_ffff;

impl Keysym {
    /// `Return`: what a line break in a text becomes.
    pub const RETURN: Self = Self(0xff0d);
    /// `Tab`.
    pub const TAB: Self = Self(0xff09);
    /// `space`.
    pub const SPACE: Self = Self(0x20);
    /// `Shift_L`.
    pub const SHIFT_LEFT: Self = Self(0xffe1);
    /// `Shift_R`.
    pub const SHIFT_RIGHT: Self = Self(0xffe2);
    /// `Caps_Lock`.
    pub const CAPS_LOCK: Self = Self(0xffe5);
    /// `Num_Lock`.
    pub const NUM_LOCK: Self = Self(0xff7f);
    /// `Insert`.
    pub const INSERT: Self = Self(0xff63);
    /// `ISO_Level3_Shift`, the key called `AltGr`.
    pub const LEVEL_3_SHIFT: Self = Self(0xfe03);
    /// `Mode_switch`, how the core protocol reached a second group.
    pub const MODE_SWITCH: Self = Self(0xff7e);
    /// `ISO_Level5_Shift`.
    pub const LEVEL_5_SHIFT: Self = Self(0xfe11);
    /// No symbol at all.
    pub const NONE: Self = Self(0);

    /// Whether the keysym stands for nothing: `NoSymbol`, `VoidSymbol`.
    pub const fn is_none(self) -> bool {
        self.0 == 0 || self.0 == VOID_SYMBOL
    }

    /// Whether the symbol is an order to the X server that no program receives: `AccessX_Enable` to `AudibleBell_Enable`,
    /// `Terminate_Server`, and the ranges of `XF86Switch_VT_1` and `XF86Ungrab`. Pressed on a key of its own, `Terminate_Server`
    /// ended Xvfb, and after `SlowKeys_Enable` every key was lost (measured).
    pub const fn is_for_server(self) -> bool {
        matches!(self.0, 0xfe70..=0xfe7a | 0xfed5 | 0x1008_fe00..=0x1008_feff)
    }

    /// Whether the keysym is one of the keypad's (`KP_Space` to `KP_Equal`).
    pub const fn is_keypad(self) -> bool {
        matches!(self.0, 0xff80..=0xffbd)
    }
}

/// The keysym of a character: `Return` and `Tab` for `\n`, `\r` and `\t`, its own for every printable one, none for the other
/// control characters, which no key produces.
pub fn keysym_of_character(character: char) -> Option<Keysym> {
    match character {
        '\n' | '\r' => Some(Keysym::RETURN),
        '\t' => Some(Keysym::TAB),
        '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{ff}' => Some(Keysym(u32::from(character))),
        _ if character.is_control() => None,
        _ => Some(Keysym(UNICODE_KEYSYM | u32::from(character))),
    }
}

/// The keysym with this number, in its usual form; none for numbers that mean no symbol, are no keysyms, or carry a code
/// point that is no printable character.
pub fn keysym_of_number(number: u32) -> Option<Keysym> {
    let keysym = Keysym(number);
    if keysym.is_none() || number > HIGHEST_KEYSYM {
        return None;
    }
    if number & 0xff00_0000 == UNICODE_KEYSYM {
        return char::from_u32(number & 0x00ff_ffff).and_then(keysym_of_character);
    }
    Some(keysym)
}

/// The character that a client makes of a keysym. Keypad digits and operators count; `KP_Decimal` and `KP_Separator` do not,
/// because what they mean depends on the locale.
pub fn unicode_of(keysym: Keysym) -> Option<char> {
    match keysym.0 {
        number @ (0x20..=0x7e | 0xa0..=0xff) => char::from_u32(number),
        number @ 0x0100_0000..=0x0110_ffff => {
            char::from_u32(number & 0x00ff_ffff).filter(|character| !character.is_control())
        }
        // The keypad's codes were chosen to be ASCII in their low seven bits (`keysymdef.h`).
        number @ (0xffaa | 0xffab | 0xffad | 0xffaf..=0xffb9 | 0xffbd) => char::from_u32(number & 0x7f),
        number => LEGACY_CHARACTERS
            .binary_search_by_key(&number, |&(keysym, _)| keysym)
            .ok()
            .map(|index| LEGACY_CHARACTERS[index].1),
    }
}

/// The canonical X name (`Shift_L`), `U20AC` for a character without one, or the number in hexadecimal: each is a name that
/// [`super::key_names::keysym_named`] takes back.
pub fn name_of(keysym: Keysym) -> String {
    if let Ok(index) = KEYSYM_VALUES.binary_search_by_key(&keysym.0, |&(value, _)| value) {
        return KEYSYM_VALUES[index].1.to_owned();
    }
    match keysym.0 {
        number @ 0x0100_0000..=0x0110_ffff => format!("U{:04X}", number & 0x00ff_ffff),
        number => format!("0x{number:x}"),
    }
}

/// The upper-case form of a character that is a lower-case letter, where that is a single character of its own.
pub fn upper_case(character: char) -> Option<char> {
    single(character.to_uppercase()).filter(|&upper| upper != character)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_the_keysyms_of_the_protocol() {
        for (character, keysym) in [
            ('a', 0x61),
            ('~', 0x7e),
            ('\u{a0}', 0xa0),
            ('ÿ', 0xff),
            ('Ā', 0x0100_0100),
            ('€', 0x0100_20ac),
            ('漢', 0x0100_6f22),
            ('😀', 0x0101_f600),
            ('\n', 0xff0d),
            ('\r', 0xff0d),
            ('\t', 0xff09),
        ] {
            assert_eq!(keysym_of_character(character), Some(Keysym(keysym)), "{character:?}");
        }
        for control in ['\0', '\u{1}', '\u{8}', '\u{1b}', '\u{7f}', '\u{80}', '\u{9f}'] {
            assert_eq!(keysym_of_character(control), None, "{control:?}");
        }
    }

    #[test]
    fn every_printable_character_is_the_meaning_of_its_keysym() {
        for character in ('\0'..=char::MAX).filter(|character| !character.is_control()) {
            assert_eq!(keysym_of_character(character).and_then(unicode_of), Some(character));
        }
    }

    #[test]
    fn older_keysyms_mean_the_same_characters() {
        for (keysym, character) in [
            (0x06c1, 'а'),
            (0x20ac, '€'),
            (0x07e1, 'α'),
            (0x0ce0, 'א'),
            (0x0da1, 'ก'),
            (0x04b1, 'ア'),
            (0x01b1, 'ą'),
            (0x13bc, 'Œ'),
            (0xffb7, '7'),
            (0xffaa, '*'),
            (0xffab, '+'),
            (0xffad, '-'),
            (0xffaf, '/'),
            (0xffbd, '='),
        ] {
            assert_eq!(unicode_of(Keysym(keysym)), Some(character), "{keysym:#x}");
        }
        for silent in [0, 0xff_ffff, 0x0100_000a, 0x0100_d800, 0xffe1, 0xff0d, 0xffae, 0xffac, 0xfe51, 0x1008_ff12] {
            assert_eq!(unicode_of(Keysym(silent)), None, "{silent:#x}");
        }
    }

    #[test]
    fn the_tables_are_in_order_without_repetition() {
        assert!(KEYSYM_VALUES.is_sorted_by(|left, right| left.0 < right.0));
        assert!(LEGACY_CHARACTERS.is_sorted_by(|left, right| left.0 < right.0));
        assert!(LEGACY_CHARACTERS.iter().all(|&(keysym, _)| (0x100..UNICODE_KEYSYM).contains(&keysym)));
    }

    #[test]
    fn numbers_that_are_no_symbols_are_refused() {
        for number in [0, 0xff_ffff, 0x2000_0000, u32::MAX, 0x0100_0000, 0x0100_001b, 0x0100_dfff, 0x0111_0000] {
            assert_eq!(keysym_of_number(number), None, "{number:#x}");
        }
        assert_eq!(keysym_of_number(0x0100_00e9), Some(Keysym(0xe9)), "latin-1 has one form only");
        assert_eq!(keysym_of_number(0x0100_20ac), Some(Keysym(0x0100_20ac)));
        assert_eq!(keysym_of_number(0xffe1), Some(Keysym::SHIFT_LEFT));
    }

    #[test]
    fn keysyms_are_reported_by_their_canonical_names() {
        for (keysym, name) in [
            (0xffe1, "Shift_L"),
            (0x61, "a"),
            (0x41, "A"),
            (0xff55, "Page_Up"),
            (0xffc8, "F11"),
            (0x1008_ff12, "XF86AudioMute"),
            (0x0100_6f22, "U6F22"),
            (0x0101_f600, "U1F600"),
            (0x20ac, "EuroSign"),
            (0x1234_5678, "0x12345678"),
        ] {
            assert_eq!(name_of(Keysym(keysym)), name);
        }
    }

    #[test]
    fn upper_case_forms_are_single_characters() {
        assert_eq!(['é', 'б', 'É', '1'].map(upper_case), [Some('É'), Some('Б'), None, None]);
        assert_eq!(upper_case('ß'), None, "its upper case is two characters");
    }
}
