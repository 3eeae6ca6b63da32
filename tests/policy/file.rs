//! The file: what is wrong with it is told before anything starts, and its hash is told to every session.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    desk::{Desk, METHODS, write},
    support::Deskhand,
};

#[test]
fn a_file_that_is_wrong_or_that_others_can_write_refuses_the_start_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    let starts = |code: i32, said: &str| {
        let mut command = Deskhand::program();
        command.args(["serve", "--xvfb", "640x480", "--listen", "127.0.0.1:0", "--policy"]).arg(&path);
        let ended = command.stdin(Stdio::null()).output().unwrap();
        let log = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{log}");
        assert!(log.contains(said), "{said} in {log}");
        assert!(ended.stdout.is_empty(), "no ready line");
    };
    starts(2, "policy.toml");
    write(&path, "methods = ['left_clik']");
    starts(2, "left_click");
    write(&path, "deny_chords = ['ctrl+Retrun']");
    starts(2, "Return");
    write(&path, METHODS);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
    starts(4, "chmod go-w");
}

#[test]
fn a_session_is_told_the_hash_of_the_file_and_the_methods_that_it_lists() {
    let policy = "methods = [\"screenshot\", \"windows.list\"]\nnavigate = [\"example.org\"]\n";
    let mut desk = Desk::new(policy);
    let hello = json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}});
    let result = desk.controller.must("initialize", hello);
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(policy.as_bytes()));
    assert_eq!(result["policy"], json!({ "sha256": hash }));
    let methods: Vec<_> = result["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for (name, listed) in
        [("screenshot", true), ("windows.list", true), ("key_up", true), ("zoom", false), ("type", false)]
    {
        assert_eq!(methods.contains(&name), listed, "{name}");
    }
}
