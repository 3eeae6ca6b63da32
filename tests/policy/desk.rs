//! A server with a policy, and a window that records what it receives.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Controller, Deskhand, Recorded, Recorder, RecorderOptions, Windows, recorder};

/// All that the tests call beside what a test is about.
pub const METHODS: &str = r#"methods = ["screenshot", "zoom", "left_click", "double_click", "left_click_drag", "left_mouse_down", "mouse_move",
    "scroll", "type", "key", "hold_key", "key_down", "wait", "batch", "drag", "paste", "windows.list", "wait_for", "subscribe", "unsubscribe",
    "frames.ack", "cursor_position", "display.info", "session.resume", "lease.acquire", "right_click"]
"#;

/// Writes a policy file that only its owner can write.
pub fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A server. Dropped in this order: what uses the display goes first.
pub struct Desk {
    pub controller: Controller,
    pub recorder: Recorder,
    pub server: Deskhand,
    _directory: TempDir,
}

impl Desk {
    /// With this policy, and a window that fills the screen and has the focus.
    pub fn new(policy: &str) -> Self {
        Self::with(policy, &RecorderOptions { title: "Editor", class: "Editor", ..RecorderOptions::default() })
    }

    /// With this policy and this window.
    pub fn with(policy: &str, options: &RecorderOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        write(&path, policy);
        let server = Deskhand::owned_with("640x480", &["--policy", path.to_str().unwrap()]);
        let recorder = Recorder::open_with(&server.display, options);
        Windows::new(&server.display).focus(recorder.window);
        recorder.everything();
        recorder.take_events();
        Self { controller: Controller::connect(&server), recorder, server, _directory: directory }
    }

    /// A request that the policy must refuse, without anything being sent. Returns the message.
    pub fn must_be_forbidden(&mut self, method: &str, params: Value) -> String {
        let shown = params.to_string();
        let (kind, error) = self.controller.must_fail(method, params);
        assert_eq!(
            (kind.as_str(), &error["data"]["executed"]),
            ("forbidden", &"no".into()),
            "{method} {shown}: {error:#}"
        );
        error["message"].as_str().unwrap().to_owned()
    }

    /// Whether the window has received any key, button or motion since this was asked last.
    pub fn is_untouched(&self) -> bool {
        is_untouched(&self.recorder)
    }
}

/// Whether a window has received any key, button or motion since this was asked last.
pub fn is_untouched(recorder: &Recorder) -> bool {
    let seen = recorder.everything();
    recorder.take_events();
    recorder::buttons(&seen).is_empty()
        && !seen
            .iter()
            .any(|seen| matches!(seen, Recorded::Key { .. } | Recorded::Motion { .. } | Recorded::Pasted { .. }))
}
