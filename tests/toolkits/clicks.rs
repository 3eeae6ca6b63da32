//! Double and triple clicks are what every toolkit takes them for, first try, whatever was clicked before.

use serde_json::json;

use crate::{
    probe::{Place, Probe, Toolkit},
    subject::{Subject, at},
    support::Browser,
};

/// How often each is repeated.
const ROUNDS: usize = 20;

fn are_recognised(subject: &mut impl Subject, toolkit: Option<Toolkit>, rounds: usize) {
    let (pad, elsewhere) = (subject.place("pad"), subject.elsewhere());
    let mut wrong = Vec::new();
    for round in 0..rounds {
        for method in ["double_click", "triple_click"] {
            subject.act("left_click", at(elsewhere));
            let counts = subject.counts(method, pad);
            if counts != expected(method, toolkit) {
                wrong.push((round, method, counts));
            }
        }
    }
    assert!(wrong.is_empty(), "{toolkit:?}: {} of {}: {wrong:?}", wrong.len(), 2 * rounds);
}

/// What the toolkit calls the presses of an action.
fn expected(method: &str, toolkit: Option<Toolkit>) -> Vec<u64> {
    match method {
        "left_click" => vec![1],
        "double_click" => vec![1, 2],
        // Qt's windows know no third click; its text fields find it out by themselves.
        _ if toolkit == Some(Toolkit::Qt) => vec![1, 2, 1],
        _ => vec![1, 2, 3],
    }
}

/// Of two actions in the same place, one right after the other, the second is not added to the first. Two single clicks may be
/// a double click, as those of a person are.
fn begin_anew_in_the_same_place(subject: &mut impl Subject, toolkit: Option<Toolkit>) {
    const ACTIONS: [&str; 3] = ["left_click", "double_click", "triple_click"];
    let (pad, elsewhere) = (subject.place("pad"), subject.elsewhere());
    let mut wrong = Vec::new();
    for (before, method) in ACTIONS.iter().flat_map(|before| ACTIONS.map(|method| (*before, method))) {
        if (before, method) == ("left_click", "left_click") {
            continue;
        }
        subject.act("left_click", at(elsewhere));
        subject.begin();
        subject.act(before, at(pad));
        subject.act(method, at(pad));
        let counts: Vec<u64> =
            subject.presses().iter().filter(|press| press.at == pad).map(|press| press.count).collect();
        if counts != [expected(before, toolkit), expected(method, toolkit)].concat() {
            wrong.push((before, method, counts));
        }
    }
    assert!(wrong.is_empty(), "{toolkit:?}: {wrong:?}");
}

#[test]
fn gtk_counts_clicks_every_time() {
    are_recognised(&mut Probe::open(Toolkit::Gtk, Place::Owned), Some(Toolkit::Gtk), ROUNDS);
}

#[test]
fn qt_counts_clicks_every_time() {
    are_recognised(&mut Probe::open(Toolkit::Qt, Place::Owned), Some(Toolkit::Qt), ROUNDS);
}

#[test]
fn tk_counts_clicks_every_time() {
    are_recognised(&mut Probe::open(Toolkit::Tk, Place::Owned), Some(Toolkit::Tk), ROUNDS);
}

#[test]
fn chromium_counts_clicks_every_time() {
    are_recognised(&mut Browser::open("form.html"), None, ROUNDS);
}

#[test]
fn clicks_are_counted_without_a_window_manager_too() {
    for toolkit in Toolkit::ALL {
        are_recognised(&mut Probe::open(toolkit, Place::Bare), Some(toolkit), 5);
    }
}

#[test]
fn gtk_does_not_add_a_double_click_to_the_clicks_before_it() {
    begin_anew_in_the_same_place(&mut Probe::open(Toolkit::Gtk, Place::Owned), Some(Toolkit::Gtk));
}

#[test]
fn qt_does_not_add_a_double_click_to_the_clicks_before_it() {
    begin_anew_in_the_same_place(&mut Probe::open(Toolkit::Qt, Place::Owned), Some(Toolkit::Qt));
}

#[test]
fn tk_does_not_add_a_double_click_to_the_clicks_before_it() {
    begin_anew_in_the_same_place(&mut Probe::open(Toolkit::Tk, Place::Owned), Some(Toolkit::Tk));
}

#[test]
fn chromium_does_not_add_a_double_click_to_the_clicks_before_it() {
    begin_anew_in_the_same_place(&mut Browser::open("form.html"), None);
}

#[test]
fn a_double_click_selects_a_word_and_a_triple_click_a_line() {
    crate::subject::with_each(|toolkit, probe| {
        for (method, selected) in [("double_click", "beta"), ("triple_click", "alpha beta gamma")] {
            // A click in the text first, as by everybody who wants the focus there.
            probe.must("left_click", at(probe.caret(8)));
            probe.after(method, at(probe.caret(8)));
            let selection = probe.state["selection"].as_str().unwrap();
            assert_eq!(selection.trim(), selected, "{toolkit:?}, {method}");
            probe.after("key", json!({"text": "ctrl+Home"}));
        }
    });
}
