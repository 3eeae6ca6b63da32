//! A whole desktop: the server with a display of its own, openbox on it, and a controller.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Chromium, Controller, Deskhand, PATIENCE, Page, PageEvent, Process, Windows, page::Report,
    xvfb::start_window_manager,
};

/// A function key that no application of the tests does anything with.
const BARRIER: &str = "F8";

/// How long the first key may take until another one is pressed.
const FIRST_KEY: Duration = Duration::from_secs(2);

/// A desktop that is managed as the project's own is. Fields are dropped in this order: what uses the display goes first.
pub struct Managed {
    pub controller: Controller,
    pub windows: Windows,
    _window_manager: Process,
    pub server: Deskhand,
}

impl Managed {
    pub fn start(size: &str) -> Self {
        Self::start_with(size, &[])
    }

    /// The same with more arguments of the server.
    pub fn start_with(size: &str, arguments: &[&str]) -> Self {
        let server = Deskhand::owned_with(size, arguments);
        let window_manager = start_window_manager(&server.display);
        let windows = Windows::new(&server.display);
        Self { controller: Controller::connect(&server), windows, _window_manager: window_manager, server }
    }

    /// Types a text and returns how many milliseconds the call took.
    pub fn type_text(&mut self, text: &str) -> f64 {
        let begun = Instant::now();
        self.controller.must("type", json!({ "text": text }));
        begun.elapsed().as_secs_f64() * 1000.0
    }
}

/// Such a desktop with Chromium in front of the controller.
pub struct Browser {
    chromium: Chromium,
    pub page: Page,
    pub desktop: Managed,
}

impl Browser {
    /// Opens one of our pages and waits until it takes keys and clicks.
    pub fn open(name: &str) -> Self {
        Self::open_with(name, &[])
    }

    /// The same with more arguments of the server.
    pub fn open_with(name: &str, arguments: &[&str]) -> Self {
        let desktop = Managed::start_with("1024x768", arguments);
        let page = Page::serve();
        let chromium = Chromium::open(&desktop.server.display, &page, name);
        desktop.windows.wait_for_focus(chromium.window);
        page.wait_until_ready();
        let mut browser = Self { chromium, page, desktop };
        browser.wait_until_keys_arrive();
        browser
    }

    /// Presses a key until the page has seen it. About one start in fifty drops all keys for a moment after the page has been
    /// presented and says that it has the focus; that is Chromium's start and not what the tests are about.
    fn wait_until_keys_arrive(&mut self) {
        let begun = Instant::now();
        loop {
            self.must("key", json!({ "text": BARRIER }));
            let seen = |report: &Report| report.events.iter().any(|event| event.kind() == "keyup").then_some(());
            if self.page.wait_within(FIRST_KEY, seen).is_some() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "no key reaches the page; its state is {:#}", self.page.report().state);
        }
        self.settle();
    }

    pub fn must(&mut self, method: &str, params: Value) -> Value {
        self.desktop.controller.must(method, params)
    }

    /// Waits until the page has received everything that was sent to it, and returns what it received since `forget_events`.
    /// Keys stand in the browser's queue behind the clicks and keys before them.
    pub fn settle(&mut self) -> Report {
        let is_barrier = |event: &PageEvent| event.0["key"] == BARRIER;
        let releases =
            |report: &Report| report.events.iter().filter(|event| event.kind() == "keyup" && is_barrier(event)).count();
        let before = releases(&self.page.report());
        self.must("key", json!({ "text": BARRIER }));
        let mut report =
            self.page.wait_for("the key that comes last", |report| (releases(report) > before).then(|| report.clone()));
        report.events.retain(|event| !is_barrier(event));
        report
    }

    /// Does one thing and returns the events that it caused.
    pub fn after(&mut self, method: &str, params: Value) -> Report {
        self.page.forget_events();
        self.must(method, params);
        self.settle()
    }

    /// The browser's first process, which takes the X events.
    pub fn pid(&self) -> u32 {
        self.chromium.process.pid()
    }

    /// The middle of an element.
    pub fn middle(&self, id: &str) -> [i64; 2] {
        self.page.report().middle(id)
    }
}
