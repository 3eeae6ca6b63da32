//! A text's keys are never repeated by the server, however slow the application is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;

use crate::{
    probe::{Place, Probe, Toolkit},
    subject::at,
    support::{Browser, process::Watched},
};

/// How long the application stands still, and how long it then runs.
const STOPPED: Duration = Duration::from_millis(150);
const RUNNING: Duration = Duration::from_millis(60);
const LENGTH: usize = 500;

/// Stops a process again and again while something is done.
fn while_stopping(pid: u32, act: impl FnOnce()) {
    let over = Arc::new(AtomicBool::new(false));
    let stopper = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            let process = Watched::open(pid).expect("the application runs");
            let mut stops = 0;
            while !over.load(Ordering::Relaxed) || stops < 5 {
                process.signal(Signal::STOP);
                thread::sleep(STOPPED);
                process.signal(Signal::CONT);
                thread::sleep(RUNNING);
                stops += 1;
            }
        })
    };
    act();
    over.store(true, Ordering::Relaxed);
    stopper.join().unwrap();
}

#[test]
fn a_text_of_one_letter_is_as_long_as_it_was_in_an_application_that_stands_still_now_and_then() {
    for (toolkit, place) in Toolkit::ALL.into_iter().zip([Place::Owned, Place::Attached, Place::Owned]) {
        let mut probe = Probe::open(toolkit, place);
        probe.clear();
        let pid = probe.process.pid();
        while_stopping(pid, || {
            probe.must("type", json!({"text": "a".repeat(LENGTH)}));
        });
        probe.settle();
        assert_eq!(probe.state["text"], "a".repeat(LENGTH), "{toolkit:?}");
    }
}

#[test]
fn chromium_gets_a_text_of_one_letter_as_long_as_it_was_while_it_stands_still_now_and_then() {
    let mut browser = Browser::open("form.html");
    browser.must("left_click", at(browser.middle("notes")));
    browser.settle();
    let pid = browser.pid();
    while_stopping(pid, || {
        browser.must("type", json!({"text": "a".repeat(LENGTH)}));
    });
    assert_eq!(browser.settle().state["form"]["notes"], "a".repeat(LENGTH));
}
