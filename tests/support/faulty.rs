//! `deskhand` with faults in its server, each behind a place that the pointer is moved to: what a test cannot bring about from
//! outside. Everything else is the product, and the faults come where an intruder's would: on the thread that talks to the
//! display, in the middle of an action, under the sandbox.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unsafe_code,
    reason = "it stands in a test, panics on purpose, prints what the test reads, and makes the calls that no wrapper offers"
)]

use std::{
    collections::BTreeMap,
    ffi::CStr,
    fs, io,
    net::{TcpListener, TcpStream},
    ops::Not as _,
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use deskhand::{
    cli,
    desktop::{
        Desktop, capture::Attendance, connection::OpenError, curtain::Curtain, door::Unguarded, faults::Faults,
        target::Target,
    },
    engine::server,
    plan::step::Step,
    protocol::units::NativePoint,
};
use libc::{c_int, c_long};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// A move to here panics.
const PANIC: NativePoint = NativePoint { x: 1, y: 1 };
/// A move to here tries everything that is forbidden, and prints what came of it.
const INTRUDER: NativePoint = NativePoint { x: 2, y: 2 };
/// A move to here only tries what this process outlives where it is not forbidden.
const GENTLE_INTRUDER: NativePoint = NativePoint { x: 3, y: 3 };
/// How often the display has been opened. An opening that `DESKHAND_FAULTY_OPENING` names panics.
static OPENED: AtomicU32 = AtomicU32::new(0);

fn main() -> ExitCode {
    // The name of a call that this kernel does not have.
    match std::env::var("DESKHAND_FAULTY_KERNEL").as_deref() {
        Ok("seccomp") => take_away(libc::SYS_seccomp),
        Ok("landlock") => take_away(libc::SYS_landlock_create_ruleset),
        _ => {}
    }
    cli::run(|start| server::serve_with(start, open))
}

/// Makes a system call fail as on a kernel without it, here and in all that is started from here.
fn take_away(call: c_long) {
    let architecture = std::env::consts::ARCH.try_into().expect("an architecture with filters");
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let rules = [(call, Vec::new())].into_iter().collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, architecture).expect("a filter");
    let program: BpfProgram = filter.try_into().expect("a program");
    // Whoever started us may have taken it away before, and with it the way to do so again.
    seccompiler::apply_filter(&program).ok();
}

fn open(
    target: &Target,
    attendance: Attendance,
    curtain: Arc<Curtain>,
    unguarded: Unguarded,
) -> Result<Desktop, OpenError> {
    let opening = OPENED.fetch_add(1, Ordering::Relaxed) + 1;
    assert!(
        std::env::var("DESKHAND_FAULTY_OPENING").is_ok_and(|faulty| faulty == opening.to_string()).not(),
        "the fault that was asked for"
    );
    let before_step = |step: &Step| match step {
        Step::Move(PANIC) => panic!("the fault that was asked for"),
        Step::Move(INTRUDER) => tell(&intrude(true)),
        Step::Move(GENTLE_INTRUDER) => tell(&intrude(false)),
        _ => {}
    };
    Desktop::open_all(
        target,
        attendance,
        curtain,
        unguarded,
        Faults { before_step: Some(Box::new(before_step)), ..Faults::default() },
    )
}

fn tell(outcomes: &BTreeMap<&'static str, String>) {
    println!("{}", serde_json::json!({"event": "tried", "outcomes": outcomes}));
}

/// Name → `done`, or the error.
fn intrude(without_mercy: bool) -> BTreeMap<&'static str, String> {
    let parent = std::os::unix::process::parent_id();
    let file = std::env::temp_dir().join(format!("deskhand-intruder-{parent}"));
    let mut outcomes = BTreeMap::new();
    let mut note = |name: &'static str, outcome: io::Result<()>| {
        outcomes.insert(name, outcome.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
    };
    note("start a process", Command::new("/bin/true").status().map(drop));
    note("read another user's file", fs::read("/etc/shadow").map(drop));
    note("read a file of this user", fs::read("/etc/hostname").or_else(|_| fs::read("/etc/passwd")).map(drop));
    note("list a directory", fs::read_dir("/").map(drop));
    note("write a file", fs::write(&file, "x"));
    note("remove a file", fs::remove_file(&file));
    note("make a directory", fs::create_dir(&file).and_then(|()| fs::remove_dir(&file)));
    note("connect by TCP", TcpStream::connect("127.0.0.1:9").map(drop));
    note("listen on TCP", TcpListener::bind("127.0.0.1:0").map(drop));
    note("read the memory of the supervisor", fs::File::open(format!("/proc/{parent}/mem")).map(drop));
    let calls = if without_mercy { calls(parent) } else { Vec::new() };
    for (name, number, arguments) in calls {
        note(name, raw(number, arguments));
    }
    outcomes
}

/// Calls with arguments that would do something, were they let through.
fn calls(parent: u32) -> Vec<(&'static str, c_long, [c_long; 6])> {
    const PROGRAM: &CStr = c"/bin/true";
    let program = PROGRAM.as_ptr() as c_long;
    let argv: &'static [*const libc::c_char; 2] = Box::leak(Box::new([PROGRAM.as_ptr(), std::ptr::null()]));
    let argv = argv.as_ptr() as c_long;
    let parent = c_long::from(parent);
    let flag = |flag: c_int| c_long::from(flag);
    let executable = flag(libc::PROT_READ | libc::PROT_EXEC);
    let anonymous = flag(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    vec![
        ("execve", libc::SYS_execve, [program, argv, 0, 0, 0, 0]),
        ("execveat", libc::SYS_execveat, [flag(libc::AT_FDCWD), program, argv, 0, 0, 0]),
        ("clone of a process", libc::SYS_clone, [flag(libc::SIGCHLD), 0, 0, 0, 0, 0]),
        ("clone3", libc::SYS_clone3, [0, 0, 0, 0, 0, 0]),
        ("ptrace", libc::SYS_ptrace, [flag(libc::PTRACE_SEIZE.cast_signed()), parent, 0, 0, 0, 0]),
        ("process_vm_readv", libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0, 0]),
        ("kill of the supervisor", libc::SYS_kill, [parent, 0, 0, 0, 0, 0]),
        ("kill of everybody", libc::SYS_kill, [-1, 0, 0, 0, 0, 0]),
        ("kill of a group, gently", libc::SYS_kill, [-parent, 0, 0, 0, 0, 0]),
        ("pidfd_open", libc::SYS_pidfd_open, [parent, 0, 0, 0, 0, 0]),
        ("packet socket", libc::SYS_socket, [flag(libc::AF_PACKET), flag(libc::SOCK_RAW), 0, 0, 0, 0]),
        ("TCP socket", libc::SYS_socket, [flag(libc::AF_INET), flag(libc::SOCK_STREAM), 0, 0, 0, 0]),
        ("route socket", libc::SYS_socket, [flag(libc::AF_NETLINK), flag(libc::SOCK_RAW), 0, 0, 0, 0]),
        ("executable memory", libc::SYS_mmap, [0, 4096, executable, anonymous, -1, 0]),
        ("memory made executable", libc::SYS_mprotect, [page(), 4096, executable, 0, 0, 0]),
        ("readable memory again", libc::SYS_prctl, [flag(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0]),
        ("limits", libc::SYS_prlimit64, [0, c_long::from(libc::RLIMIT_CORE), 0, 0, 0, 0]),
        ("mount", libc::SYS_mount, [0, program, 0, 0, 0, 0]),
        ("umount", libc::SYS_umount2, [program, 0, 0, 0, 0, 0]),
        ("unshare", libc::SYS_unshare, [flag(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [0, 0, 0, 0, 0, 0]),
        ("bpf", libc::SYS_bpf, [0, 0, 0, 0, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, [0, 0, 0, 0, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0, 0]),
        ("a pushed key on a terminal", libc::SYS_ioctl, [0, 0x5412, program, 0, 0, 0]),
    ]
}

/// A page that may be read.
fn page() -> c_long {
    // SAFETY: the kernel chooses where; nothing of ours is replaced.
    let page = unsafe {
        libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    page as c_long
}

fn raw(number: c_long, with: [c_long; 6]) -> io::Result<()> {
    // SAFETY: every pointer among the arguments is null or lives as long as the process; what a call that is let through
    // does to this process is what the test is about.
    let outcome = unsafe { libc::syscall(number, with[0], with[1], with[2], with[3], with[4], with[5]) };
    if outcome == 0 && number == libc::SYS_clone {
        // The child that should not be.
        std::process::exit(0);
    }
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
