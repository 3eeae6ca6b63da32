//! A keyboard, an X server and an application for tests: carries out steps and says what the application would have received.
//!
//! The application is the slowest that can be: it looks a key up only when an acknowledgement is waited for, or at the end,
//! so that a keycode which gets a new meaning too early becomes a wrong character.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    keymap::{KeyDescription, KeyType, KeymapDescription, ModifierMask, TypeEntry},
    keysyms::unicode_of,
    step::{ButtonNumber, Direction, Expectation, Group, Keycode, Keysym, Step},
};
use crate::protocol::units::NativePoint;

const SHIFT: u8 = 1;
const LOCK: u8 = 2;
const CONTROL: u8 = 4;
const MOD1: u8 = 8;
const NUM_LOCK: u8 = 0x10;
const LEVEL_3: u8 = 0x80;

pub(super) const SHIFT_KEY: Keycode = Keycode(50);
pub(super) const CONTROL_KEY: Keycode = Keycode(37);
pub(super) const LEVEL_3_KEY: Keycode = Keycode(92);
pub(super) const CAPS_KEY: Keycode = Keycode(66);

fn key_type(modifiers: u8, entries: &[(u8, u8, u8)]) -> KeyType {
    let entry = |&(modifiers, level, preserved): &(u8, u8, u8)| TypeEntry {
        modifiers: ModifierMask(modifiers),
        preserved: ModifierMask(preserved),
        level,
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    let levels = entries.iter().map(|entry| entry.level + 1).max().unwrap_or(1);
    KeyType { modifiers: ModifierMask(modifiers), entries, levels }
}

/// The types of xkeyboard-config that the keys below use; the first four stand where the protocol wants them.
fn types() -> Vec<KeyType> {
    let both = SHIFT | LEVEL_3;
    vec![
        key_type(0, &[]),
        key_type(SHIFT, &[(SHIFT, 1, 0)]),
        key_type(SHIFT | LOCK, &[(SHIFT, 1, 0), (LOCK, 1, 0)]),
        key_type(SHIFT | NUM_LOCK, &[(NUM_LOCK, 1, 0)]),
        key_type(both, &[(SHIFT, 1, 0), (LEVEL_3, 2, 0), (both, 3, 0)]),
        // FOUR_LEVEL_SEMIALPHABETIC: Lock is consumed on the first two levels and left to the client on the others.
        key_type(
            both | LOCK,
            &[
                (SHIFT, 1, 0),
                (LOCK, 1, 0),
                (LEVEL_3, 2, 0),
                (both, 3, 0),
                (LOCK | LEVEL_3, 2, LOCK),
                (LOCK | both, 3, LOCK),
            ],
        ),
    ]
}

/// A US keyboard with `AltGr` on three keys, a Russian second group on nine, a keypad, and so many keycodes without symbols.
pub(super) fn keyboard(spare: u8) -> KeymapDescription {
    let mut keys: BTreeMap<u8, KeyDescription> = BTreeMap::new();
    let mut add = |keycode: u8, groups: &[(u8, &[u32])]| {
        let width = groups.iter().map(|(_, symbols)| symbols.len()).max().unwrap_or(0);
        let mut types = [0; 4];
        let mut symbols = Vec::new();
        for (slot, (index, levels)) in types.iter_mut().zip(groups) {
            *slot = *index;
            symbols.extend(levels.iter().copied().chain(std::iter::repeat(0)).take(width).map(Keysym));
        }
        let (group_info, width) = (u8::try_from(groups.len()).unwrap(), u8::try_from(width).unwrap());
        keys.insert(keycode, KeyDescription { keycode: Keycode(keycode), group_info, types, width, symbols });
    };
    let russian: HashMap<char, [u32; 2]> =
        "qwertyuio".chars().zip((0x6ca..).map(|lower| [lower, lower + 0x20])).collect();
    for (first, row) in [(24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm")] {
        for (keycode, letter) in (first..).zip(row.chars()) {
            let latin = [u32::from(letter), u32::from(letter.to_ascii_uppercase())];
            match (letter, russian.get(&letter)) {
                ('e', Some(other)) => add(keycode, &[(5, &[latin[0], latin[1], 0xe9, 0xc9]), (2, other)]),
                (_, Some(other)) => add(keycode, &[(2, &latin), (2, other)]),
                _ => add(keycode, &[(2, &latin)]),
            }
        }
    }
    for (keycode, [plain, shifted]) in
        (10..).zip([*b"1!", *b"2@", *b"3#", *b"4$", *b"5%", *b"6^", *b"7&", *b"8*", *b"9("])
    {
        match plain {
            b'5' => add(keycode, &[(4, &[0x35, 0x25, 0x20ac, 0xa3])]),
            _ => add(keycode, &[(1, &[plain.into(), shifted.into()])]),
        }
    }
    for (keycode, [plain, shifted]) in [
        (19, *b"0)"),
        (20, *b"-_"),
        (21, *b"=+"),
        (34, *b"[{"),
        (35, *b"]}"),
        (47, *b";:"),
        (48, *b"'\""),
        (49, *b"`~"),
        (51, *b"\\|"),
        (59, *b",<"),
        (60, *b".>"),
        (61, *b"/?"),
    ] {
        add(keycode, &[(1, &[plain.into(), shifted.into()])]);
    }
    for (keycode, keysym) in [
        (9, 0xff1b),
        (22, 0xff08),
        (23, 0xff09),
        (36, 0xff0d),
        (37, 0xffe3),
        (50, 0xffe1),
        (62, 0xffe2),
        (65, 0x20),
        (66, 0xffe5),
        (77, 0xff7f),
        (92, 0xfe03),
        (119, 0xffff),
        (133, 0xffeb),
        (67, 0xffbe),
        (63, 0xffaa),
    ] {
        add(keycode, &[(0, &[keysym])]);
    }
    add(64, &[(1, &[0xffe9, 0xffe7])]);
    add(87, &[(3, &[0xff9c, 0xffb1])]);
    // Empty, and not to be used: programs act on these keycodes, and one is a modifier.
    for keycode in [8, 135, 143, 225, 207] {
        add(keycode, &[]);
    }
    for keycode in (208..=u8::MAX).filter(|&keycode| keycode != 225).take(spare.into()) {
        add(keycode, &[]);
    }
    let modifiers =
        [(50, SHIFT), (62, SHIFT), (66, LOCK), (37, CONTROL), (64, MOD1), (77, NUM_LOCK), (92, LEVEL_3), (207, 0x40)];
    KeymapDescription {
        types: types(),
        keys: keys.into_values().collect(),
        modifiers: modifiers.iter().map(|&(keycode, mask)| (Keycode(keycode), ModifierMask(mask))).collect(),
        paged: Vec::new(),
    }
}

/// The same keyboard without its second group.
pub(super) fn one_layout(mut keymap: KeymapDescription) -> KeymapDescription {
    for key in keymap.keys.iter_mut().filter(|key| key.group_info > 1) {
        key.group_info = 1;
        key.symbols.truncate(key.width.into());
    }
    keymap
}

/// A key event as the application gets it.
struct Event {
    keycode: Keycode,
    modifiers: u8,
    group: u8,
}

pub(super) struct Simulator {
    pub(super) keymap: KeymapDescription,
    pub(super) pressed: Vec<Keycode>,
    pub(super) buttons: BTreeSet<u8>,
    pub(super) pointer: NativePoint,
    pub(super) locked: u8,
    pub(super) group: Group,
    /// The keysyms that the application has looked up.
    pub(super) received: Vec<(Keysym, u8)>,
    pub(super) marks: Vec<u32>,
    pub(super) clicks: Vec<u8>,
    waiting: Vec<Event>,
}

impl Simulator {
    pub(super) fn new(keymap: KeymapDescription, locked: ModifierMask, group: Group) -> Self {
        Self {
            keymap,
            pressed: Vec::new(),
            buttons: BTreeSet::new(),
            pointer: NativePoint::default(),
            locked: locked.0,
            group,
            received: Vec::new(),
            marks: Vec::new(),
            clicks: Vec::new(),
            waiting: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Move(to) => self.pointer = *to,
                Step::Key(keycode, Direction::Press) => self.press(*keycode),
                Step::Key(keycode, Direction::Release) => {
                    let index = self.pressed.iter().position(|key| key == keycode);
                    self.pressed.remove(index.unwrap_or_else(|| panic!("{keycode:?} is released but was not pressed")));
                }
                Step::Button(ButtonNumber(button), Direction::Press) => {
                    assert!(self.buttons.insert(*button), "button {button} is pressed twice");
                    self.clicks.push(*button);
                }
                Step::Button(ButtonNumber(button), Direction::Release) => {
                    assert!(self.buttons.remove(button), "button {button} is released but was not pressed");
                }
                Step::LockGroup(group) => self.group = *group,
                Step::LockModifiers(modifiers) => self.locked = modifiers.0,
                Step::Remap(page) => {
                    self.keymap.apply(page);
                    for key in &page.keys {
                        assert!(
                            self.keymap.keys.iter().any(|known| known.keycode == key.keycode),
                            "{key:?} does not exist"
                        );
                        self.keymap.paged.retain(|&paged| paged != key.keycode);
                        self.keymap.paged.push(key.keycode);
                    }
                }
                Step::Acknowledge => self.look_up(),
                Step::Expect(Expectation::Pointer(at)) => assert_eq!(self.pointer, *at),
                Step::Expect(Expectation::Focus) | Step::Delay(_) | Step::Anew(..) | Step::KeepOrder | Step::Seal => {}
                Step::Typed(count) => self.marks.push(*count),
            }
        }
        self.look_up();
    }

    fn modifiers_of(&self, keycode: Keycode) -> u8 {
        self.keymap.modifiers.iter().filter(|(key, _)| *key == keycode).fold(0, |mask, (_, more)| mask | more.0)
    }

    fn press(&mut self, keycode: Keycode) {
        assert!(!self.pressed.contains(&keycode), "{keycode:?} is pressed twice");
        self.pressed.push(keycode);
        let mask = self.modifiers_of(keycode);
        if keycode == CAPS_KEY {
            self.locked ^= LOCK;
        } else if mask == 0 {
            let held =
                self.pressed.iter().filter(|&&key| key != CAPS_KEY).fold(0, |mask, &key| mask | self.modifiers_of(key));
            self.waiting.push(Event { keycode, modifiers: self.locked | held, group: self.group.0 });
        }
    }

    /// As Xlib does it: level by the key type, then capitals where Lock has not been consumed.
    fn look_up(&mut self) {
        for event in self.waiting.drain(..) {
            let key = self.keymap.keys.iter().find(|key| key.keycode == event.keycode).unwrap();
            let group = event.group % key.group_info;
            let kind = &self.keymap.types[usize::from(key.types[usize::from(group)])];
            let entry = kind.entries.iter().find(|entry| entry.modifiers.0 == event.modifiers & kind.modifiers.0);
            let level = entry.map_or(0, |entry| entry.level);
            let mut keysym = key.symbols[usize::from(group * key.width + level)];
            let consumed = kind.modifiers.0 & !entry.map_or(0, |entry| entry.preserved.0);
            if event.modifiers & !consumed & LOCK != 0 {
                let upper = unicode_of(keysym).map(|plain| plain.to_uppercase().collect::<Vec<_>>());
                if let Some(&[upper]) = upper.as_deref() {
                    keysym = super::keysyms::keysym_of_character(upper).unwrap_or(keysym);
                }
            }
            self.received.push((keysym, event.modifiers));
        }
    }

    /// The characters that the application made of the keys, and that no key came with a modifier that makes it a shortcut.
    pub(super) fn text(&self) -> String {
        assert!(self.received.iter().all(|(_, modifiers)| modifiers & (CONTROL | MOD1) == 0));
        let character = |keysym: Keysym| match keysym.0 {
            0xff0d => '\n',
            0xff09 => '\t',
            _ => unicode_of(keysym).unwrap_or_else(|| panic!("{keysym:?} is no character")),
        };
        self.received.iter().map(|&(keysym, _)| character(keysym)).collect()
    }
}
