//! The promises of plans, proved on a simulated keyboard.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    chord::parse_chord,
    gesture::{Chord, Gesture},
    keymap::{KeyDescription, Keymap, KeymapDescription, ModifierMask, Stroke},
    keysyms::unicode_of,
    simulator::{CONTROL_KEY, LEVEL_3_KEY, SHIFT_KEY, Simulator, keyboard, one_layout},
    step::{ButtonNumber, Direction, Expectation, Group, Keycode, Keysym, Presses, Step},
    steps::{KeyboardState, PlanError, steps},
    tables::wide_characters::WIDE_CHARACTERS,
    wide::widen,
};
use crate::protocol::{
    error::{ErrorKind, Failure},
    secret::SecretText,
    units::{Milliseconds, NativePoint},
};

const CENTRE: NativePoint = NativePoint { x: 512, y: 384 };
const FIRST: Group = Group(0);
const SECOND: Group = Group(1);
const NUM_LOCK: ModifierMask = ModifierMask(0x10);

fn state(locked: ModifierMask, group: Group) -> KeyboardState {
    KeyboardState { locked, group }
}

fn plan(gesture: &Gesture) -> Vec<Step> {
    steps(gesture, &Keymap::new(keyboard(40)), CENTRE, KeyboardState::default()).unwrap()
}

fn chord(text: &str) -> Chord {
    parse_chord(text).unwrap()
}

/// Types the texts one after the other, as separate calls, and gives what the application received.
fn typed(texts: &[&str], spare: u8, state: KeyboardState) -> Result<String, PlanError> {
    let mut simulator = Simulator::new(keyboard(spare), state.locked, state.group);
    for text in texts {
        let keymap = Keymap::new(simulator.keymap.clone());
        simulator.marks.clear();
        simulator.run(&steps(&Gesture::Type((*text).to_owned()), &keymap, CENTRE, state)?);
        assert!(simulator.pressed.is_empty(), "nothing stays pressed");
        assert_eq!((simulator.group, simulator.locked), (state.group, state.locked.0), "group and locks are as before");
        assert!(simulator.marks.is_sorted());
        assert_eq!(simulator.marks.last().copied(), Some(u32::try_from(text.chars().count()).unwrap()));
    }
    Ok(simulator.text())
}

/// Line breaks of every kind arrive as Return.
fn arriving(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn any_state() -> impl Strategy<Value = KeyboardState> {
    let locks = prop_oneof![
        Just(ModifierMask::NONE),
        Just(ModifierMask::LOCK),
        Just(NUM_LOCK),
        Just(NUM_LOCK.or(ModifierMask::LOCK)),
        Just(ModifierMask::SHIFT)
    ];
    (locks, prop_oneof![Just(FIRST), Just(SECOND)]).prop_map(|(locked, group)| state(locked, group))
}

/// Without Shift locked, which some characters of the layout cannot be typed under.
fn usual_state() -> impl Strategy<Value = KeyboardState> {
    any_state().prop_filter("shift is locked", |state| state.locked != ModifierMask::SHIFT)
}

fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range(' ', '~'),
        1 => prop::sample::select(vec!['\n', '\r', '\t', '€', '£', 'é', 'É']),
        2 => prop::char::range('а', 'я'),
        2 => prop::char::range('А', 'Я'),
        1 => prop::char::range('\u{a0}', '\u{17f}'),
        1 => any::<char>().prop_filter("no control characters", |character| !character.is_control()),
        1 => prop::char::range('一', '丿'),
    ];
    prop::collection::vec(character, 0..120).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn any_text_arrives_exactly_whatever_is_locked(text in any_text(), state in usual_state(), spare in 1..6u8) {
        prop_assert_eq!(typed(&[&text], spare, state), Ok(arriving(&text)));
    }

    #[test]
    fn texts_of_several_calls_arrive_exactly_though_pages_are_reused(
        texts in prop::collection::vec(any_text(), 2..4),
        state in usual_state(),
        spare in 1..6u8,
    ) {
        let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected: String = texts.iter().map(|text| arriving(text)).collect();
        prop_assert_eq!(typed(&parts, spare, state), Ok(expected));
    }

    #[test]
    fn what_shift_lock_allows_arrives_exactly(text in any_text()) {
        let state = state(ModifierMask::SHIFT, FIRST);
        if let Ok(received) = typed(&[&text], 3, state) {
            prop_assert_eq!(received, arriving(&text));
        }
    }

    #[test]
    fn every_gesture_is_balanced_and_stays_on_the_screen(
        at in (0..1024u16, 0..768u16),
        path in prop::collection::vec((0..1024u16, 0..768u16), 1..20),
        held in prop::option::of(prop::sample::select(vec!["shift", "ctrl+alt", "ctrl+plus", "é", "漢+A", "shift+shift"])),
        keys in prop::sample::select(vec!["a", "A", "ctrl+a", "ctrl+shift+t", "?", "漢 ctrl+ж", "F1", "Й"]),
        count in 1..=3u8,
        state in any_state(),
    ) {
        let at = Some(NativePoint { x: at.0, y: at.1 });
        let path: Vec<_> = path.into_iter().map(|(x, y)| NativePoint { x, y }).collect();
        let held = held.map(chord);
        let button = ButtonNumber(1);
        let chords = keys.split(' ').map(chord).collect::<Vec<_>>();
        for gesture in [
            Gesture::Click { at, button, count, held: held.clone() },
            Gesture::Drag { start: at, path, button, held: held.clone() },
            Gesture::Scroll { at, wheel: ButtonNumber(4), notches: count, held },
            Gesture::HoldKeys { chord: chords[0].clone(), duration: Duration::from_millis(5) },
            Gesture::Keys { chords, repeat: count },
        ] {
            let plan = steps(&gesture, &Keymap::new(keyboard(4)), CENTRE, state).unwrap();
            let mut simulator = Simulator::new(keyboard(4), state.locked, state.group);
            simulator.run(&plan);
            prop_assert!(simulator.pressed.is_empty() && simulator.buttons.is_empty());
            prop_assert_eq!(simulator.group, state.group);
            prop_assert!(plan.iter().all(|step| !matches!(step, Step::Move(to) if to.x >= 1024 || to.y >= 768)));
        }
    }

    #[test]
    fn pressing_and_releasing_a_chord_are_opposites(keys in prop::sample::select(vec!["a", "A", "ctrl+plus", "shift+1", "?"])) {
        let mut simulator = Simulator::new(keyboard(4), ModifierMask::NONE, FIRST);
        simulator.run(&plan(&Gesture::PressKeys(chord(keys))));
        prop_assert!(!simulator.pressed.is_empty());
        simulator.run(&plan(&Gesture::ReleaseKeys(chord(keys))));
        prop_assert!(simulator.pressed.is_empty());
    }
}

#[test]
fn every_character_of_the_layout_is_typed_without_a_page() {
    let text = "The quick brown fox, 5€ £ é É; {[(<>)]} ~ \\ | 0123456789\n\t";
    for group in [FIRST, SECOND] {
        let plan =
            steps(&Gesture::Type(text.to_owned()), &Keymap::new(keyboard(0)), CENTRE, state(ModifierMask::NONE, group));
        assert!(!plan.unwrap().iter().any(|step| matches!(step, Step::Remap(_))));
        assert_eq!(typed(&[text], 0, state(ModifierMask::NONE, group)), Ok(text.to_owned()));
    }
}

#[test]
fn a_modifier_stays_down_across_characters_that_need_it() {
    let steps = plan(&Gesture::Type("aBCd".to_owned()));
    let of_shift: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Key(key, _) if *key == SHIFT_KEY)).collect();
    assert_eq!(of_shift, [&Step::Key(SHIFT_KEY, Direction::Press), &Step::Key(SHIFT_KEY, Direction::Release)]);
}

#[test]
fn line_breaks_of_every_kind_are_one_return() {
    assert_eq!(typed(&["a\r\nb\nc\rd\n\ne\r\r\n"], 0, KeyboardState::default()), Ok("a\nb\nc\nd\n\ne\n\n".to_owned()));
}

/// The pages of a plan: how many keys each sets; and how often the plan waits for the application.
fn pages_of(text: &str, keymap: &KeymapDescription) -> (Vec<usize>, usize) {
    let gesture = Gesture::Type(text.to_owned());
    let steps = steps(&gesture, &Keymap::new(keymap.clone()), CENTRE, KeyboardState::default()).unwrap();
    let pages = steps.iter().filter_map(|step| if let Step::Remap(page) = step { Some(page.keys.len()) } else { None });
    (pages.collect(), steps.iter().filter(|step| **step == Step::Acknowledge).count())
}

#[test]
fn a_page_comes_once_for_as_many_characters_as_the_spare_keys_hold() {
    let text: String = ('一'..).take(4 * 32).collect();
    assert_eq!(pages_of(&text, &keyboard(4)).0, [3, 1], "one spare key becomes the way to the upper levels");
    let text: String = ('一'..).take(3 * 32).collect();
    assert_eq!(pages_of(&text, &keyboard(4)), (vec![3], 0));
    assert_eq!(
        pages_of(&format!("{text}{text}龍龜"), &keyboard(4)),
        (vec![3, 1], 1),
        "reuse waits for the application"
    );
}

#[test]
fn the_order_is_kept_where_a_long_character_follows_a_short_one_and_before_its_modifiers() {
    let mut map = one_layout(keyboard(20));
    let wide = widen(&map).unwrap();
    map.apply(&wide.page);
    let steps = |text: &str| {
        let gesture = Gesture::Type(text.to_owned());
        steps(&gesture, &Keymap::new(map.clone()), CENTRE, KeyboardState::default()).unwrap()
    };
    let count = |text: &str| steps(text).iter().filter(|step| **step == Step::KeepOrder).count();
    assert_eq!(["😀", "abc", "a世b", "😀😁x", "a😀", "a😀😁 😀\n😀"].map(count), [0, 0, 0, 0, 1, 3]);
    let steps = steps("a😀");
    let at = steps.iter().position(|step| *step == Step::KeepOrder).unwrap();
    let down = steps[..at].iter().fold(0, |down, step| match step {
        Step::Key(_, Direction::Press) => down + 1,
        Step::Key(_, Direction::Release) => down - 1,
        _ => down,
    });
    assert_eq!(down, 0);
    assert!(matches!(steps[at - 1], Step::Typed(1) | Step::LockGroup(_)), "{:?}", steps[at - 1]);
}

#[test]
fn what_is_added_in_free_places_waits_for_nobody() {
    let mut simulator = Simulator::new(keyboard(4), ModifierMask::NONE, FIRST);
    for text in ["漢", "字漢", "龍龜", "語"] {
        let (_, waits) = pages_of(text, &simulator.keymap);
        assert_eq!(waits, 0, "{text}");
        let keymap = Keymap::new(simulator.keymap.clone());
        simulator.run(&steps(&Gesture::Type(text.to_owned()), &keymap, CENTRE, KeyboardState::default()).unwrap());
    }
    assert_eq!(simulator.text(), "漢字漢龍龜語");
}

#[test]
fn what_an_earlier_page_holds_is_typed_without_another() {
    let mut simulator = Simulator::new(keyboard(40), ModifierMask::NONE, FIRST);
    simulator.run(&plan(&Gesture::Type("漢字".to_owned())));
    let again = steps(
        &Gesture::Type("字漢字".to_owned()),
        &Keymap::new(simulator.keymap.clone()),
        CENTRE,
        KeyboardState::default(),
    );
    assert!(!again.unwrap().iter().any(|step| matches!(step, Step::Remap(_))));
}

#[test]
fn characters_that_have_no_place_are_named_before_anything_is_sent() {
    assert_eq!(typed(&["ab漢"], 0, KeyboardState::default()), Err(PlanError::Unmappable { index: 2, character: '漢' }));
    let control = PlanError::Unmappable { index: 3, character: '\u{1b}' };
    assert_eq!(typed(&["a\r\n\u{1b}"], 9, KeyboardState::default()), Err(control.clone()));
    let failure = Failure::from(control);
    assert_eq!(failure.kind, ErrorKind::UnmappableCharacter);
    assert_eq!(failure.detail.unwrap().typed, Some(0));
}

#[test]
fn keycodes_that_programs_act_on_carry_no_pages() {
    let text: String = ('一'..).take(40).collect();
    let gesture = Gesture::Type(text);
    let steps = steps(&gesture, &Keymap::new(keyboard(3)), CENTRE, KeyboardState::default()).unwrap();
    let pages = steps.iter().filter_map(|step| if let Step::Remap(page) = step { Some(page) } else { None });
    let used: BTreeSet<_> = pages.flat_map(|page| &page.keys).map(|key| key.keycode.0).collect();
    assert_eq!(used, BTreeSet::from([209, 210]), "208 leads to the upper levels");
}

#[test]
fn a_key_that_means_a_command_to_programs_carries_no_characters() {
    const UNDO: Keycode = Keycode(139);
    const REDO: Keycode = Keycode(137);
    let mut map = one_layout(keyboard(3));
    for (keycode, keysym) in [(UNDO, 0xff65), (REDO, 0xff66)] {
        let symbols = vec![Keysym(keysym)];
        map.keys.push(KeyDescription { keycode, group_info: 1, types: [0; 4], width: 1, symbols });
    }
    map.keys.sort_by_key(|key| key.keycode);
    let wide: Vec<_> = widen(&map).unwrap().page.keys.iter().map(|key| key.keycode).collect();
    assert_eq!((wide.contains(&UNDO), wide.contains(&REDO)), (false, true));
    let many: String = ('一'..).take(120).collect();
    let steps = steps(&Gesture::Type(many), &Keymap::new(map), CENTRE, KeyboardState::default()).unwrap();
    let pages = steps.iter().filter_map(|step| if let Step::Remap(page) = step { Some(page) } else { None });
    let used: BTreeSet<_> = pages.flat_map(|page| &page.keys).map(|key| key.keycode).collect();
    assert_eq!((used.contains(&UNDO), used.contains(&REDO)), (false, true));
}

#[test]
fn a_wide_keymap_keeps_every_key_and_types_its_characters_without_a_page() {
    let plain = one_layout(keyboard(20));
    let wide = widen(&plain).unwrap();
    let mut map = plain.clone();
    map.apply(&wide.page);
    map.paged = wide.paged;
    assert_eq!(widen(&map), None, "it is wide already");
    let (before, after) = (Keymap::new(plain.clone()), Keymap::new(map.clone()));
    for key in &plain.keys {
        for &keysym in key.symbols.iter().filter(|keysym| !keysym.is_none()) {
            for locked in [ModifierMask::NONE, ModifierMask::LOCK, NUM_LOCK] {
                let way = |keymap: &Keymap| keymap.keycode_of(keysym, FIRST, locked);
                assert_eq!(way(&after), way(&before), "{keysym:?} with {locked:?} locked");
            }
        }
    }
    let text: String = format!("Hello, 12: {}", WIDE_CHARACTERS.chars().take(1200).step_by(3).collect::<String>());
    let lacking: Vec<char> = text.chars().filter(|c| !pages_of(&c.to_string(), &map).0.is_empty()).collect();
    assert_eq!(lacking, Vec::<char>::new());
    assert_eq!(pages_of(&text, &map), (vec![], 0));
    for locked in [ModifierMask::NONE, ModifierMask::LOCK] {
        let mut simulator = Simulator::new(map.clone(), locked, FIRST);
        let state = state(locked, FIRST);
        let gesture = Gesture::Type(text.clone());
        simulator.run(&steps(&gesture, &Keymap::new(map.clone()), CENTRE, state).unwrap());
        assert_eq!(simulator.text(), text);
        assert_eq!((simulator.group, simulator.locked), (FIRST, locked.0));
    }
}

#[test]
fn the_cheapest_way_to_a_symbol_is_taken() {
    let keymap = Keymap::new(keyboard(0));
    let stroke = |character, group, locked| keymap.strokes_for(character, group, locked).unwrap();
    let way = |modifiers: &[Keycode], group, keycode| Stroke {
        modifiers: modifiers.to_vec(),
        group,
        keycode: Keycode(keycode),
    };
    let none = ModifierMask::NONE;
    assert_eq!(stroke('a', FIRST, none), way(&[], FIRST, 38));
    assert_eq!(stroke('A', FIRST, none), way(&[SHIFT_KEY], FIRST, 38));
    assert_eq!(stroke('a', FIRST, ModifierMask::LOCK), way(&[SHIFT_KEY], FIRST, 38), "caps lock is undone by shift");
    assert_eq!(stroke('A', FIRST, ModifierMask::LOCK), way(&[], FIRST, 38));
    assert_eq!(stroke('*', FIRST, none), way(&[SHIFT_KEY], FIRST, 17), "the main keyboard, not the keypad");
    assert_eq!(stroke('1', FIRST, NUM_LOCK), way(&[], FIRST, 10));
    assert_eq!(stroke('€', FIRST, none), way(&[LEVEL_3_KEY], FIRST, 14), "a legacy keysym");
    assert_eq!(stroke('£', FIRST, none), way(&[SHIFT_KEY, LEVEL_3_KEY], FIRST, 14));
    assert_eq!(keymap.strokes_for('é', FIRST, ModifierMask::LOCK), None, "the client would make it a capital");
    assert_eq!(stroke('a', SECOND, none), way(&[], SECOND, 38), "a key with one group has it in every group");
    assert_eq!(stroke('q', SECOND, none), way(&[], FIRST, 24));
    let russian = unicode_of(Keysym(0x6ca)).unwrap();
    assert_eq!(stroke(russian, FIRST, none), way(&[], SECOND, 24));
    let keypad = |keysym, locked| keymap.keycode_of(Keysym(keysym), FIRST, locked);
    let (keypad_one, keypad_end) = (0xffb1, 0xff9c);
    assert_eq!(keypad(keypad_one, NUM_LOCK), Some(way(&[], FIRST, 87)));
    assert_eq!(keypad(keypad_one, none), None, "only num lock reaches it, and it is never the 1 above the letters");
    assert_eq!(keypad(keypad_end, none), Some(way(&[], FIRST, 87)));
    assert_eq!(keypad(keypad_end, NUM_LOCK), Some(way(&[SHIFT_KEY], FIRST, 87)), "shift undoes num lock");
}

fn keys_of(gesture: &Gesture, state: KeyboardState) -> Vec<u8> {
    let plan = steps(gesture, &Keymap::new(keyboard(4)), CENTRE, state).unwrap();
    let pressed = |step: &Step| if let Step::Key(key, Direction::Press) = step { Some(key.0) } else { None };
    plan.iter().filter_map(pressed).collect()
}

#[test]
fn chords_press_what_they_name_and_the_shift_that_a_symbol_needs() {
    let keys =
        |text: &str, locked| keys_of(&Gesture::Keys { chords: vec![chord(text)], repeat: 1 }, state(locked, FIRST));
    let none = ModifierMask::NONE;
    assert_eq!(keys("ctrl+a", none), [CONTROL_KEY.0, 38]);
    assert_eq!(keys("ctrl+a", ModifierMask::LOCK), [CONTROL_KEY.0, 38], "caps lock adds no shift to a shortcut");
    assert_eq!(keys("ctrl+A", none), [CONTROL_KEY.0, 38]);
    assert_eq!(keys("A", none), [SHIFT_KEY.0, 38]);
    assert_eq!(keys("ctrl+plus", none), [CONTROL_KEY.0, SHIFT_KEY.0, 21]);
    assert_eq!(keys("ctrl+shift+plus", none), [CONTROL_KEY.0, SHIFT_KEY.0, 21]);
    assert_eq!(keys("Shift_R+?", none), [62, 61]);
    assert_eq!(keys("super", none), [133]);
    assert_eq!(keys("Meta_L", none), [SHIFT_KEY.0, 64]);
    assert_eq!(keys("a+a", none), [38]);
    assert_eq!(keys_of(&Gesture::Keys { chords: vec![chord("ctrl+c")], repeat: 2 }, state(none, SECOND)).len(), 4);
}

#[test]
fn keypad_keys_are_pressed_as_themselves_with_num_lock_as_they_need_it() {
    let gesture = Gesture::Keys { chords: ["KP_1", "a", "KP_End", "ctrl+KP_1"].map(chord).to_vec(), repeat: 2 };
    for locked in [ModifierMask::NONE, NUM_LOCK] {
        let steps = steps(&gesture, &Keymap::new(keyboard(4)), CENTRE, state(locked, FIRST)).unwrap();
        assert!(!steps.iter().any(|step| matches!(step, Step::Remap(_))), "no other key is one of the keypad");
        let mut simulator = Simulator::new(keyboard(4), locked, FIRST);
        simulator.run(&steps);
        let received: Vec<_> = simulator.received.iter().map(|(keysym, _)| keysym.0).collect();
        assert_eq!(received, [0xffb1, 0x61, 0xff9c, 0xffb1].repeat(2));
        assert_eq!(simulator.locked, locked.0, "num lock is as before");
    }
}

#[test]
fn a_key_that_the_layout_lacks_is_put_on_a_spare_keycode_once() {
    let gesture = Gesture::Keys { chords: ["漢", "ctrl+字", "漢"].map(chord).to_vec(), repeat: 3 };
    let plan = plan(&gesture);
    assert_eq!(plan.iter().filter(|step| matches!(step, Step::Remap(_))).count(), 1);
    let mut simulator = Simulator::new(keyboard(40), ModifierMask::NONE, FIRST);
    simulator.run(&plan);
    let received: String = simulator.received.iter().filter_map(|&(keysym, _)| unicode_of(keysym)).collect();
    assert_eq!(received, "漢字漢".repeat(3));
    let nowhere = steps(&gesture, &Keymap::new(keyboard(0)), CENTRE, KeyboardState::default());
    assert_eq!(nowhere, Err(PlanError::NoKey(Keysym(0x0100_6f22))));
}

#[test]
fn a_double_click_is_checked_for_its_place_and_spaced_for_browsers() {
    let button = ButtonNumber(1);
    let held = Some(chord("shift"));
    let (down, up) = (Step::Button(button, Direction::Press), Step::Button(button, Direction::Release));
    assert_eq!(
        plan(&Gesture::Click { at: Some(CENTRE), button, count: 2, held }),
        [
            Step::Move(CENTRE),
            Step::Expect(Expectation::Pointer(CENTRE)),
            Step::Anew(button, Presses::Apart),
            Step::Key(SHIFT_KEY, Direction::Press),
            Step::Delay(Milliseconds(2)),
            down.clone(),
            up.clone(),
            Step::Delay(Milliseconds(10)),
            down,
            up,
            Step::Delay(Milliseconds(2)),
            Step::Key(SHIFT_KEY, Direction::Release),
        ]
    );
}

#[test]
fn a_reply_that_makes_no_sense_costs_keys_and_not_the_program() {
    let mut broken = keyboard(3);
    for (index, key) in broken.keys.iter_mut().enumerate() {
        match index % 5 {
            0 => key.types = [200; 4],
            1 => key.group_info = 0xff,
            2 => key.width = 255,
            3 => key.symbols.truncate(1),
            _ => key.group_info = 0x8f,
        }
    }
    broken.paged = vec![Keycode(1), Keycode(208), Keycode(208)];
    let keymap = Keymap::new(broken);
    for group in [FIRST, SECOND, Group(255)] {
        for character in "aA1*€漢".chars() {
            let stroke = keymap.strokes_for(character, group, ModifierMask(0xff));
            assert!(stroke.is_none_or(|stroke| stroke.keycode.0 >= 8));
        }
        let gesture = Gesture::Keys { chords: vec![chord("ctrl+漢")], repeat: 1 };
        let planned = steps(&gesture, &keymap, CENTRE, state(ModifierMask::NONE, group));
        assert!(planned.is_err() || planned.is_ok_and(|steps| !steps.is_empty()));
    }
}

#[test]
fn a_secret_has_all_its_keys_before_the_first_goes_down() {
    let plan = |text: &str, spare: u8| {
        let secret = SecretText::new(text).unwrap();
        steps(&Gesture::Secret(secret.into()), &Keymap::new(keyboard(spare)), CENTRE, KeyboardState::default())
    };
    for text in ["Tr0ub4dor", "aß\n漢字", "漢"] {
        let steps = plan(text, 9).unwrap();
        let at = |is_it: fn(&Step) -> bool| steps.iter().position(is_it);
        let seal = at(|step| *step == Step::Seal).expect("a seal");
        assert!(at(|step| matches!(step, Step::Expect(Expectation::Focus))).is_some_and(|focus| focus < seal));
        assert!(at(|step| matches!(step, Step::Key(..))).is_some_and(|key| key > seal));
        assert!(
            !steps[seal + 1..].iter().any(|step| matches!(step, Step::Remap(_) | Step::Acknowledge | Step::KeepOrder))
        );
        let mut simulator = Simulator::new(keyboard(9), ModifierMask::NONE, FIRST);
        simulator.run(&steps);
        assert_eq!(simulator.text(), text);
    }
    // What does not fit at once is not begun, and nothing of it is told.
    let many: String = ('一'..).take(200).collect();
    for (text, spare) in [(many.as_str(), 4), ("ab漢", 0)] {
        let error = plan(text, spare).unwrap_err();
        assert_eq!(error, PlanError::Secret);
        assert!(!error.to_string().contains('漢') && !error.to_string().contains("U+"), "{error}");
    }
}
