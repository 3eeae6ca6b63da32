//! An executor with an honest application on its display, asked for actions while something attacks it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    attack::{Field, Going, under},
    judge::{Answered, Deed, assert_true},
    memory::{Before, GROWTH},
    support::{Controller, Deskhand, Display, Recorder, RecorderOptions, Windows},
};

/// How long any single answer may take. Nothing that is asked for here takes a tenth of a second by itself.
pub const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How long after the attack everything may take to work again.
const RECOVERY: Duration = Duration::from_secs(5);
/// How many rounds of actions come before the attack, so that every buffer and cache is there.
const WARM_UP: usize = 4;

/// What the answers may be.
#[derive(Clone, Copy)]
pub struct Rules {
    /// The kinds of error that are honest under this attack.
    pub kinds: &'static [&'static str],
    /// The characters behind the unique beginning of each text.
    pub text: &'static str,
}

/// Texts that need no key to be given a new meaning.
pub const PLAIN: &str = " Quick, brown: fox!";

/// An executor, the application and a controller. Dropped in this order.
pub struct Arena {
    pub controller: Controller,
    pub recorder: Recorder,
    pub windows: Windows,
    pub server: Deskhand,
    answered: Vec<Answered>,
    kinds: BTreeMap<String, usize>,
    slowest: (Duration, &'static str),
    number: usize,
}

impl Arena {
    /// On a display of the executor's own.
    pub fn owned() -> Self {
        let server = Deskhand::owned("800x600");
        let display = server.display.clone();
        Self::on(server, &display)
    }

    /// With a server that is there already; `display` is where the application goes.
    pub fn on(server: Deskhand, display: &Display) -> Self {
        let windows = Windows::new(display);
        let recorder = Recorder::open_with(display, &RecorderOptions { pastes: true, ..RecorderOptions::default() });
        windows.focus(recorder.window);
        let mut controller = Controller::connect(&server);
        // Pictures at once: an attacker is an application that works, and an answer is due in any case.
        let client = json!({"name": "arena", "version": "1"});
        controller.must("initialize", json!({"protocol": "deskhand.v1", "client": client, "observe": null}));
        recorder.everything();
        recorder.take_events();
        Self {
            controller,
            recorder,
            windows,
            server,
            answered: Vec::new(),
            kinds: BTreeMap::new(),
            slowest: (Duration::ZERO, ""),
            number: 0,
        }
    }

    pub fn field(&self) -> Field {
        Field { display: self.server.display.clone(), application: self.recorder.window }
    }

    /// Attacks, and asks for actions as long as `time`; then everything must have been answered truly and must work again.
    pub fn endure(mut self, name: &str, time: Duration, rules: Rules, attack: impl FnOnce(&Field, &Going<'_>) + Send) {
        self.warm_up(rules);
        let before = Before::measure(&self.server);
        let field = self.field();
        under(
            |going| attack(&field, going),
            || {
                let end = Instant::now() + time;
                while Instant::now() < end {
                    self.round(rules);
                }
            },
        );
        self.finish(name, &before);
    }

    /// Some rounds without an attack, all of which must be done.
    pub fn warm_up(&mut self, rules: Rules) {
        for _ in 0..WARM_UP {
            self.round(Rules { kinds: &[], ..rules });
        }
        self.kinds.clear();
        self.slowest.0 = Duration::ZERO;
    }

    /// One of each: a click, a text, a move, a picture, and the questions.
    pub fn round(&mut self, rules: Rules) {
        self.number += 1;
        let (x, y) = (20 + self.number * 7 % 590, 20 + self.number * 13 % 430);
        // Each text begins with another character, so that the end of one is never taken for the beginning of the next.
        let first = char::from(b'a' + u8::try_from(self.number % 26).unwrap());
        let text = format!("{first}{}{}", self.number, rules.text);
        let at = |value: usize| i16::try_from(value).unwrap();
        self.ask("left_click", json!({"coordinate": [x, y]}), Deed::Click(at(x), at(y)), rules);
        self.ask("type", json!({ "text": text }), Deed::Text(text.clone()), rules);
        self.ask("mouse_move", json!({"coordinate": [y, x / 2]}), Deed::Look, rules);
        for (method, params) in [
            // An attack that keeps the machine busy looks like a reaction that has not ended.
            ("screenshot", json!({"_meta": {"observe": {"timeout_ms": 1000}}})),
            ("cursor_position", json!({})),
            ("display.info", json!({})),
            ("windows.list", json!({})),
            ("status", json!({})),
            ("ping", json!({})),
        ] {
            self.ask(method, params, Deed::Look, rules);
        }
    }

    /// A text through the clipboard, another one each time.
    pub fn paste(&mut self, rules: Rules) {
        self.number += 1;
        let text = format!("({}{})", self.number, rules.text);
        self.ask("paste", json!({ "text": text }), Deed::Paste(text.clone()), rules);
    }

    /// Asks for one thing, and checks time and kind of the answer; the result where there is one.
    pub fn ask(&mut self, method: &'static str, params: Value, deed: Deed, rules: Rules) -> Option<Value> {
        self.ask_within(ANSWER_TIME, method, params, deed, rules)
    }

    /// The same for what may take as long as it was told to.
    pub fn ask_within(
        &mut self,
        time: Duration,
        method: &'static str,
        params: Value,
        deed: Deed,
        rules: Rules,
    ) -> Option<Value> {
        let asked = Instant::now();
        let answer = self.controller.call(method, params);
        let took = asked.elapsed();
        assert!(took <= time, "{method} took {took:?}: {answer:?}");
        if took > self.slowest.0 {
            self.slowest = (took, method);
        }
        let (result, error) = match answer {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        let kind = error.as_ref().map_or("done", |error| error["data"]["kind"].as_str().unwrap());
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        if let Some(error) = &error {
            assert!(rules.kinds.contains(&kind), "{method}: not one of {:?}: {error}", rules.kinds);
            assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
            // A process that is named is the true one: every attacker here is a thread of this process.
            if let Some(pid) = error["data"]["process"]["pid"].as_u64() {
                assert_eq!(pid, u64::from(std::process::id()), "{error}");
            }
        }
        self.answered.push(Answered { deed, error });
        result
    }

    /// For attacks that compare by themselves what was received.
    pub fn forget_answers(&mut self) {
        self.recorder.everything();
        self.recorder.take_events();
        self.answered.clear();
    }

    /// The attack is over: everything was true, costs little, and works.
    pub fn finish(mut self, name: &str, before: &Before) {
        assert_true(&self.answered, &self.recorder.everything());
        let growth = before.growth(&self.server);
        eprintln!(
            "{name}: {}; slowest {} ms ({}); growth {growth} KiB",
            self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", "),
            self.slowest.0.as_millis(),
            self.slowest.1,
        );
        assert!(!self.server.log().contains("panicked"), "{}", self.server.log());
        assert!(growth <= GROWTH, "{growth} KiB more than before");
        self.recover();
        self.forget_answers();
        // Something may have been left on the way here; the rounds that count find the application as they expect it.
        self.windows.focus(self.recorder.window);
        for _ in 0..2 {
            self.round(Rules { kinds: &[], text: PLAIN });
        }
        assert_true(&self.answered, &self.recorder.everything());
        assert!(self.windows.pressed_keys().is_empty(), "keys are down");
        assert!(self.windows.pointer().1.is_empty(), "buttons are down");
        let status = self.controller.must("status", json!({}));
        assert_eq!(status["held"], json!({"keys": [], "buttons": []}), "{status}");
    }

    /// Waits until a picture and a click work again; a new epoch needs the picture first.
    fn recover(&mut self) {
        let begun = Instant::now();
        loop {
            let picture = self.controller.call("screenshot", json!({}));
            let click = self.controller.call("left_click", json!({"coordinate": [5, 5]}));
            if picture.is_ok() && click.is_ok() {
                return;
            }
            assert!(begun.elapsed() < RECOVERY, "does not work again: {picture:?} {click:?}");
        }
    }
}

/// The whole of most attacks.
pub fn endure(name: &str, time: Duration, rules: Rules, attack: impl FnOnce(&Field, &Going<'_>) + Send) {
    Arena::owned().endure(name, time, rules, attack);
}
