//! What a careful start refuses that another one only warns about.

use std::{os::unix::process::ExitStatusExt, process::Stdio};

use super::support::{Deskhand, Display, Xvfb};

/// Starts a server that must refuse to, and returns what it says.
fn refused(display: Option<&Display>, arguments: &[&str]) -> String {
    let mut command = Deskhand::program();
    command.args(["serve", "--strict", "--listen", "127.0.0.1:0"]).args(arguments);
    command.env_remove("DISPLAY").env_remove("XAUTHORITY");
    if let Some(display) = display {
        display.give_to(&mut command);
    }
    let ended = command.stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), ended.status.signal()), (Some(4), None), "{log}");
    assert!(ended.stdout.is_empty(), "no ready line");
    log
}

#[test]
fn a_display_that_lets_anybody_in_is_warned_about_once_and_refused_when_strict() {
    let xvfb = Xvfb::start_with("640x480", &["-ac"]);
    let server = Deskhand::attached(&xvfb.display);
    let warnings = server.log().matches("lets in everybody").count();
    assert_eq!(warnings, 1, "{}", server.log());
    server.stop();
    let said = refused(Some(&xvfb.display), &[]);
    assert!(said.contains("lets in everybody") && said.contains("-auth"), "{said}");
    let mut doctor = Deskhand::program();
    let found = xvfb.display.give_to(doctor.arg("doctor")).output().unwrap();
    assert!(String::from_utf8_lossy(&found.stdout).contains("lets in everybody"), "{found:?}");
}

#[test]
fn a_display_without_a_cookie_lets_in_every_user_of_the_machine_though_it_lists_nobody() {
    // The last of two such options counts: an empty file has no cookie in it.
    let xvfb = Xvfb::start_with("640x480", &["-auth", "/dev/null"]);
    let open = Display { number: xvfb.display.number, xauthority: None };
    for display in [&open, &xvfb.display] {
        let said = refused(Some(display), &[]);
        assert!(said.contains("lets in every user of this machine"), "{said}");
    }
    let server = Deskhand::attached(&open);
    assert!(server.log().contains("lets in every user of this machine"), "{}", server.log());
}

#[test]
fn a_display_with_a_cookie_is_served_when_strict_and_so_is_one_of_our_own() {
    let xvfb = Xvfb::start("640x480");
    for server in
        [Deskhand::attached_with(&xvfb.display, &["--strict"]), Deskhand::owned_with("640x480", &["--strict"])]
    {
        assert!(!server.log().contains("lets in"), "{}", server.log());
        server.stop();
    }
}

#[test]
fn a_record_that_proves_nothing_and_probes_for_everybody_are_refused_when_strict() {
    let directory = tempfile::tempdir().unwrap();
    let audit = directory.path().join("audit.jsonl");
    let said = refused(None, &["--xvfb", "640x480", "--audit", audit.to_str().unwrap()]);
    assert!(said.contains("--audit-key"), "{said}");
    assert!(!audit.exists(), "nothing has begun");
    let said = refused(None, &["--xvfb", "640x480", "--probe-listen", "0.0.0.0:0"]);
    assert!(said.contains("readable from other machines"), "{said}");
}
