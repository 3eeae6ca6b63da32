//! What `deskhand serve` promises about its processes and files, on real Xvfb.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod support;

use std::{
    fs,
    io::{Read, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::{MetadataExt, PermissionsExt},
            net::{SocketAddr, UnixListener, UnixStream},
        },
    },
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use support::{
    PATIENCE, Process,
    desk::{Desk, command, run},
};

const SMALL: [&str; 3] = ["serve", "--xvfb", "320x240"];

fn serve<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().chain(more).copied().collect()
}

fn lock(number: &str) -> String {
    format!("/tmp/.X{number}-lock")
}

fn socket(number: &str) -> String {
    format!("/tmp/.X11-unix/X{number}")
}

/// A lock file as X servers write it.
fn write_lock(number: &str, pid: u32) {
    fs::write(lock(number), format!("{pid:>10}\n")).unwrap();
}

/// The id of a process that has ended.
fn dead_process() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// The first byte of the X server's answer to a connection set-up: 1 for success, 0 for a refusal.
fn connect(number: &str, cookie: Option<&[u8]>) -> u8 {
    let mut stream = UnixStream::connect(socket(number)).unwrap();
    let mut setup = vec![b'l', 0, 11, 0, 0, 0];
    match cookie {
        Some(cookie) => {
            setup.extend([18, 0, 16, 0, 0, 0]);
            setup.extend(b"MIT-MAGIC-COOKIE-1\0\0");
            setup.extend(cookie);
        }
        None => setup.extend([0; 6]),
    }
    stream.write_all(&setup).unwrap();
    let mut answer = [0; 1];
    stream.read_exact(&mut answer).unwrap();
    answer[0]
}

#[test]
fn an_owned_display_opens_only_with_its_cookie() {
    let desk = Desk::start(&SMALL);
    let ready = desk.event("ready");
    let number = ready["display"].as_str().unwrap().strip_prefix(':').unwrap();
    let path = ready["xauthority"].as_str().unwrap();
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o600);
    let file = fs::read(path).unwrap();
    let cookie = &file[file.len() - 16..];
    assert_eq!(connect(number, Some(cookie)), 1);
    assert_eq!(connect(number, None), 0, "a connection without the cookie must be refused");
    assert_eq!(connect(number, Some(&[0; 16])), 0, "a wrong cookie must be refused");
    assert_eq!(fs::read_to_string(lock(number)).unwrap(), format!("{:>10}\n", desk.pid()));
}

#[test]
fn a_killed_xvfb_comes_back_on_its_number_with_command_running_again() {
    // This COMMAND does not listen to SIGTERM, nor does it notice that its display is gone.
    let desk = Desk::start(&serve(&["--", "sh", "-c", "trap '' TERM; while :; do sleep 1000; done"]));
    let first = (desk.event("ready"), desk.command());
    desk.child("Xvfb").kill();
    let second = (desk.event("ready"), desk.command());
    assert_eq!(first.0, second.0, "number, cookie and token stay");
    assert!(first.1.wait(PATIENCE));
    assert_ne!(first.1.pid, second.1.pid);
}

#[test]
fn a_command_that_ends_because_its_display_died_does_not_end_the_server() {
    let desk = Desk::start(&serve(&["--", "xterm", "-e", "sleep", "1000"]));
    for _ in 0..3 {
        let command = desk.command();
        desk.child("Xvfb").kill();
        assert!(command.wait(PATIENCE));
    }
    desk.command();
}

#[test]
fn a_killed_supervisor_leaves_no_process_and_no_secret() {
    let desk = Desk::start(&serve(&["--", "sh", "-c", "sleep 1000 & sleep 1000 & wait"]));
    let token = desk.event("ready")["token_file"].as_str().unwrap().to_owned();
    desk.command();
    // Two processes below COMMAND, then: server, Xvfb, COMMAND and these.
    let processes = loop {
        let processes = desk.descendants();
        if processes.len() >= 5 {
            break processes;
        }
        std::thread::yield_now();
    };
    desk.signal(Signal::KILL);
    for process in &processes {
        assert!(process.wait(PATIENCE), "{} outlives the supervisor", process.name);
    }
    desk.end();
    assert!(!Path::new(&token).parent().unwrap().exists());
}

#[test]
fn sigterm_ends_everything_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let cookie = directory.path().join("cookie");
    let script = "setsid sleep 1000 & exec sleep 1000";
    let desk = Desk::start(&serve(&["--xauthority", cookie.to_str().unwrap(), "--", "sh", "-c", script]));
    let ready = desk.event("ready");
    let number = ready["display"].as_str().unwrap().strip_prefix(':').unwrap();
    let token = Path::new(ready["token_file"].as_str().unwrap());
    let runtime = token.parent().unwrap();
    assert_eq!(ready["xauthority"], cookie.to_str().unwrap());
    assert_eq!(fs::metadata(token).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(runtime).unwrap().mode() & 0o7777, 0o700);
    desk.command();
    let processes = loop {
        let processes = desk.descendants();
        if processes.len() >= 4 {
            break processes;
        }
        std::thread::yield_now();
    };
    desk.signal(Signal::TERM);
    assert_eq!(desk.end().0.code(), Some(0));
    for process in &processes {
        assert!(process.wait(PATIENCE), "{} outlives the supervisor", process.name);
    }
    for path in [cookie.to_str().unwrap(), runtime.to_str().unwrap()] {
        assert!(!Path::new(path).exists(), "{path} is still there");
    }
    // Another test may have taken the number by now; then the lock has another server's process in it.
    let holder = || fs::read_to_string(lock(number)).ok().and_then(|text| text.trim().parse::<u32>().ok());
    for path in [lock(number), socket(number)] {
        let is_left = || match holder() {
            Some(holder) => processes.iter().any(|process| process.pid == holder),
            None => Path::new(&path).exists(),
        };
        assert!(!Path::new(&path).exists() || !is_left(), "{path} is still there");
    }
}

#[test]
fn an_interrupt_while_the_display_starts_leaves_nothing_either() {
    let desk = Desk::start(&serve(&["--display", ":710"]));
    while !Path::new(&lock("710")).exists() {
        std::thread::yield_now();
    }
    desk.signal(Signal::INT);
    assert_eq!(desk.end().0.code(), Some(0));
    assert!(!Path::new(&lock("710")).exists() && !Path::new(&socket("710")).exists());
}

#[test]
fn the_end_of_command_on_a_living_display_ends_the_server_with_its_success() {
    for (script, code) in [("exit 0", 0), ("exit 7", 1), ("kill -9 $$", 1)] {
        let (status, errors) = Desk::start(&serve(&["--", "sh", "-c", script])).end();
        assert_eq!(status.code(), Some(code), "{script}: {errors}");
    }
    let (status, errors) = Desk::start(&serve(&["--", "no-such-program"])).end();
    assert_eq!(status.code(), Some(1));
    assert!(errors.contains("cannot run no-such-program"), "{errors}");
}

#[test]
fn a_command_sees_the_display_and_writes_only_to_standard_error() {
    let desk = Desk::start(&serve(&["--display", ":711", "--", "sh", "-c", "echo $DISPLAY $XAUTHORITY; cat"]));
    let ready = desk.event("ready");
    let (status, errors) = desk.end();
    assert_eq!(status.code(), Some(0), "its standard input is empty, so `cat` ends");
    let expected = format!(":711 {}\n", ready["xauthority"].as_str().unwrap());
    assert!(errors.contains(&expected), "{errors}");
}

#[test]
fn a_killed_server_ends_everything_as_an_internal_fault() {
    let desk = Desk::start(&serve(&["--", "sleep", "1000"]));
    let command = desk.command();
    let xvfb = desk.child("Xvfb");
    desk.child("deskhand-server").kill();
    assert!(command.wait(PATIENCE));
    assert!(xvfb.wait(PATIENCE));
    let (status, errors) = desk.end();
    assert_eq!(status.code(), Some(70));
    assert!(errors.contains("the server ended by signal 9"), "{errors}");
}

#[test]
fn the_exit_code_of_the_server_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let taken = directory.path().join("taken");
    fs::write(&taken, "").unwrap();
    let listen = format!("unix:{}", taken.display());
    let (status, errors) = Desk::start(&serve(&["--listen", &listen, "--", "sleep", "1000"])).end();
    assert_eq!(status.code(), Some(5), "{errors}");
}

#[test]
fn a_stale_lock_and_socket_are_reclaimed() {
    write_lock("712", dead_process());
    fs::create_dir_all("/tmp/.X11-unix").unwrap();
    // A run of this test that was ended in the middle has left the file that this one wants to make.
    fs::remove_file(socket("712")).ok();
    drop(UnixListener::bind(socket("712")).unwrap());
    let desk = Desk::start(&serve(&["--display", ":712"]));
    assert_eq!(desk.event("ready")["display"], ":712");
}

#[test]
fn a_lock_whose_process_id_now_means_another_program_is_stale() {
    // As after the restart of a container, where small process ids come again: this one is a test's.
    write_lock("716", std::process::id());
    let desk = Desk::start(&serve(&["--display", ":716"]));
    assert_eq!(desk.event("ready")["display"], ":716");
}

#[test]
fn a_number_that_somebody_holds_is_not_taken() {
    // Called as an X server is, or as a supervisor of another version: a lock says only a process id, and the name is what
    // tells a server that starts from others.
    for program in ["Xheld", "deskhand-next"] {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join(program);
        std::os::unix::fs::symlink("/bin/sleep", &name).unwrap();
        let holder = Process::start(Command::new(&name).arg("1000"));
        write_lock("713", holder.pid());
        let (code, _, errors) = run(command(&serve(&["--display", ":713"])));
        assert_eq!(code, 3, "{program}");
        assert!(errors.contains("display :713 is not free") && errors.contains("choose another"), "{errors}");
        assert_eq!(fs::read_to_string(lock("713")).unwrap(), format!("{:>10}\n", holder.pid()));
        fs::remove_file(lock("713")).unwrap();
    }

    fs::write(lock("714"), "a note\n").unwrap();
    assert_eq!(run(command(&serve(&["--display", ":714"]))).0, 3, "what is no lock file is not removed");
    fs::remove_file(lock("714")).unwrap();

    // A server that writes no lock, or whose lock names a process of another namespace.
    for pid in [None, Some(dead_process())] {
        let listener = UnixListener::bind(socket("715")).unwrap();
        if let Some(pid) = pid {
            write_lock("715", pid);
        }
        assert_eq!(run(command(&serve(&["--display", ":715"]))).0, 3);
        assert!(Path::new(&socket("715")).exists(), "the socket of the living server stays");
        assert_eq!(Path::new(&lock("715")).exists(), pid.is_some());
        drop(listener);
        fs::remove_file(socket("715")).unwrap();
    }
    fs::remove_file(lock("715")).unwrap();
}

#[test]
fn a_number_that_is_used_in_another_container_of_our_network_is_not_taken() {
    // Only the abstract name is seen there: neither lock nor socket file.
    let address = SocketAddr::from_abstract_name(socket("717")).unwrap();
    let _server = UnixListener::bind_addr(&address).unwrap();
    let (code, _, errors) = run(command(&serve(&["--display", ":717"])));
    assert_eq!(code, 3);
    assert!(errors.contains("display :717 is not free") && errors.contains("choose another"), "{errors}");
    assert!(!Path::new(&lock("717")).exists());
}

#[test]
fn several_supervisors_that_start_at_once_get_different_numbers() {
    let desks: Vec<Desk> = (0..4).map(|_| Desk::start(&SMALL)).collect();
    let mut numbers: Vec<String> = desks.iter().map(|desk| desk.event("ready")["display"].to_string()).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "{numbers:?}");
}

#[test]
fn a_missing_xvfb_is_told_with_the_way_to_install_it() {
    let mut without = command(&SMALL);
    without.env("PATH", "/nonexistent");
    let (code, _, errors) = run(without);
    assert_eq!(code, 3);
    assert!(errors.contains("apt-get install xvfb"), "{errors}");
}

#[test]
fn an_xvfb_that_keeps_dying_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("Xvfb");
    fs::write(&script, "#!/bin/sh\necho no such extension >&2\nexit 1\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut broken = command(&SMALL);
    broken.env("PATH", format!("{}:/usr/bin:/bin", directory.path().display()));
    let (code, _, errors) = run(broken);
    assert_eq!(code, 3);
    assert!(errors.contains("Xvfb died 5 times") && errors.contains("status 1"), "{errors}");
    assert_eq!(errors.matches("no such extension").count(), 5);
}

#[test]
fn a_stdio_listener_gets_the_standard_streams_and_needs_no_token() {
    let mut child = command(&serve(&["--listen", "stdio"]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = "GET / HTTP/1.1\r\n".repeat(100);
    child.stdin.take().unwrap().write_all(bytes.as_bytes()).unwrap();
    let mut echoed = vec![0; bytes.len()];
    child.stdout.as_mut().unwrap().read_exact(&mut echoed).unwrap();
    assert_eq!(echoed, bytes.as_bytes(), "standard output carries nothing but the host's bytes");
    let mut errors = child.stderr.take().unwrap();
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("\"event\":\"ready\"") {
        let mut byte = [0; 1];
        errors.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    // The server holds the standard streams still open; the end of `deskhand` closes them.
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    errors.read_to_end(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(String::from_utf8_lossy(&text).contains(r#""token_file":null"#));
}

#[test]
fn an_attached_display_is_left_alone() {
    let owner = Desk::start(&SMALL);
    let ready = owner.event("ready");
    let (display, cookie) = (ready["display"].as_str().unwrap(), ready["xauthority"].as_str().unwrap());
    let mut attach = command(&["serve", "--", "sh", "-c", "echo $DISPLAY $XAUTHORITY; xterm -e true"]);
    attach.env("DISPLAY", display).env("XAUTHORITY", cookie);
    let (status, errors) = Desk::start_command(attach).end();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(errors.contains(&format!("{display} {cookie}\n")), "{errors}");
    assert!(Path::new(&socket(&display[1..])).exists() && Path::new(&lock(&display[1..])).exists());
}

#[test]
fn the_supervisor_stays_tiny() {
    let desk = Desk::start(&serve(&["--", "sleep", "1000"]));
    desk.command();
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", desk.pid())).unwrap();
    let private: u64 = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(private <= 2048, "{private} KiB are private");
    assert_eq!(fs::read_dir(format!("/proc/{}/task", desk.pid())).unwrap().count(), 1, "one thread");
}
