//! The five classes of acknowledgement.

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::Instant,
};

use deskhand::{
    desktop::{Desktop, acknowledge::Acknowledging, failure::InputCause, faults::Faults, interpreter::StepHook},
    plan::step::Step,
    protocol::error::Executed,
};

use super::{
    CHARACTERS, Scene,
    applications::Application,
    assert_that_all_arrives, assert_that_text_is_lost_without, ideographs,
    support::{Display, Process, Xvfb, texts::difference},
    type_while_it_stalls,
};

fn silent(display: &Display) -> Application {
    Application::silent(display, &[])
}

#[test]
fn class_1_a_gtk_program_that_answers_pings_receives_everything() {
    assert_that_all_arrives(Application::gtk);
}

#[test]
fn class_1_without_the_ping_a_gtk_program_loses_text() {
    assert_that_text_is_lost_without(Application::gtk);
}

#[test]
fn class_2_a_terminal_that_refuses_a_selection_receives_everything() {
    assert_that_all_arrives(Application::st);
}

#[test]
fn class_2_without_the_refusal_a_terminal_loses_text() {
    assert_that_text_is_lost_without(Application::st);
}

#[test]
fn class_3_an_xt_program_that_knows_editres_receives_everything() {
    assert_that_all_arrives(Application::xterm);
}

#[test]
fn class_3_without_editres_an_xt_program_loses_text() {
    assert_that_text_is_lost_without(Application::xterm);
}

#[test]
fn class_4_a_program_that_answers_nothing_but_can_be_watched_receives_everything() {
    assert_that_all_arrives(silent);
}

/// Text in which long and short characters take turns, as in a row of emoji with spaces between.
fn in_turns() -> String {
    ('\u{1f400}'..'\u{1f43f}').flat_map(|animal| [animal, ' ', 'x']).collect()
}

/// Types it into a program that does as `LibreOffice` Writer, which is stopped at random.
fn type_in_turns(acknowledging: Acknowledging) -> String {
    let xvfb = Xvfb::start("640x480");
    let application = Application::silent(&xvfb.display, &["gathering"]);
    let scene = Scene::new(xvfb, acknowledging);
    let (outcome, received) = type_while_it_stalls(&scene, &application, &in_turns());
    assert_eq!(outcome.err(), None);
    received
}

#[test]
fn a_program_that_gathers_plain_characters_receives_emoji_in_their_place() {
    assert_eq!(type_in_turns(Acknowledging::Awaited), in_turns());
}

#[test]
fn without_being_asked_a_program_that_gathers_plain_characters_puts_emoji_before_them() {
    assert_ne!(type_in_turns(Acknowledging::LeftOut), in_turns());
}

#[test]
fn a_program_that_keeps_its_keymap_by_another_connection_receives_everything() {
    assert_that_all_arrives(Application::two_connections);
}

#[test]
fn without_waiting_a_program_that_keeps_its_keymap_by_another_connection_loses_text() {
    assert_that_text_is_lost_without(Application::two_connections);
}

/// Its socket is empty and it waits in `select`, in the middle of its keys: where it waits is what counts.
#[test]
fn class_4_a_program_that_pauses_with_keys_in_its_queue_receives_everything() {
    let xvfb = Xvfb::start("640x480");
    let application = Application::silent(&xvfb.display, &["slow"]);
    let scene = Scene::new(xvfb, Acknowledging::Awaited);
    scene.focus(&application);
    let text = ideographs(CHARACTERS / 2);
    scene.type_text(&text).unwrap();
    let received = scene.received(&application);
    assert!(received == text, "{}", difference(&text, &received));
}

/// A window with the id of one that has gone is another window: nothing that was learned about that one counts.
#[test]
fn class_4_a_program_with_the_ids_of_one_that_has_gone_is_learned_anew() {
    let xvfb = Xvfb::start("640x480");
    let display = xvfb.display.clone();
    let scene = Scene::new(xvfb, Acknowledging::Awaited);
    let text = ideographs(CHARACTERS / 2);
    let windows = [(); 3].map(|()| {
        let application = silent(&display);
        scene.focus(&application);
        scene.type_text(&text).unwrap();
        let received = scene.received(&application);
        assert!(received == text, "{}", difference(&text, &received));
        application.window
    });
    assert!(windows.iter().all(|window| *window == windows[0]), "the server gives the same ids again: {windows:x?}");
}

/// The figures beside the constants of the library. Without a load of our own, and with one busy process for each of two
/// cores.
#[test]
#[ignore = "soak: figures"]
fn class_4_costs_this_much_a_page() {
    for busy in [0, 2] {
        let xvfb = Xvfb::start("640x480");
        let application = silent(&xvfb.display);
        let _load: Vec<_> =
            (0..busy).map(|_| Process::start(Command::new("sh").args(["-c", "while :; do :; done"]))).collect();
        let times = Arc::new(Mutex::new(Vec::new()));
        let (noted, mut begun) = (Arc::clone(&times), None);
        let before_step: StepHook = Box::new(move |step| {
            noted.lock().unwrap().extend(begun.take().map(|begun: Instant| begun.elapsed()));
            if matches!(step, Step::Acknowledge) {
                begun = Some(Instant::now());
            }
        });
        let faults = Faults { before_step: Some(before_step), ..Faults::default() };
        let scene = Scene { desktop: Desktop::open_with_faults(&xvfb.target(), faults).unwrap(), xvfb };
        scene.focus(&application);
        let text = ideographs(CHARACTERS);
        scene.type_text(&text).unwrap();
        assert!(scene.received(&application) == text);
        let mut times = times.lock().unwrap().clone();
        times.sort();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        eprintln!("{busy} busy: {} pages, median {median:.2?}, longest {longest:.2?}", times.len());
    }
}

#[test]
fn class_4_without_the_evidence_of_its_process_that_program_loses_text() {
    assert_that_text_is_lost_without(silent);
}

#[test]
fn class_5_a_program_that_can_be_neither_asked_nor_watched_receives_exactly_as_much_as_the_answer_says() {
    let xvfb = Xvfb::start("640x480");
    let application = Application::silent_elsewhere(&xvfb.display);
    let scene = Scene::new(xvfb, Acknowledging::Awaited);
    let text = ideographs(CHARACTERS);
    let (outcome, received) = type_while_it_stalls(&scene, &application, &text);
    let error = outcome.unwrap_err();
    assert_eq!((&error.cause, error.executed), (&InputCause::NoSpareKeys, Executed::Partial));
    let typed = usize::try_from(error.typed.unwrap()).unwrap();
    assert!(typed > 20, "one page at least: {typed}");
    let first: String = text.chars().take(typed).collect();
    assert!(received == first, "{}", difference(&first, &received));
}

#[test]
fn class_5_a_keycode_that_is_used_twice_in_that_program_loses_text() {
    assert_that_text_is_lost_without(Application::silent_elsewhere);
}
