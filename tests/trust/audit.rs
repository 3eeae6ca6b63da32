//! What is done is recorded, before and after, and the record cannot be changed unseen.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    people::{People, connect, try_connect},
    support::{Controller, Deskhand, Recorded, Recorder, Xvfb},
};

/// A place for an audit and its key.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(place.key(), "7".repeat(64)).unwrap();
        fs::set_permissions(place.key(), fs::Permissions::from_mode(0o600)).unwrap();
        place
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("audit.jsonl")
    }

    fn arguments(&self) -> [String; 4] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        ["--audit".to_owned(), text(self.file()), "--audit-key".to_owned(), text(self.key())]
    }

    fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn verify(&self, more: &[&str]) -> Output {
        let (file, key) = (self.file(), self.key());
        let arguments = ["audit", "verify", file.to_str().unwrap(), "--key", key.to_str().unwrap()];
        Deskhand::program().args(arguments).args(more).output().unwrap()
    }

    fn must_verify(&self, more: &[&str]) -> String {
        let output = self.verify(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a record is there.
    fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(record) = self.records().into_iter().find(|record| is_it(record)) {
                return record;
            }
            assert!(Instant::now() < deadline, "no record: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn texts(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn presses(recorder: &Recorder) -> usize {
    recorder.everything().iter().filter(|event| matches!(event, Recorded::Button { down: true, button: 1, .. })).count()
}

#[test]
fn every_request_is_recorded_before_and_after_and_nothing_that_is_typed() {
    let place = Place::new();
    let server = Deskhand::owned_with("640x480", &texts(&place.arguments()));
    assert_eq!(server.ready["audit"], "strict");
    let _recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("task.begin", json!({"objective": "find the invoice", "purpose": "accounting", "model": "m"}));
    controller.must("left_click", json!({"coordinate": [123, 231]}));
    controller.must("type", json!({"text": "Tr0ub4dor"}));
    controller.must("key", json!({"text": "T r o u b"}));
    let last = controller
        .must("batch", json!({"actions": [{"name": "key", "input": {"text": "ctrl+a"}}, {"name": "screenshot"}]}));
    controller.must_fail("left_click", json!({"coordinate": [9999, 1]}));
    controller.must_fail("left_clik", json!({}));
    controller.must("session.pause", json!({}));
    controller.must_fail("mouse_move", json!({"coordinate": [1, 1]}));
    controller.must("session.resume", json!({}));
    let ended = controller.must("task.end", json!({"success": true, "summary": "done"}));
    let (seq, head) =
        (last["audit"]["seq"].as_u64().expect("a place"), last["audit"]["head"].as_str().unwrap().to_owned());
    drop(controller);
    assert!(server.stop().success());

    let records = place.records();
    assert_eq!(
        records.iter().map(|record| record["seq"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=records.len() as u64).collect::<Vec<_>>()
    );
    let of = |action: &str| records.iter().filter(|record| record["action_type"] == action).collect::<Vec<_>>();
    assert_eq!(records[0]["details"]["event"], "start");
    assert_eq!(records[records.len() - 1]["details"]["event"], "stop");
    let calls: Vec<_> = of("tool_use")
        .iter()
        .map(|record| {
            format!("{} {}", record["details"]["method"].as_str().unwrap(), record["outcome"].as_str().unwrap())
        })
        .collect();
    let both = |method: &str| [format!("{method} started"), format!("{method} success")];
    let failed = ["left_click started".to_owned()];
    assert_eq!(
        calls,
        [both("left_click"), both("type"), both("key"), both("batch")]
            .concat()
            .into_iter()
            .chain(failed)
            .collect::<Vec<_>>()
    );
    let text = &of("tool_use")[2]["details"];
    assert_eq!((&text["text"], &text["characters"]), (&json!("***REDACTED***"), &json!(9)));
    let outcome = records.iter().find(|record| record["seq"] == seq).unwrap();
    assert_eq!((&outcome["head"], &outcome["outcome"]), (&json!(head), &json!("success")));
    assert!(outcome["duration_us"].as_u64().unwrap() > 0);
    assert_eq!(of("error")[0]["outcome"], "out_of_range");
    let refused: Vec<_> = of("refused").iter().map(|record| record["outcome"].as_str().unwrap()).collect();
    assert_eq!(refused, ["unknown_method", "paused"]);
    assert_eq!(of("execution_started")[0]["details"]["purpose"], "accounting");
    let completion = of("completion")[0];
    assert_eq!((&completion["task_id"], &completion["details"]["turns"]), (&ended["task"], &ended["turns"]));
    assert_eq!(
        of("lease").iter().map(|record| record["details"]["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["taken", "given_back"]
    );
    let events: Vec<_> = of("session").iter().map(|record| record["details"]["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["begins", "pause", "resume", "ends"]);
    for record in &records[1..] {
        let is_ours = record["action_type"] == "config" || record["action_type"] == "lease";
        assert!(is_ours || record["user_id"] == "default" && record["session_id"].is_string(), "{record}");
    }
    let whole = fs::read_to_string(place.file()).unwrap();
    for leaked in ["Tr0ub4dor", "123", "231", "\"T\"", "9999"] {
        let found = whole
            .lines()
            .find(|line| line.split("\"timestamp\"").next().is_some() && detail_text(line).contains(leaked));
        assert_eq!(found, None, "{leaked}");
    }
    let said = place.must_verify(&["--head", &head]);
    assert!(said.contains("intact") && said.contains(&head), "{said}");
}

/// The details of a record as they stand in the file, without the random name of the start: the other members have numbers of all
/// kinds.
fn detail_text(line: &str) -> String {
    let mut details = serde_json::from_str::<Value>(line).unwrap()["details"].take();
    details.as_object_mut().unwrap().remove("boot");
    details.to_string()
}

#[test]
fn who_watches_who_sends_no_request_and_who_goes_away_is_recorded_too() {
    let place = Place::new();
    let server = Deskhand::owned_with("640x480", &texts(&place.arguments()));
    let mut controller = Controller::connect(&server);
    controller.must("subscribe", json!({"events": ["frames"]}));
    controller.send_binary(b"no request");
    controller.raw_answer();
    assert_eq!(server.rpc(&json!([]))["error"]["data"]["kind"], "invalid_request");
    place.until("who watches", |record| record["details"]["events"] == json!(["frames"]));
    place.until("a binary message and a POST", |record| {
        record["action_type"] == "refused" && record["session_id"].is_null() && record["user_id"] == "default"
    });
    // A client that is gone in the middle of what it asked for.
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "wait", "params": {"duration": 60}}).to_string();
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "POST /v1/rpc HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        server.address(),
        server.token,
        body.len()
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    place.until("its beginning", |record| record["details"]["method"] == "wait" && record["outcome"] == "started");
    drop(stream);
    let end =
        place.until("its end", |record| record["details"]["method"] == "wait" && record["action_type"] == "error");
    assert_eq!((&end["outcome"], &end["details"]["executed"]), (&json!("cancelled"), &json!("unknown")));
}

#[test]
fn what_was_let_in_and_never_begun_is_recorded_too() {
    let place = Place::new();
    let server = Deskhand::owned_with("640x480", &texts(&place.arguments()));
    let mut controller = Controller::connect(&server);
    let waiting = controller.send("wait", json!({"duration": 60}));
    let cancelled = controller.send("key", json!({"text": "ctrl+a"}));
    let halted = controller.send("mouse_move", json!({"coordinate": [5, 5]}));
    controller.must("cancel", json!({"id": cancelled}));
    let mut admin = Controller::connect(&server);
    admin.must("session.halt", json!({}));
    for id in [waiting, cancelled, halted] {
        assert!(controller.answer(id).is_err());
    }
    for (method, outcome) in [("key", "cancelled"), ("mouse_move", "halted")] {
        place.until(method, |record| {
            record["action_type"] == "refused" && record["details"]["method"] == method && record["outcome"] == outcome
        });
    }
}

#[test]
fn whoever_changes_the_record_is_told_where() {
    let place = Place::new();
    for _ in 0..2 {
        let server = Deskhand::owned_with("640x480", &texts(&place.arguments()));
        let mut controller = Controller::connect(&server);
        controller.must("mouse_move", json!({"coordinate": [9, 9]}));
        drop(controller);
        server.stop();
    }
    assert!(place.must_verify(&[]).contains("2 starts"));
    let whole = fs::read_to_string(place.file()).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let place_of = lines.iter().position(|line| line.contains("mouse_move")).unwrap();
    fs::write(place.file(), whole.replacen("mouse_move", "left_click", 1)).unwrap();
    let output = place.verify(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6));
    assert!(said.contains(&format!("line {}: ", place_of + 1)) && said.contains("edited"), "{said}");
    // A server does not go on behind something else than a record of ours.
    fs::write(place.file(), "notes\n").unwrap();
    let mut command = Deskhand::program();
    command.args(["serve", "--xvfb", "640x480", "--listen", "127.0.0.1:0"]).args(place.arguments());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no audit record"));
}

#[test]
fn strangers_are_recorded_and_cannot_fill_the_disk() {
    let place = Place::new();
    let people = People::new(&[("loop", "control", '1', "")]);
    let server = people.server(&texts(&place.arguments()));
    for _ in 0..60 {
        assert!(try_connect(&server, '9').is_err());
    }
    connect(&server, '1').must("ping", json!({}));
    server.process.signal(Signal::HUP);
    place.until("a reload", |record| record["details"]["event"] == "reload");
    server.stop();
    let attempts = place.records().iter().filter(|record| record["action_type"] == "auth_failed").count();
    // Ten a second and a count of the others; sixty attempts take less than three seconds on any machine that runs tests.
    assert!((10..60).contains(&attempts), "{attempts}");
    place.must_verify(&[]);
}

#[test]
fn where_nothing_can_be_recorded_nothing_is_done_and_it_goes_on_by_itself() {
    let place = Place::new();
    let server = Deskhand::owned_with("640x480", &texts(&place.arguments()));
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("left_click", json!({"coordinate": [30, 30]}));
    limit_files(&server, Some(fs::metadata(place.file()).unwrap().len()));
    for _ in 0..3 {
        let (kind, error) = controller.must_fail("left_click", json!({"coordinate": [31, 30]}));
        assert_eq!((kind.as_str(), &error["data"]["executed"]), ("audit_unavailable", &json!("no")));
        assert_eq!(controller.must_fail("screenshot", json!({})).0, "audit_unavailable");
        assert_eq!(controller.must_fail("task.begin", json!({})).0, "audit_unavailable");
        assert_eq!(controller.must_fail("subscribe", json!({"events": ["frames"]})).0, "audit_unavailable");
    }
    // Whoever stops everything is not kept from it.
    controller.must("session.halt", json!({}));
    controller.must("session.resume", json!({}));
    controller.must("ping", json!({}));
    limit_files(&server, None);
    let deadline = Instant::now() + Duration::from_secs(20);
    while controller.call("left_click", json!({"coordinate": [32, 30]})).is_err() {
        assert!(Instant::now() < deadline, "it does not go on by itself");
    }
    assert_eq!(presses(&recorder), 2, "nothing came of what could not be recorded");
    drop(controller);
    server.stop();
    let kept = place.records().iter().filter(|record| record["outcome"] == "audit_unavailable").count();
    assert!(kept >= 9, "what was refused for the lack of a record is recorded later: {kept}");
    place.must_verify(&[]);
}

#[test]
fn what_may_go_on_without_a_record_counts_what_is_lost() {
    let place = Place::new();
    let audit = place.arguments();
    let arguments = [texts(&audit), vec!["--audit-mode", "available"]].concat();
    let server = Deskhand::owned_with("640x480", &arguments);
    assert_eq!(server.ready["audit"], "available");
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    limit_files(&server, Some(fs::metadata(place.file()).unwrap().len()));
    for _ in 0..3 {
        controller.must("left_click", json!({"coordinate": [30, 30]}));
    }
    limit_files(&server, None);
    controller.must("left_click", json!({"coordinate": [30, 30]}));
    assert_eq!(presses(&recorder), 4);
    let lost = place.until("the loss", |record| record["details"]["event"] == "records_lost");
    assert!(lost["details"]["count"].as_u64().unwrap() >= 3, "{lost}");
    drop(controller);
    server.stop();
    place.must_verify(&[]);
}

#[test]
fn full_files_are_put_aside_also_by_a_server_that_is_confined_and_the_chain_goes_on_through_them() {
    let place = Place::new();
    let audit = place.arguments();
    let arguments = [texts(&audit), vec!["--audit-max-bytes", "65536", "--audit-keep", "2"]].concat();
    let server = Deskhand::owned_with("640x480", &arguments);
    let mut controller = Controller::connect(&server);
    // A thousand records of some 300 bytes: five files.
    for _ in 0..500 {
        controller.must("mouse_move", json!({"coordinate": [9, 9]}));
    }
    drop(controller);
    assert!(server.stop().success());
    let said = place.must_verify(&[]);
    assert!(said.contains("3 files: intact") && said.contains("earlier records are not here"), "{said}");
}

/// How large a file the server may write, as a disk that is full would have it.
fn limit_files(server: &Deskhand, bytes: Option<u64>) {
    let process = server.process.descendants().into_iter().find(|process| process.name == "deskhand-server").unwrap();
    let pid = Pid::from_raw(process.pid.cast_signed()).unwrap();
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

/// Kills a server in the middle of clicks again and again; afterwards the record is whole, and has whatever was done or told.
fn kills_in_the_middle(count: u32) {
    let place = Place::new();
    let xvfb = Xvfb::start("640x480");
    let recorder = Recorder::open(&xvfb.display);
    let mut heads = Vec::new();
    for round in 0..count {
        let server = Deskhand::attached_with(&xvfb.display, &texts(&place.arguments()));
        let mut controller = Controller::connect(&server);
        // Some are on their way when it ends.
        let answered = controller.must("left_click", json!({"coordinate": [30, 30]}));
        heads.push((answered["audit"]["seq"].clone(), answered["audit"]["head"].clone()));
        for _ in 0..round % 7 {
            controller.send("left_click", json!({"coordinate": [30, 30]}));
        }
        server.kill_everything();
        controller.abandon();
    }
    place.must_verify(&[]);
    let records = place.records();
    for (seq, head) in heads {
        let place = usize::try_from(seq.as_u64().unwrap()).unwrap() - 1;
        assert_eq!(records[place]["head"], head, "what was told is there");
    }
    let intents = records.iter().filter(|record| record["outcome"] == "started").count();
    let effects = presses(&recorder);
    eprintln!("{count} kills: {} records, {intents} intents, {effects} effects", records.len());
    assert!(effects >= usize::try_from(count).unwrap() && effects <= intents, "{effects} of {intents}");
}

#[test]
fn after_kills_in_the_middle_the_record_is_whole_and_nothing_was_done_without_it() {
    kills_in_the_middle(25);
}

#[test]
#[ignore = "soak: some minutes"]
fn after_two_thousand_kills_the_record_is_whole_and_nothing_was_done_without_it() {
    kills_in_the_middle(2000);
}

#[test]
fn the_records_of_a_user_make_a_report_and_the_last_ones_are_shown() {
    let place = Place::new();
    let people = People::new(&[("loop", "control", '1', ""), ("other", "control", '2', "")]);
    let server = people.server(&texts(&place.arguments()));
    let mut controller = connect(&server, '1');
    controller.must("task.begin", json!({"purpose": "a \u{1b}[31mred\u{1b}[0m purpose"}));
    controller.must("mouse_move", json!({"coordinate": [9, 9]}));
    controller.must("task.end", json!({"success": false}));
    connect(&server, '2').must("screenshot", json!({}));
    drop(controller);
    server.stop();
    let said = |arguments: &[&str], file: &Path| {
        let output = Deskhand::program().arg("audit").args(arguments).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let report = said(&["report", "--user", "loop"], &place.file());
    assert!(report.contains("1 sessions, 1 tasks") && report.contains("no success, 1 turns"), "{report}");
    assert!(report.contains("mouse_move") && !report.contains("screenshot"), "{report}");
    assert!(!report.contains('\u{1b}'), "what a user said moves no cursor");
    let tail = said(&["tail"], &place.file());
    assert_eq!(tail.lines().count(), 10, "{tail}");
    assert!(tail.lines().last().unwrap().contains("stop") && !tail.contains('\u{1b}'), "{tail}");
}
