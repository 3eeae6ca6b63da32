//! Who may put secrets, who may have them typed, and how long they are kept.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::json;

use super::{
    desk::{CLASS, Desk, SECRET},
    people::{People, connect},
    support::{Deskhand, files::wait_for_content},
};

#[test]
fn names_and_rules_are_told_and_never_a_value() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({"clear": {"after_s": 30}}), &json!({"ttl_s": 600, "uses": 3}));
    let listed = desk.controller.must("secret.list", json!({}));
    let secret = &listed["secrets"][0];
    assert_eq!(secret["name"], "pin");
    assert_eq!(
        secret["rule"],
        json!({"class": CLASS, "allow_unconfined": false, "taint": "refuse", "clear": {"after_s": 30, "window_gone": false}})
    );
    assert!(secret["ttl_s"].as_u64().unwrap() <= 600 && secret["uses"] == 3, "{secret}");
    assert!(!listed.to_string().contains("Tr0ub"));
    assert_eq!(desk.controller.must("secret.forget", json!({"name": "pin"})), json!({"secrets": 0}));
    assert_eq!(desk.type_it().unwrap_err(), "secret_unknown");
    assert_eq!(desk.controller.must_fail("secret.forget", json!({"name": "pin"})).0, "not_found");
    desk.put(&json!({}), &json!({"ttl_s": 1}));
    desk.controller.must("wait", json!({"duration": 1.1}));
    assert_eq!(desk.controller.must("secret.list", json!({})), json!({"secrets": []}));
    for params in [
        json!({"name": "pin", "value": "x", "rule": {}}),
        json!({"name": "pin", "value": 4711, "rule": {"class": "x"}}),
        json!({"name": "pin", "value": "x", "rule": {"class": "x"}, "_meta": {"request_key": "k"}}),
    ] {
        let (kind, error) = desk.controller.must_fail("secret.put", params);
        assert_eq!(kind, "invalid_params");
        assert!(!error.to_string().contains("4711"), "{error}");
    }
}

#[test]
fn an_admin_puts_secrets_and_each_has_those_typed_that_the_tokens_file_names() {
    let people = People::new(&[
        ("ann", "admin", 'a', ""),
        ("bob", "control", 'b', "secrets = [\"pin\"]"),
        ("cat", "control", 'c', "secrets = [\"other\"]"),
    ]);
    let mut desk = Desk::of(people.server(&[]), |server| connect(server, 'a'));
    desk.put(&json!({}), &json!({}));
    assert_eq!(desk.type_it().unwrap_err(), "secret_unknown", "ann may put it, and no more");
    desk.controller.must("lease.release", json!({}));
    for (user, kind) in [('c', Some("secret_unknown")), ('b', None)] {
        let mut controller = connect(&desk.server, user);
        for (method, params) in [
            ("secret.list", json!({})),
            ("secret.put", json!({"name": "a", "value": "b", "rule": {"class": "c"}})),
            ("secret.forget", json!({"name": "pin"})),
        ] {
            assert_eq!(controller.must_fail(method, params).0, "forbidden", "{user} {method}");
        }
        let answer = controller.call("type", json!({"secret": "pin"}));
        assert_eq!(answer.err().map(|error| error["data"]["kind"].clone()), kind.map(|kind| json!(kind)), "{user}");
    }
    assert_eq!(desk.received(), SECRET);
}

#[test]
fn secrets_come_from_a_descriptor_that_command_does_not_have() {
    let directory = tempfile::tempdir().unwrap();
    let (source, seen) = (directory.path().join("secrets.jsonl"), directory.path().join("seen"));
    let line = json!({"name": "pin", "value": SECRET, "rule": {"class": CLASS}});
    let mut file = fs::File::create(&source).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    writeln!(file, "{line}\n").unwrap();
    let mut program = Command::new("sh");
    let script = format!("exec \"$0\" \"$@\" 7<{}", source.display());
    program.args(["-c", &script]).arg(Deskhand::program().get_program());
    let command = format!("ls -l /proc/self/fd > {}.new; mv {0}.new {0}; exec sleep 1000", seen.display());
    let server = Deskhand::owned_by(program, "640x480", &["--secrets-fd", "7", "--", "sh", "-c", &command]);
    let mut desk = Desk::on(server);
    desk.type_it().unwrap();
    assert_eq!(desk.received(), SECRET);
    let descriptors = String::from_utf8(wait_for_content(&seen, |content| !content.is_empty())).unwrap();
    assert!(!descriptors.contains("secrets.jsonl"), "{descriptors}");
}

#[test]
fn a_source_of_secrets_that_cannot_be_used_ends_the_start_and_shows_nothing_of_itself() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("secrets.jsonl");
    let start = |text: &str, number: &str| {
        fs::write(&source, text).unwrap();
        let script = format!("exec \"$0\" \"$@\" 7<{}", source.display());
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(Deskhand::program().get_program())
            .args(["serve", "--xvfb", "640x480", "--listen", "127.0.0.1:0", "--secrets-fd", number])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let good = r#"{"name":"a","value":"hunter2","rule":{"class":"x"}}"#;
    for (text, number, said) in [
        (format!("{good}\n{{\"name\":\"b\",\"value\":\"hunter2\"}}\n"), "7", "line 2"),
        (format!("{good}\nhunter2\n"), "7", "line 2: it is no JSON"),
        (good.to_owned(), "9", "9 is not open"),
        (good.to_owned(), "1", "standard stream"),
    ] {
        let (code, log) = start(&text, number);
        assert_eq!(code, Some(2), "{log}");
        assert!(log.contains(said) && !log.contains("hunter2"), "{said} in {log}");
    }
}
