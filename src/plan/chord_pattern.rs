//! Patterns of chords that must not be pressed: `ctrl+alt+t`, `super+*`.
//!
//! A pattern is about keys, not about names: the order does not matter, nor which of several names a key has, nor the left or
//! right one of two modifiers, nor whether the letter is a capital, nor the keypad's twin of a key. It fits whatever has all of
//! its keys down, also with more of them: on the way to `ctrl+alt+x+t` there is a moment at which a window manager sees `ctrl+alt+t`.

use super::{
    chord::split,
    key_names::keysym_named,
    keysyms::{keysym_of_character, unicode_of},
    step::Keysym,
};

/// What stands for any other key.
const OTHER: &str = "*";

/// Symbols that mean the same to whoever acts on a chord, each with the one that stands for it (`keysymdef.h`).
const TWINS: [(u32, u32); 35] = [
    (0xffe2, 0xffe1), // Shift_R
    (0xffe4, 0xffe3), // Control_R
    (0xffe7, 0xffe9), // Meta_L
    (0xffe8, 0xffe9), // Meta_R
    (0xffea, 0xffe9), // Alt_R
    (0xffec, 0xffeb), // Super_R
    (0xffed, 0xffeb), // Hyper_L
    (0xffee, 0xffeb), // Hyper_R
    (0xfe20, 0xff09), // ISO_Left_Tab, which is shift+Tab
    (0xff15, 0xff61), // Sys_Req, which is alt+Print
    (0xff6b, 0xff13), // Break, which is ctrl+Pause
    (0xfe34, 0xff0d), // ISO_Enter
    (0xff80, 0x20),   // KP_Space
    (0xff89, 0xff09), // KP_Tab
    (0xff8d, 0xff0d), // KP_Enter
    (0xff91, 0xffbe), // KP_F1
    (0xff92, 0xffbf),
    (0xff93, 0xffc0),
    (0xff94, 0xffc1),
    (0xff95, 0xff50), // KP_Home
    (0xff96, 0xff51), // KP_Left
    (0xff97, 0xff52), // KP_Up
    (0xff98, 0xff53), // KP_Right
    (0xff99, 0xff54), // KP_Down
    (0xff9a, 0xff55), // KP_Page_Up
    (0xff9b, 0xff56), // KP_Page_Down
    (0xff9c, 0xff57), // KP_End
    (0xff9d, 0xff58), // KP_Begin
    (0xff9e, 0xff63), // KP_Insert
    (0xff9f, 0xffff), // KP_Delete
    (0xffac, 0x2c),   // KP_Separator
    (0xffae, 0x2e),   // KP_Decimal
    (0xff7e, 0xfe03), // Mode_switch
    (0xfe11, 0xfe03), // ISO_Level5_Shift
    (0xff0a, 0xff0d), // Linefeed
];

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChordPattern {
    text: String,
    /// Each folded, each once.
    keys: Vec<Keysym>,
    others: Others,
}

/// Whether a pattern needs one more key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    NotNeeded,
    One,
}

impl ChordPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.contains(char::is_whitespace) {
            return Err(format!(
                "`{}` is not one chord; write for example `ctrl+alt+t` or `super+*`",
                text.escape_debug()
            ));
        }
        let (mut keys, mut others) = (Vec::new(), Others::NotNeeded);
        for name in split(trimmed).map_err(|error| error.to_string())? {
            if name == OTHER {
                others = Others::One;
                continue;
            }
            let keysym = keysym_named(name).map_err(|unknown| {
                let nearest = unknown.nearest.join("`, `");
                format!("`{trimmed}` has no key named `{}`; the nearest names are `{nearest}`", unknown.name)
            })?;
            let folded = fold(keysym);
            if !keys.contains(&folded) {
                keys.push(folded);
            }
        }
        Ok(Self { text: trimmed.to_owned(), keys, others })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether these keys together are what must not be pressed. Each key comes with all that it can mean, folded.
    pub fn fits(&self, down: &[Vec<Keysym>]) -> bool {
        let without = |left_out: Option<usize>| {
            self.keys.iter().all(|wanted| {
                let is_there =
                    |(index, meanings): (usize, &Vec<Keysym>)| Some(index) != left_out && meanings.contains(wanted);
                down.iter().enumerate().any(is_there)
            })
        };
        match self.others {
            Others::NotNeeded => !self.keys.is_empty() && without(None),
            Others::One => (0..down.len()).any(|other| without(Some(other))),
        }
    }
}

/// The symbol that stands for all that mean the same in a chord.
pub fn fold(keysym: Keysym) -> Keysym {
    if let Some((_, same)) = TWINS.iter().find(|(twin, _)| *twin == keysym.0) {
        return Keysym(*same);
    }
    let Some(character) = unicode_of(keysym) else { return keysym };
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => keysym_of_character(single).unwrap_or(keysym),
        _ => keysym_of_character(character).unwrap_or(keysym),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::subsequence};

    use super::*;
    use crate::plan::{chord::parse_chord, key_names::known_names, keysyms::name_of};

    fn denies(pattern: &str, chord: &str) -> bool {
        let pattern = ChordPattern::parse(pattern).unwrap_or_else(|error| panic!("{error}"));
        let chord = parse_chord(chord).unwrap_or_else(|error| panic!("{error}"));
        pattern.fits(&chord.0.into_iter().map(|keysym| vec![fold(keysym)]).collect::<Vec<_>>())
    }

    #[test]
    fn a_chord_is_one_whatever_its_order_and_the_names_of_its_keys() {
        let one = [
            "ctrl+alt+t",
            "Control_L+Alt_L+t",
            "alt+ctrl+t",
            "T+ctrl+alt",
            "ctrlright+option+KeyT",
            "ctrl+Meta_R+0x54",
        ];
        for pattern in one {
            for chord in one {
                assert!(denies(pattern, chord), "{pattern} {chord}");
            }
            assert!(denies(pattern, "ctrl+alt+x+t"), "with more keys");
            for other in ["ctrl+alt", "ctrl+t", "t", "ctrl+alt+x", "ctrl+shift+t"] {
                assert!(!denies(pattern, other), "{pattern} {other}");
            }
        }
        for (pattern, chord) in [
            ("ctrl+alt+Delete", "ctrl+alt+KP_Delete"),
            ("alt+Tab", "alt+ISO_Left_Tab"),
            ("ctrl+plus", "ctrl++"),
            ("ctrl+U+20AC", "ctrl+EuroSign"),
            ("super", "cmd+l"),
            ("ctrl+1", "ctrl+numpad1"),
        ] {
            assert!(denies(pattern, chord), "{pattern} {chord}");
        }
    }

    #[test]
    fn a_star_is_any_other_key_and_not_one_of_those_named() {
        assert!(denies("ctrl+alt+*", "ctrl+alt+t") && denies("ctrl+alt+*", "F1+alt+ctrl"));
        assert!(!denies("ctrl+alt+*", "ctrl+alt") && !denies("ctrl+alt+*", "ctrl+t"));
        assert!(denies("*", "a"));
        assert!(denies("ctrl+asterisk", "ctrl+*") && !denies("ctrl+asterisk", "ctrl+8"));
    }

    #[test]
    fn what_is_no_chord_is_refused_with_the_nearest_names() {
        for wrong in ["", " ", "ctrl+", "ctrl t", "ctrl+Retrun"] {
            assert!(ChordPattern::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(ChordPattern::parse("ctrl+Retrun").expect_err("unknown").contains("`Return`"));
    }

    proptest! {
        /// However a chord's keys are named and ordered, and whatever else is pressed with them, the pattern fits.
        #[test]
        fn no_other_spelling_of_a_denied_chord_passes(
            picked in subsequence(known_names().map(|(name, _)| name).collect::<Vec<_>>(), 1..4),
            more in subsequence(vec!["F13", "F14", "F15", "F16"], 0..3),
            order in any::<prop::sample::Index>(),
            reverse: bool,
            numbers: bool,
        ) {
            let Ok(pattern) = ChordPattern::parse(&picked.join("+")) else { return Ok(()) };
            let keysyms: Vec<_> = picked.iter().map(|name| keysym_named(name).expect("known")).collect();
            let spelled = keysyms.iter().map(|keysym| if numbers { format!("0x{:x}", keysym.0) } else { name_of(*keysym) });
            let mut names: Vec<String> = spelled.chain(more.iter().map(|&name| name.to_owned())).collect();
            let middle = order.index(names.len());
            names.rotate_left(middle);
            if reverse {
                names.reverse();
            }
            // Names of ours hide some X names, and orders to the server are no chords at all.
            let Ok(chord) = parse_chord(&names.join("+")) else { return Ok(()) };
            let meant: Vec<_> = chord.0.iter().map(|keysym| fold(*keysym)).collect();
            prop_assume!(keysyms.iter().all(|keysym| meant.contains(&fold(*keysym))));
            let down: Vec<_> = meant.into_iter().map(|keysym| vec![keysym]).collect();
            prop_assert!(pattern.fits(&down), "{} in {}", pattern.text(), names.join("+"));
        }
    }
}
