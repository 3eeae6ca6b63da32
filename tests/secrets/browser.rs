//! A secret for a web page.

use serde_json::json;

use super::{desk::SECRET, support::Browser};

#[test]
fn chromium_takes_a_secret_under_a_window_manager_that_was_named() {
    let us = std::env::current_exe().unwrap();
    // This program is connected as well, to wait for windows.
    let clients = format!("/usr/bin/openbox,{}", us.display());
    let mut browser = Browser::open_with("textarea.html", &["--secret-client", &clients]);
    let put = |browser: &mut Browser, title: &str| {
        let rule = json!({"class": "chromium", "title": title, "clear": {"after_s": 1}});
        browser.must("secret.put", json!({"name": "page", "value": SECRET, "rule": rule}));
    };
    put(&mut browser, "another page");
    let error = browser.desktop.controller.call("type", json!({"secret": "page"})).unwrap_err();
    assert_eq!(error["data"]["kind"], "target_mismatch", "{error}");
    put(&mut browser, "textarea");
    browser.must("key", json!({"text": "ctrl+a BackSpace"}));
    browser.must("type", json!({"secret": "page", "_meta": {"observe": {"image": false}}}));
    browser.page.wait_for("the secret", |report| (report.state["text"] == SECRET).then_some(()));
}
