//! A client takes the focus for a window of its own, again and again, while texts are typed.

use std::time::{Duration, Instant};

use serde_json::json;
use x11rb::protocol::xproto::{ConnectionExt as _, InputFocus};

use crate::{
    arena::{Arena, PLAIN, Rules},
    attack::{sync, under},
    memory::Before,
    support::{Recorder, RecorderOptions, recorder::typed},
};

const RULES: Rules = Rules { kinds: &["focus_lost"], text: PLAIN };
/// How long the focus stays at one place: some texts fit in between, and some do not.
const STAY: Duration = Duration::from_millis(3);

/// Without `expect_window` a text belongs to whatever has the focus when it begins; so each must be in one of the two windows,
/// whole where it is done, and with as many characters as are told where it is not.
pub fn stolen(time: Duration) {
    let mut arena = Arena::owned();
    let thief = Recorder::open_with(
        &arena.server.display,
        &RecorderOptions { rectangle: (700, 500, 40, 40), ..RecorderOptions::default() },
    );
    arena.windows.focus(arena.recorder.window);
    arena.warm_up(RULES);
    arena.recorder.everything();
    arena.recorder.take_events();
    let before = Before::measure(&arena.server);
    let display = arena.server.display.clone();
    let windows = [arena.recorder.window, thief.window];
    let deadline = Instant::now() + time;
    let (mut done, mut lost) = (0, 0);
    under(
        |going| {
            let connection = display.connect();
            going.begin();
            for window in windows.into_iter().cycle() {
                if !going.on() {
                    break;
                }
                connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap();
                sync(&connection);
                going.pause(STAY);
            }
        },
        || {
            for number in 0.. {
                if Instant::now() >= deadline {
                    break;
                }
                let text = format!("<{number} {}>", PLAIN.repeat(6));
                let begun = Instant::now();
                let answer = arena.controller.call("type", json!({ "text": text }));
                assert!(begun.elapsed() < crate::arena::ANSWER_TIME, "{answer:?}");
                let received: Vec<String> = [&arena.recorder, &thief]
                    .map(|window| {
                        window.everything();
                        typed(&window.take_events())
                    })
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .collect();
                if let Err(error) = answer {
                    assert_eq!(error["data"]["kind"], "focus_lost", "{error}");
                    let typed = usize::try_from(error["data"]["typed"].as_u64().unwrap()).unwrap();
                    let wanted: String = text.chars().take(typed).collect();
                    // What was on its way went to whoever had the focus by then; the count is about the first window.
                    let arrived = wanted.is_empty() || received.iter().any(|text| text.starts_with(&wanted));
                    assert!(arrived, "wrong count: {error}, but received {received:?}");
                    lost += 1;
                } else {
                    assert!(received == [text.clone()], "wrong done: {text:?}, but received {received:?}");
                    done += 1;
                }
            }
        },
    );
    eprintln!("texts under stolen focus: {done} done, {lost} focus_lost");
    drop(thief);
    arena.windows.focus(arena.recorder.window);
    arena.forget_answers();
    arena.finish("focus stolen", &before);
}
