//! Clicks, drags, wheels and chords as an application receives them.

use deskhand::{
    plan::{
        gesture::{Chord, Gesture},
        notches::Notches,
        step::{ButtonNumber, Keysym},
    },
    protocol::{action::Button, answer::Held},
};

use super::{
    LEFT, Scene, click, clicks, point, pressed,
    support::{Recorded, recorder::buttons},
};

const SHIFT_L: Keysym = Keysym(0xffe1);
const CONTROL_L: Keysym = Keysym(0xffe3);
const A: Keysym = Keysym(0x61);

#[test]
fn a_click_lands_where_it_was_asked_for_and_leaves_nothing_held() {
    let scene = Scene::new();
    let performed = scene.perform(click(point(123, 45), 1)).unwrap();
    assert_eq!(performed.pointer, point(123, 45));
    assert_eq!(performed.held, Held::default());
    assert_eq!(buttons(&scene.recorder.everything()), [(true, 1, 123, 45), (false, 1, 123, 45)]);
}

#[test]
fn the_clicks_of_a_double_click_are_far_enough_apart_for_chromium() {
    let scene = Scene::new();
    scene.perform(click(point(10, 10), 2)).unwrap();
    let presses: Vec<u32> = scene
        .recorder
        .everything()
        .iter()
        .filter_map(|seen| if let Recorded::Button { down: true, time, .. } = seen { Some(*time) } else { None })
        .collect();
    // The server itself waited, so its own times prove it.
    assert_eq!(presses.len(), 2);
    assert!(presses[1] - presses[0] >= 10, "{presses:?}");
}

#[test]
fn a_scroll_by_both_axes_turns_the_wheel_vertically_first_and_by_nothing_only_moves() {
    let scene = Scene::new();
    let by = |right, down| Gesture::ScrollBy { at: Some(point(5, 6)), notches: Notches { right, down }, held: None };
    scene.perform(by(-1, 2)).unwrap();
    let presses: Vec<u8> =
        clicks(&scene.recorder).into_iter().filter(|(_, down)| *down).map(|(button, _)| button).collect();
    assert_eq!(presses, [5, 5, 6]);
    scene.recorder.take_events();
    assert_eq!(scene.perform(by(0, 0)).unwrap().pointer, point(5, 6));
    assert_eq!(clicks(&scene.recorder), []);
}

#[test]
fn a_drag_moves_in_between_with_its_button_down() {
    let scene = Scene::new();
    let path = vec![point(200, 100), point(200, 300)];
    let drag = Gesture::Drag { start: Some(point(20, 100)), path, button: LEFT, held: None };
    let performed = scene.perform(drag).unwrap();
    assert_eq!(performed.pointer, point(200, 300));
    let seen = scene.recorder.everything();
    let dragged: Vec<_> = seen
        .iter()
        .filter_map(|seen| match seen {
            // Bits 8 to 12 of the state are the buttons (X protocol, "SETofKEYBUTMASK").
            Recorded::Motion { x, y, state, .. } if state & 0x1f00 != 0 => Some((*x, *y)),
            _ => None,
        })
        .collect();
    assert!(dragged.len() > 10 && dragged.contains(&(200, 100)) && dragged.contains(&(200, 300)), "{dragged:?}");
    assert_eq!(clicks(&scene.recorder), [(1, true), (1, false)]);
}

#[test]
fn a_wheel_turns_notch_by_notch() {
    let scene = Scene::new();
    let scroll = Gesture::Scroll { at: Some(point(5, 5)), wheel: ButtonNumber(5), notches: 3, held: None };
    scene.perform(scroll).unwrap();
    assert_eq!(clicks(&scene.recorder), [(5, true), (5, false)].repeat(3));
}

#[test]
fn what_is_pressed_deliberately_stays_until_it_is_released() {
    let scene = Scene::new();
    scene.perform(Gesture::PressKeys(Chord(vec![SHIFT_L]))).unwrap();
    let held = scene.perform(Gesture::PressButton(LEFT)).unwrap().held;
    assert_eq!((held.keys, held.buttons), (vec!["Shift_L".to_owned()], vec![Button::Left]));
    assert_eq!(pressed(&scene.xvfb).1, 0x101, "Shift and the first button");
    scene.perform(click(point(7, 7), 1)).unwrap();
    let held = scene.perform(Gesture::ReleaseKeys(Chord(vec![SHIFT_L]))).unwrap().held;
    assert_eq!(held, Held::default(), "the click let its button go, too");
    scene.perform(Gesture::PressKeys(Chord(vec![SHIFT_L, CONTROL_L]))).unwrap();
    let left = scene.desktop.input().release_all().blocking_recv().unwrap();
    assert_eq!(left, Held::default());
    assert_eq!(scene.desktop.input().held(), Held::default());
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
}

#[test]
fn a_chord_is_pressed_in_order_and_released_in_the_opposite_order() {
    let scene = Scene::new();
    scene.perform(Gesture::Keys { chords: vec![Chord(vec![CONTROL_L, A])], repeat: 2 }).unwrap();
    let keys: Vec<_> = scene
        .recorder
        .everything()
        .into_iter()
        .filter_map(|seen| if let Recorded::Key { down, keycode, .. } = seen { Some((keycode, down)) } else { None })
        .collect();
    assert_eq!(keys, [(37, true), (38, true), (38, false), (37, false)].repeat(2));
}
