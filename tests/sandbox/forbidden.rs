//! What an intruder finds who runs code in the server, on the thread that talks to the display.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    faulty,
    support::{Controller, Deskhand},
};

/// The places behind which the faulty server tries what is forbidden: everything, and what leaves the server alive where it
/// is let through.
const INTRUDER: [i32; 2] = [2, 2];
const GENTLE_INTRUDER: [i32; 2] = [3, 3];
/// What a filter refuses, what Landlock refuses, and what looks as if this kernel did not have it.
const FILTERED: &str = "Operation not permitted (os error 1)";
const OUT_OF_REACH: &str = "Permission denied (os error 13)";
const NOT_THERE: &str = "Function not implemented (os error 38)";
const DONE: &str = "done";

/// What came of everything that was tried.
fn tried(sandbox: &str, place: [i32; 2]) -> BTreeMap<String, String> {
    let server = Deskhand::owned_by(faulty(), "320x240", &[sandbox]);
    let mut controller = Controller::connect(&server);
    controller.must("mouse_move", json!({ "coordinate": place }));
    let line = server.line();
    assert_eq!(line["event"], "tried", "{line}");
    // The product goes on.
    controller.must("left_click", json!({"coordinate": [20, 20]}));
    controller.must("screenshot", json!({}));
    let outcome = |(name, outcome): (&String, &Value)| (name.clone(), outcome.as_str().unwrap().to_owned());
    line["outcomes"].as_object().unwrap().iter().map(outcome).collect()
}

/// What only Landlock refuses: to read.
fn is_reading(name: &str) -> bool {
    ["read", "list"].iter().any(|verb| name.starts_with(verb))
}

#[test]
fn an_intruder_starts_nothing_reads_nobody_and_writes_nowhere() {
    let outcomes = tried("--sandbox=require", INTRUDER);
    assert!(outcomes.len() > 30, "{outcomes:?}");
    for (name, outcome) in &outcomes {
        match name.as_str() {
            "clone3" => assert_eq!(outcome, NOT_THERE, "libc takes the older way then"),
            // The name of a file that is not there; where it is, Landlock is asked.
            "remove a file" => assert_ne!(outcome, DONE),
            _ if is_reading(name) => {
                if deskhand::sandbox::landlock_is_offered() {
                    let refused = [OUT_OF_REACH, FILTERED].contains(&outcome.as_str());
                    assert!(refused, "{name}: {outcome}");
                }
            }
            _ => assert_eq!(outcome, FILTERED, "{name}"),
        }
    }
}

#[test]
fn without_a_sandbox_the_same_intruder_gets_what_it_wants() {
    let outcomes = tried("--sandbox=off", GENTLE_INTRUDER);
    for name in ["start a process", "list a directory", "write a file", "remove a file", "listen on TCP"] {
        assert_eq!(outcomes[name], DONE, "{name}: what is tried proves nothing where it cannot be done");
    }
}
