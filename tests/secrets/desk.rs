//! An executor, and a window that a secret is for.

use serde_json::{Value, json};

use super::support::{Controller, Deskhand, Recorder, RecorderOptions, Windows, recorder};

/// The class of the window that the tests' secrets are for.
pub const CLASS: &str = "Login";
pub const SECRET: &str = "Tr0ub4dor & \"3\"\nß é Ω";

/// Dropped in this order.
pub struct Desk {
    pub controller: Controller,
    pub windows: Windows,
    pub login: Recorder,
    pub server: Deskhand,
}

impl Desk {
    /// The window has the focus.
    pub fn new(arguments: &[&str]) -> Self {
        Self::on(Deskhand::owned_with("640x480", arguments))
    }

    pub fn on(server: Deskhand) -> Self {
        Self::of(server, Controller::connect)
    }

    /// With somebody's connection.
    pub fn of(server: Deskhand, connect: impl FnOnce(&Deskhand) -> Controller) -> Self {
        let login = Recorder::open_with(&server.display, &window(CLASS, (50, 50, 300, 200)));
        let windows = Windows::new(&server.display);
        windows.focus(login.window);
        let controller = connect(&server);
        Self { controller, windows, login, server }
    }

    /// Puts the secret `pin` with a rule for the window's class and these members.
    pub fn put(&mut self, rule: &Value, more: &Value) {
        let mut params = json!({"name": "pin", "value": SECRET, "rule": {"class": CLASS}});
        merge(&mut params["rule"], rule);
        merge(&mut params, more);
        self.controller.must("secret.put", params);
    }

    /// Has it typed; the kind of the error where it was not.
    pub fn type_it(&mut self) -> Result<Value, String> {
        let answer = self.controller.call("type", json!({"secret": "pin"}));
        answer.map_err(|error| error["data"]["kind"].as_str().unwrap().to_owned())
    }

    /// What the window has received.
    pub fn received(&self) -> String {
        recorder::typed(&self.login.everything())
    }
}

/// A window of a class, without a window manager's frame.
pub fn window(class: &'static str, rectangle: (i16, i16, u16, u16)) -> RecorderOptions {
    RecorderOptions { title: "Sign in", class, rectangle, ..RecorderOptions::default() }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
}
