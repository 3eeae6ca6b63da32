//! Whose processes get in on a Unix socket.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use serde_json::Value;

use super::{
    people::{People, token},
    support::{Deskhand, PATIENCE},
};

/// A user id that no process of these tests has but those that are given it.
const NAMED: u32 = 54_321;
const OTHER: u32 = 54_322;

/// Connects and asks how the server is: the first line of the answer, or nothing when the connection is closed.
fn ask(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Whoever is turned away may be so before this is written.
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

/// The same as another user, which only root can become.
fn ask_as(user: u32, path: &Path) -> String {
    const PROGRAM: &str = "import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
try:
    s.sendall(b'GET /healthz HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n')
    print(s.recv(4096).split(b'\\r\\n')[0].decode())
except (BrokenPipeError, ConnectionResetError):
    pass
";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", PROGRAM]).arg(path).current_dir("/").uid(user).gid(user);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn records(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn only_processes_of_named_users_get_in_on_a_unix_socket_and_others_are_on_record() {
    let people = People::new(&[("loop", "control", '1', "")]);
    let directory = tempfile::tempdir().unwrap();
    // Others have to get as far as the socket.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (socket, audit) = (directory.path().join("socket"), directory.path().join("audit.jsonl"));
    let listen = format!("unix:{}", socket.display());
    let (user, audit_path) = (NAMED.to_string(), audit.to_str().unwrap());
    let server = people.server(&["--listen", &listen, "--allow-uid", &user, "--audit", audit_path]);
    assert_eq!(ask(&socket), "", "our own user is not named");
    let mut turned_away = 1;
    if rustix::process::getuid().is_root() {
        assert_eq!(ask_as(NAMED, &socket), "HTTP/1.1 200 OK");
        assert_eq!(ask_as(OTHER, &socket), "");
        turned_away += 1;
    }
    let counted = format!("deskhand_http_refusals_total{{reason=\"peer_user\"}} {turned_away}");
    let metrics = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        server.address(),
        token('1')
    );
    assert!(server.http(metrics.as_bytes()).contains(&counted), "TCP is another matter, and they are counted");
    server.stop();
    let refused = records(&audit).iter().filter(|record| record["action_type"] == "auth_failed").count();
    assert_eq!(refused, turned_away);
}

#[test]
fn without_a_name_the_file_decides_and_only_its_owner_can_open_it() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let server = Deskhand::owned_with("320x240", &["--listen", &format!("unix:{}", socket.display())]);
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    assert_eq!(ask(&socket), "HTTP/1.1 200 OK");
    server.stop();
}
