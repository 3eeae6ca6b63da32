//! Who gets in.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};

use deskhand::protocol::token::TokenHash;
use rustix::process::Signal;
use serde_json::json;

use super::{
    people::{People, connect, token, try_connect},
    support::{Deskhand, Refused, Windows},
};

#[test]
fn roles_are_as_the_file_says_and_can_be_lowered() {
    let people =
        People::new(&[("watcher", "observe", '1', ""), ("loop", "control", '2', ""), ("boss", "admin", '3', "")]);
    let server = people.server(&[]);
    assert!(server.ready["token_file"].is_null(), "a hash opens nothing");
    let mut watcher = connect(&server, '1');
    watcher.must("screenshot", json!({}));
    assert_eq!(watcher.must_fail("left_click", json!({"coordinate": [1, 1]})).0, "forbidden");
    assert_eq!(watcher.must_fail("lease.acquire", json!({})).0, "forbidden");
    let hello = |role: &str| json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "role": role});
    assert_eq!(connect(&server, '2').must_fail("initialize", hello("admin")).0, "forbidden");
    let mut boss = connect(&server, '3');
    assert_eq!(boss.must("initialize", hello("observe"))["role"], "observe");
    assert_eq!(boss.must_fail("session.halt", json!({})).0, "forbidden");
}

#[test]
fn a_reload_lets_new_tokens_in_and_old_ones_out_and_drops_no_session() {
    let people = People::new(&[("loop", "control", '1', "")]);
    let server = people.server(&[]);
    let mut session = connect(&server, '1');
    assert_eq!(try_connect(&server, '2').err(), Some(Refused(401)));
    // Both for a while, so that everybody can change over.
    people.write(&People::text(&[("loop", "control", '1', ""), ("loop", "control", '2', "")]));
    server.process.signal(Signal::HUP);
    until(|| try_connect(&server, '2').is_ok());
    assert!(try_connect(&server, '1').is_ok());
    people.write(&People::text(&[("loop", "control", '2', "")]));
    server.process.signal(Signal::HUP);
    until(|| try_connect(&server, '1').err() == Some(Refused(401)));
    session.must("mouse_move", json!({"coordinate": [5, 5]}));
    // One that cannot be used changes nothing and is complained about.
    people.write("[[token]]\nuser = 1\n");
    server.process.signal(Signal::HUP);
    until(|| server.log().contains("the tokens stay as they were"));
    assert!(try_connect(&server, '2').is_ok());
}

#[test]
fn a_session_ends_with_its_token_and_leaves_the_desktop_to_others() {
    let soon = jiff::Timestamp::now() + Duration::from_secs(4);
    let expires = format!("expires = {soon:.0}");
    let people = People::new(&[("guest", "control", '1', &expires), ("other", "control", '2', "")]);
    let server = people.server(&[]);
    let (mut guest, mut other) = (connect(&server, '1'), connect(&server, '2'));
    guest.must("left_mouse_down", json!({}));
    assert_eq!(other.must_fail("mouse_move", json!({"coordinate": [6, 6]})).0, "lease_held");
    assert_eq!(guest.closed(), Some(1008));
    assert_eq!(try_connect(&server, '1').err(), Some(Refused(401)));
    until(|| other.call("mouse_move", json!({"coordinate": [6, 6]})).is_ok());
    assert!(Windows::new(&server.display).pointer().1.is_empty(), "what it held was released");
}

#[test]
fn a_file_of_some_hundred_tokens_is_read_again_and_a_larger_one_is_refused_by_its_size() {
    let rows = |count: usize| -> String {
        let row = |number| {
            let hash = TokenHash::of(format!("{number:064}").as_bytes());
            format!("[[token]]\nuser = \"user-{number}\"\nrole = \"control\"\nsha256 = \"{hash}\"\n")
        };
        (0..count).map(row).collect()
    };
    let people = People::new(&[("loop", "control", '1', "")]);
    let server = people.server(&[]);
    let own = People::text(&[("loop", "control", '2', "")]);
    people.write(&(rows(450) + &own));
    server.process.signal(Signal::HUP);
    until(|| try_connect(&server, '2').is_ok());
    people.write(&(rows(1000) + &own));
    server.process.signal(Signal::HUP);
    until(|| server.log().contains("at most 65536 bytes"));
    assert!(try_connect(&server, '2').is_ok());
}

fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not come to that");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_others_can_read_or_that_is_wrong_refuses_the_start() {
    let people = People::new(&[("loop", "control", '1', "")]);
    let starts = |code: i32, said: &str| {
        let mut command = Deskhand::program();
        command.args(["serve", "--xvfb", "640x480", "--listen", "127.0.0.1:0", "--tokens"]).arg(people.path());
        let ended = command.stdin(Stdio::null()).output().unwrap();
        let log = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{log}");
        assert!(log.contains(said), "{said} in {log}");
        assert!(!log.contains(&token('1')), "no token in the log");
    };
    fs::set_permissions(people.path(), fs::Permissions::from_mode(0o644)).unwrap();
    starts(4, "chmod 600");
    people.write("[[token]]\nuser = \"a\"\n");
    starts(2, "tokens.toml");
    people.write("");
    starts(2, "[[token]]");
}
