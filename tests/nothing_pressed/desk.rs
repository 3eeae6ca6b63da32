//! A display, an executor on it, a controller, and a window that sees what happens.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    deeds::{Deed, Ending, Turn},
    model::{self, Model},
    support::{Controller, Deskhand, PATIENCE, Recorder, Windows, Xvfb},
};

/// How long an action's events are waited for before it is ended all the same: an action that does nothing has none.
const EVENTS_TIME: Duration = Duration::from_millis(100);

/// Who started the display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayOf {
    Ours,
    SomebodyElse,
}

/// What runs on one display; a display that died is followed by another one.
pub struct Desk {
    // Dropped in this order: what uses the display goes first.
    controller: Option<Controller>,
    recorder: Option<Recorder>,
    windows: Option<Windows>,
    server: Option<Deskhand>,
    xvfb: Option<Xvfb>,
    /// Killed displays; the next one uses the first one's cookie file.
    dead: Vec<Xvfb>,
    model: Model,
}

const SIZE: &str = "640x480";

impl Desk {
    pub fn new(display: DisplayOf) -> Self {
        let xvfb = (display == DisplayOf::SomebodyElse).then(|| Xvfb::start(SIZE));
        let mut desk = Self {
            controller: None,
            recorder: None,
            windows: None,
            server: None,
            xvfb,
            dead: Vec::new(),
            model: Model::default(),
        };
        desk.start();
        desk
    }

    fn server(&self) -> &Deskhand {
        self.server.as_ref().expect("it runs")
    }

    fn controller(&mut self) -> &mut Controller {
        self.controller.as_mut().expect("it is connected")
    }

    fn recorder(&self) -> &Recorder {
        self.recorder.as_ref().expect("it is open")
    }

    fn windows(&self) -> &Windows {
        self.windows.as_ref().expect("they are watched")
    }

    /// Starts the executor, and with it the display where there is none.
    fn start(&mut self) {
        self.server = Some(match &self.xvfb {
            Some(xvfb) => Deskhand::attached(&xvfb.display),
            None => Deskhand::owned(SIZE),
        });
        self.model = Model::default();
        if self.windows.is_none() {
            self.open_windows();
        } else {
            let pressed = self.pressed();
            assert!(pressed.is_nothing(), "ready, and still down: {pressed:?}");
        }
        self.connect();
    }

    fn open_windows(&mut self) {
        let display = &self.server().display;
        let (recorder, windows) = (Recorder::open(display), Windows::new(display));
        windows.focus(recorder.window);
        (self.recorder, self.windows) = (Some(recorder), Some(windows));
    }

    fn close_windows(&mut self) {
        (self.recorder, self.windows) = (None, None);
    }

    fn connect(&mut self) {
        let mut controller = Controller::connect(self.server());
        // Coordinates need a picture of this display first.
        controller.must("screenshot", json!({}));
        self.controller = Some(controller);
    }

    fn pressed(&self) -> Pressed {
        let windows = self.windows();
        Pressed { keys: windows.pressed_keys(), buttons: windows.pointer().1 }
    }

    /// The X server, `held` and the model agree.
    fn compare(&mut self, after: &str) -> Result<(), String> {
        let held = self.controller().must("status", json!({}))["held"].clone();
        let pressed = self.pressed();
        let told = model::names(&held);
        let model = self.model.settle(&told);
        // Keycodes have no names of their own; as many as the answer names must be down.
        let agree =
            told == model && pressed.keys.len() == told.0.len() && pressed.buttons == Vec::from_iter(told.1.clone());
        if agree {
            Ok(())
        } else {
            Err(format!("after {after}: told {told:?}, modelled {model:?}, pressed {pressed:?}"))
        }
    }

    fn wait_until_nothing_is_pressed(&self, after: &str) -> Result<(), String> {
        let begun = Instant::now();
        // Each look is a round trip to the X server.
        loop {
            let pressed = self.pressed();
            if pressed.is_nothing() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("still down {PATIENCE:?} after {after}: {pressed:?}"));
            }
        }
    }

    fn note(&mut self, deed: &Deed, answer: &Result<Value, Value>) {
        match answer {
            Ok(_) => self.model.done(deed),
            Err(error) => self.model.failed(error),
        }
    }

    pub fn take_turn(&mut self, turn: &Turn) -> Result<(), String> {
        for deed in &turn.before {
            let (method, params) = deed.request();
            let answer = self.controller().call(method, params);
            self.note(deed, &answer);
            self.compare(&format!("{deed:?} and {answer:?}"))?;
        }
        self.recorder().take_events();
        let (method, mut params) = turn.last.request();
        if matches!(turn.ending, Ending::Deadline) {
            params["_meta"] = json!({"deadline_ms": 1 + turn.events});
        }
        let id = self.controller().send(method, params);
        if !matches!(turn.ending, Ending::Answer | Ending::Deadline) {
            self.recorder().wait_within(EVENTS_TIME, |events| (events.len() >= turn.events).then_some(()));
        }
        self.end(turn, id)
    }

    fn end(&mut self, turn: &Turn, id: u64) -> Result<(), String> {
        let what = format!("{turn:?}");
        match turn.ending {
            Ending::Answer | Ending::Deadline => {
                let answer = self.controller().answer(id);
                self.note(&turn.last, &answer);
                self.compare(&format!("{what} and {answer:?}"))
            }
            Ending::Cancel => {
                self.controller().must("cancel", json!({"id": id}));
                let answer = self.controller().answer(id);
                self.note(&turn.last, &answer);
                self.compare(&format!("{what} and {answer:?}"))
            }
            Ending::Abandon => {
                self.controller.take().expect("it is connected").abandon();
                self.connect();
                self.take_over();
                self.model = Model::default();
                self.compare(&what)
            }
            Ending::Stop | Ending::Kill => {
                self.restart(turn.ending);
                self.compare(&what)
            }
            Ending::Freeze => {
                self.freeze(id);
                self.wait_until_nothing_is_pressed(&what)?;
                self.model = Model::default();
                // An action behind whose answer the input thread knows that its releases have happened.
                self.controller().must("mouse_move", json!({"coordinate": [5, 5]}));
                self.compare(&what)
            }
            Ending::KillDisplay => {
                self.replace_display(id);
                self.compare(&what)
            }
        }
    }

    /// Acts as soon as the one who has gone no longer controls: what it had under way has ended then.
    fn take_over(&mut self) {
        let begun = Instant::now();
        while let Err(error) = self.controller().call("mouse_move", json!({"coordinate": [5, 5]})) {
            assert_eq!(error["data"]["kind"], "lease_held", "{error}");
            assert!(begun.elapsed() < PATIENCE, "nobody ends the action of a controller that has gone");
        }
    }

    /// Ends the executor and starts it again.
    fn restart(&mut self, ending: Ending) {
        self.controller = None;
        if self.xvfb.is_none() {
            self.close_windows();
        }
        let server = self.server.take().expect("it runs");
        match ending {
            Ending::Kill => server.kill_everything(),
            _ => server.stop(),
        };
        self.start();
    }

    /// The X server does nothing until the next action has failed for it.
    fn freeze(&mut self, id: u64) {
        let signal = |desk: &Self, signal| match &desk.xvfb {
            Some(xvfb) => xvfb.process.signal(signal),
            None => desk.server().xvfb().signal(signal),
        };
        signal(self, Signal::STOP);
        // The last action may have been done before that.
        let _either = self.controller().answer(id);
        let (kind, error) = self.controller().must_fail("key", json!({"text": "F5"}));
        assert_eq!(kind, "display_lost", "{error}");
        signal(self, Signal::CONT);
    }

    fn replace_display(&mut self, id: u64) {
        self.close_windows();
        let epoch = self.controller().must("display.info", json!({}))["epoch"].as_u64().unwrap();
        match self.xvfb.take() {
            Some(mut xvfb) => {
                xvfb.process.kill();
                self.xvfb = Some(Xvfb::start_at(&xvfb.display, SIZE));
                self.dead.push(xvfb);
            }
            None => self.server().xvfb().signal(Signal::KILL),
        }
        let _either = self.controller().answer(id);
        let begun = Instant::now();
        loop {
            match self.controller().call("display.info", json!({})) {
                Ok(info) if info["epoch"].as_u64() > Some(epoch) => break,
                Ok(_) => {}
                Err(error) => assert_eq!(error["data"]["kind"], "display_lost", "{error}"),
            }
            assert!(begun.elapsed() < PATIENCE, "the display does not come back");
        }
        self.model = Model::default();
        self.open_windows();
        self.controller().must("screenshot", json!({}));
    }
}

/// What the X server says is down.
#[derive(Debug)]
struct Pressed {
    keys: Vec<u8>,
    buttons: Vec<u8>,
}

impl Pressed {
    fn is_nothing(&self) -> bool {
        self.keys.is_empty() && self.buttons.is_empty()
    }
}
