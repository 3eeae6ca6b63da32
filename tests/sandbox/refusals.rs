//! Kernels that lack a part: `require` refuses to start and says what is missing, `try` says it and starts.

use std::process::Stdio;

use serde_json::json;

use super::{
    faulty, field, status_of,
    support::{Controller, Deskhand},
};

/// A server on a kernel without this.
fn without(part: &str, sandbox: &str) -> Deskhand {
    let mut program = faulty();
    program.env("DESKHAND_FAULTY_KERNEL", part);
    Deskhand::owned_by(program, "320x240", &[sandbox])
}

fn told(server: &Deskhand) -> String {
    Controller::connect(server).must("display.info", json!({}))["sandbox"].as_str().unwrap().to_owned()
}

#[test]
fn without_filters_require_refuses_to_start_and_names_them() {
    let mut program = faulty();
    program.args(["serve", "--xvfb", "320x240", "--listen", "127.0.0.1:0", "--sandbox=require"]);
    let output = program.env("DESKHAND_FAULTY_KERNEL", "seccomp").stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert!(errors.contains("the sandbox lacks seccomp") && errors.contains("--sandbox=try"), "{errors}");
    assert!(output.stdout.is_empty(), "no ready line");
}

#[test]
fn without_filters_try_starts_with_the_rest_and_logs_what_is_missing() {
    let server = without("seccomp", "--sandbox=try");
    let log = server.log();
    assert!(log.contains("the sandbox is incomplete") && log.contains("seccomp"), "{log}");
    let told = told(&server);
    assert_eq!(told, if deskhand::sandbox::landlock_is_offered() { "landlock" } else { "off" });
    let status = status_of(server.child("deskhand-server").pid);
    assert_eq!(field(&status, "NoNewPrivs"), "1");
}

#[test]
fn a_kernel_without_landlock_is_enough_for_require_and_needs_no_witness() {
    let server = without("landlock", "--sandbox=require");
    assert_eq!(told(&server), "seccomp");
    assert!(server.process.descendants().iter().all(|process| process.name != "desk-witness"));
}
