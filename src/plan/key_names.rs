//! Key names, as controllers write them, to keysyms.
//!
//! A name is looked for, in this order, as: a single character; an alias of ours; an X name exactly; an X name whatever its
//! case; an X name without `_` and `-`; `U20AC` or `U+20AC`; `0x…`, a keysym's number. Where names differ by case only
//! (`Agrave`, `agrave`), one that is not spelled exactly means the lower-case letter.

use super::{
    keysyms::{keysym_of_character, keysym_of_number, name_of},
    step::Keysym,
    tables::{key_aliases::KEY_ALIASES, keysym_names::KEYSYM_NAMES},
};

/// How many names an unknown one is answered with.
const SUGGESTIONS: usize = 3;

/// The longest text that is compared with the known names, in bytes; the longest known name has 27. It bounds the work and
/// the message that a hostile name can cause.
const LONGEST_NAME: usize = 64;

/// A name that no key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The name, shortened to what a message can bear.
    pub name: String,
    /// The nearest known names, the best first; empty when the name is far too long to be one.
    pub nearest: Vec<String>,
}

/// The keysym that a name means.
pub fn keysym_named(name: &str) -> Result<Keysym, UnknownKey> {
    let mut characters = name.chars();
    let found = match (characters.next(), characters.next()) {
        (Some(character), None) => keysym_of_character(character),
        _ if name.len() > LONGEST_NAME => None,
        _ => alias(name).or_else(|| x_name(name)).or_else(|| code_point(name)).or_else(|| number(name)),
    };
    found.ok_or_else(|| UnknownKey {
        name: name.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect(),
        nearest: nearest(name),
    })
}

/// Every X name that is known, with its keysym. Some names of ours hide an X name of the same letters (`hyphen`, `caret`); those
/// come with the meaning that they have here.
pub fn known_names() -> impl Iterator<Item = (&'static str, Keysym)> {
    KEYSYM_NAMES.iter().filter_map(|&(name, _)| Some((name, keysym_named(name).ok()?)))
}

/// Lower case, without the characters that people put between words.
fn squash(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-'))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

fn alias(name: &str) -> Option<Keysym> {
    let squashed = squash(name);
    let index = KEY_ALIASES.binary_search_by(|&(alias, _)| alias.cmp(&squashed)).ok()?;
    x_name(KEY_ALIASES[index].1)
}

fn x_name(name: &str) -> Option<Keysym> {
    let squashed = squash(name);
    let lower = name.to_ascii_lowercase();
    // Exactly the same is better than the same in another case, and that better than the same in other words; among equals
    // the name with the fewest capitals is the lower-case letter.
    let rank = |known: &str| (known != name, !known.eq_ignore_ascii_case(&lower), capitals(known));
    KEYSYM_NAMES
        .iter()
        .filter(|(known, _)| same_squashed(known, &squashed))
        .min_by_key(|(known, _)| rank(known))
        .map(|&(_, value)| Keysym(value))
}

fn same_squashed(known: &str, squashed: &str) -> bool {
    known.bytes().filter(|&byte| byte != b'_').map(|byte| byte.to_ascii_lowercase()).eq(squashed.bytes())
}

fn capitals(name: &str) -> usize {
    name.bytes().filter(u8::is_ascii_uppercase).count()
}

/// `U20AC`, as xkbcommon takes it, or `U+20AC`: 4 to 6 digits.
fn code_point(name: &str) -> Option<Keysym> {
    let digits = name.strip_prefix(['U', 'u'])?;
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let code_point = hexadecimal(digits).filter(|_| (4..=6).contains(&digits.len()))?;
    char::from_u32(code_point).filter(|character| !character.is_control()).and_then(keysym_of_character)
}

fn number(name: &str) -> Option<Keysym> {
    let digits = name.strip_prefix("0x").or_else(|| name.strip_prefix("0X"))?;
    hexadecimal(digits).and_then(keysym_of_number)
}

/// `from_str_radix` alone would take a sign.
fn hexadecimal(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// The known names that look most like this one, one a key.
fn nearest(name: &str) -> Vec<String> {
    if name.len() > LONGEST_NAME {
        return Vec::new();
    }
    let wanted = squash(name);
    let aliases = KEY_ALIASES.iter().filter_map(|&(alias, target)| Some((alias, x_name_exactly(target)?)));
    let names = KEYSYM_NAMES.iter().map(|&(known, value)| (known, Keysym(value)));
    let mut scored: Vec<(f64, &str, Keysym)> = names
        .chain(aliases)
        .map(|(known, keysym)| (strsim::jaro_winkler(&wanted, &squash(known)), known, keysym))
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.len().cmp(&right.1.len())));
    let mut chosen: Vec<(String, Keysym)> = Vec::with_capacity(SUGGESTIONS);
    for (_, _, keysym) in scored {
        if chosen.iter().all(|&(_, known)| known != keysym) {
            chosen.push((name_of(keysym), keysym));
        }
        if chosen.len() == SUGGESTIONS {
            break;
        }
    }
    chosen.into_iter().map(|(name, _)| name).collect()
}

fn x_name_exactly(name: &str) -> Option<Keysym> {
    let key = |known: &str| (known.to_ascii_lowercase(), known.to_owned());
    let wanted = key(name);
    let index = KEYSYM_NAMES.binary_search_by(|(known, _)| key(known).cmp(&wanted)).ok()?;
    Some(Keysym(KEYSYM_NAMES[index].1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn value(name: &str) -> u32 {
        keysym_named(name).unwrap_or_else(|error| panic!("{error:?}")).0
    }

    /// Aliases that mean something else than the X name with the same letters, on purpose: the X ones are characters that no
    /// keyboard carries (arrows, a soft hyphen, U+2041), which nobody names who wants a key pressed.
    const SHADOWS: [&str; 7] = ["caret", "downarrow", "hyphen", "leftarrow", "multiply", "rightarrow", "uparrow"];

    #[test]
    fn every_x_name_means_its_keysym() {
        for &(name, expected) in KEYSYM_NAMES {
            if !SHADOWS.contains(&name) {
                assert_eq!(value(name), keysym_of_number(expected).unwrap().0, "{name}");
            }
        }
    }

    #[test]
    fn the_name_of_every_keysym_leads_back_to_it() {
        for &(name, number) in KEYSYM_NAMES {
            let keysym = keysym_of_number(number).unwrap();
            let reported = name_of(keysym);
            if !SHADOWS.contains(&reported.as_str()) {
                assert_eq!(keysym_named(&reported), Ok(keysym), "{name} is reported as {reported}");
            }
        }
        for character in ['漢', '😀', 'ợ', '\u{2028}'] {
            let keysym = keysym_of_character(character).unwrap();
            assert_eq!(keysym_named(&name_of(keysym)), Ok(keysym));
        }
    }

    #[test]
    fn tables_are_in_order_without_repetition() {
        assert!(KEYSYM_NAMES.is_sorted_by_key(|&(name, _)| (name.to_ascii_lowercase(), name)));
        assert!(KEY_ALIASES.is_sorted_by(|left, right| left.0 < right.0));
        assert!(KEY_ALIASES.iter().all(|&(alias, _)| alias == squash(alias)));
        assert!(KEYSYM_NAMES.iter().all(|&(name, _)| name.len() <= LONGEST_NAME));
    }

    #[test]
    fn aliases_mean_known_names_and_shadow_none_but_those_listed() {
        let mut by_squashed: HashMap<String, Vec<u32>> = HashMap::new();
        for &(name, value) in KEYSYM_NAMES {
            by_squashed.entry(squash(name)).or_default().push(value);
        }
        let mut shadows = Vec::new();
        for &(alias, target) in KEY_ALIASES {
            let Keysym(meaning) = x_name_exactly(target).unwrap_or_else(|| panic!("{alias} means {target}"));
            assert_eq!(value(alias), meaning, "{alias}");
            if by_squashed.get(alias).is_some_and(|values| !values.contains(&meaning)) {
                shadows.push(alias);
            }
        }
        assert_eq!(shadows, SHADOWS);
    }

    #[test]
    fn the_exact_case_comes_first_and_the_lower_case_letter_second() {
        assert_eq!((value("a"), value("A")), (0x61, 0x41));
        assert_eq!((value("Agrave"), value("agrave"), value("AGRAVE")), (0xc0, 0xe0, 0xe0));
        assert_eq!((value("Greek_ALPHA"), value("GREEK_ALPHA"), value("greek_alpha")), (0x7c1, 0x7e1, 0x7e1));
        assert_eq!((value("THORN"), value("tHORN")), (0xde, 0xfe));
    }

    #[test]
    fn names_that_models_use_mean_what_they_intend() {
        let table: &[(u32, &[&str])] = &[
            (0xff0d, &["Return", "Enter", "ENTER", "return", "\n"]),
            (0xff8d, &["KP_Enter", "kp_enter", "KPEnter", "NumpadEnter", "numpad_enter"]),
            (0xffe3, &["ctrl", "CTRL", "Control", "control", "Control_L", "ControlLeft", "ControlOrMeta", "lctrl"]),
            (0xffe4, &["Control_R", "ControlRight", "ctrlright", "rctrl"]),
            (0xffe1, &["shift", "Shift", "SHIFT", "Shift_L", "ShiftLeft", "lshift"]),
            (0xffe9, &["alt", "ALT", "option", "Alt_L", "AltLeft"]),
            (0xffeb, &["cmd", "command", "super", "win", "windows", "meta", "Meta", "MetaLeft", "Super_L"]),
            (0xffe7, &["Meta_L", "meta_l"]),
            (0xfe03, &["AltGr", "AltGraph", "ISO_Level3_Shift"]),
            (0xff55, &["Page_Up", "PageUp", "pgup", "Prior", "PAGEUP", "page-up"]),
            (0xff56, &["Page_Down", "PageDown", "pgdn", "Next", "pagedown"]),
            (0xff1b, &["esc", "ESC", "Escape", "escape"]),
            (0xff51, &["ArrowLeft", "left", "LEFT", "Left", "leftarrow", "arrow_left"]),
            (0x60, &["backtick", "grave", "Backquote", "`"]),
            (0x20, &["space", " ", "spacebar", "SPACE"]),
            (0xffff, &["del", "delete", "Delete"]),
            (0xff08, &["backspace", "BackSpace", "Backspace", "BACKSPACE", "bksp"]),
            (0xffe5, &["capslock", "CapsLock", "Caps_Lock", "caps_lock"]),
            (0xff7f, &["numlock", "NumLock", "Num_Lock"]),
            (0xff14, &["scrolllock", "Scroll_Lock"]),
            (0xff61, &["printscreen", "PrintScreen", "prtsc", "print", "Print"]),
            (0x2b, &["plus", "+", "U002B", "U+002B"]),
            (0x2d, &["minus", "-", "hyphen", "dash"]),
            (0x3d, &["equal", "=", "equals"]),
            (0x2c, &["comma", ","]),
            (0xff09, &["tab", "Tab", "TAB", "\t"]),
            (0xff63, &["ins", "insert", "Insert"]),
            (0xff50, &["home", "HOME"]),
            (0xff57, &["end"]),
            (0xff67, &["menu", "apps", "ContextMenu"]),
            (0xffbe, &["f1", "F1"]),
            (0xffe0, &["F35"]),
            (0xffb0, &["numpad0", "num0", "kp0", "KP_0", "Numpad0"]),
            (0xffaa, &["KP_Multiply", "NumpadMultiply", "multiply"]),
            (0x1008_ff13, &["volumeup", "AudioVolumeUp", "XF86AudioRaiseVolume", "xf86audioraisevolume"]),
            (0x1008_ff12, &["mute", "volumemute"]),
            (0x1008_ff14, &["playpause", "MediaPlayPause"]),
            (0x1008_ff26, &["browserback", "BrowserBack", "XF86Back"]),
            (0x61, &["KeyA", "a"]),
            (0x30, &["0", "Digit0"]),
            (0xe9, &["é", "eacute", "U00E9", "0xe9", "0x10000e9"]),
            (0x20ac, &["EuroSign", "euro", "0x20ac"]),
            (0x0100_20ac, &["€", "U20AC", "U+20AC", "u20ac"]),
            (0x0100_6f22, &["漢", "U6F22"]),
            (0xfe51, &["dead_acute"]),
        ];
        for (expected, names) in table {
            for name in *names {
                assert_eq!(value(name), *expected, "{name:?}");
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "a".repeat(100_000);
        let hopeless =
            ["", "Bogus_Key", "NoSymbol", "VoidSymbol", "0x0", "0xffffff", "0x", "0x+1", "0xffffffffff", "U+", "U+0"];
        for name in
            hopeless.into_iter().chain(["U0000", "U+D800", "U+110000", "U1B", "U001B", "\0", "\u{1b}", "ab", &long])
        {
            assert!(keysym_named(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_unknown_name_comes_with_the_nearest_ones() {
        for (wrong, near) in
            [("Retrun", "Return"), ("Contrl", "Control_L"), ("escap", "Escape"), ("PageUpp", "Page_Up")]
        {
            let unknown = keysym_named(wrong).unwrap_err();
            assert_eq!(unknown.name, wrong);
            assert_eq!(unknown.nearest.len(), SUGGESTIONS);
            assert!(unknown.nearest.contains(&near.to_owned()), "{wrong}: {:?}", unknown.nearest);
        }
        let long = keysym_named(&"ü\0".repeat(50_000)).unwrap_err();
        assert!(long.nearest.is_empty() && long.name.len() < 400, "a message stays short whatever the name");
    }
}
