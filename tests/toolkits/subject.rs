//! What the tests of the pointer want of any application, a probe or a browser.

use serde_json::{Value, json};

use crate::{
    probe::{Place, Probe, Toolkit},
    support::{Browser, PageEvent},
};

/// A button that went down: its X number, which click of a row of clicks the toolkit takes it for, and the modifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Press {
    pub(crate) at: [i64; 2],
    pub(crate) button: u64,
    pub(crate) count: u64,
    pub(crate) held: Vec<String>,
}

/// An application with a `pad` to click on and other places.
pub(crate) trait Subject {
    /// Sends one action.
    fn act(&mut self, method: &str, params: Value);
    /// Forgets the events so far.
    fn begin(&mut self);
    /// The buttons that went down since `begin`, once everything sent has arrived.
    fn presses(&mut self) -> Vec<Press>;
    /// The middle of an area.
    fn place(&self, area: &str) -> [i64; 2];
    /// Somewhere where a click does nothing.
    fn elsewhere(&self) -> [i64; 2];

    /// The counts of the presses that an action causes at a place, where there was none before in this round.
    fn counts(&mut self, method: &str, place: [i64; 2]) -> Vec<u64> {
        self.begin();
        self.act(method, at(place));
        // What was clicked elsewhere just before may be reported only now.
        self.presses().iter().filter(|press| press.at == place).map(|press| press.count).collect()
    }
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

impl Subject for Probe {
    fn act(&mut self, method: &str, params: Value) {
        self.must(method, params);
    }

    fn begin(&mut self) {
        self.forget();
    }

    fn presses(&mut self) -> Vec<Press> {
        let events = self.settle();
        let press = |event: &Value| Press {
            at: [0, 1].map(|axis| event["at"][axis].as_i64().unwrap()),
            button: event["button"].as_u64().unwrap(),
            count: event["count"].as_u64().unwrap(),
            held: names(&event["held"]),
        };
        events.iter().filter(|event| event["kind"] == "press").map(press).collect()
    }

    fn place(&self, area: &str) -> [i64; 2] {
        self.middle(area)
    }

    fn elsewhere(&self) -> [i64; 2] {
        let [x, y, ..] = self.area("source");
        [x + 5, y + 5]
    }
}

impl Subject for Browser {
    fn act(&mut self, method: &str, params: Value) {
        self.must(method, params);
    }

    fn begin(&mut self) {
        self.page.forget_events();
    }

    fn presses(&mut self) -> Vec<Press> {
        const BUTTONS: [u64; 5] = [1, 2, 3, 8, 9];
        let report = self.settle();
        let press = |event: &PageEvent| Press {
            at: ["x", "y"].map(|axis| event.0[axis].as_i64().unwrap()),
            button: BUTTONS[usize::try_from(event.0["button"].as_u64().unwrap()).unwrap()],
            count: event.0["detail"].as_u64().unwrap(),
            held: names(&event.0["modifiers"]),
        };
        report.events.iter().filter(|event| event.kind() == "mousedown").map(press).collect()
    }

    fn place(&self, area: &str) -> [i64; 2] {
        self.middle(area)
    }

    fn elsewhere(&self) -> [i64; 2] {
        let [x, y, ..] = self.page.report().rectangle("form");
        [x - 20, y - 40]
    }
}

/// Does the same with each toolkit's probe on a managed display of ours.
pub(crate) fn with_each(test: impl Fn(Toolkit, &mut Probe)) {
    for toolkit in Toolkit::ALL {
        test(toolkit, &mut Probe::open(toolkit, Place::Owned));
    }
}

/// The parameters of an action at a place.
pub(crate) fn at(place: [i64; 2]) -> Value {
    json!({ "coordinate": place })
}
