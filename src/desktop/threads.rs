//! Where another process's threads sleep, from `/proc` (proc(5)): the system call, the stack and instruction pointers in it,
//! and how often each thread has run. Other users' processes, hidden ones and those in other namespaces cannot be read.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// How many threads are looked at; what has more gives no evidence. Browsers, the largest, stay below a hundred, and a
/// process may have thousands only to keep us busy.
const THREADS: usize = 256;
/// How many bytes of one file are read. `status` has about 1,500; with a long list of groups its end is cut off, and then
/// there is no evidence.
const FILE: u64 = 16 * 1024;

/// The system calls that wait for descriptors, with the place of their number of descriptors among the arguments where they
/// have one: a `select` without any is a sleep. From the kernel's tables `syscall_64.tbl` and asm-generic/unistd.h.
#[cfg(target_arch = "x86_64")]
const DESCRIPTOR_WAITS: &[(u32, Option<usize>)] = &[
    (7, Some(1)),   // poll
    (23, Some(0)),  // select
    (232, None),    // epoll_wait
    (270, Some(0)), // pselect6
    (271, Some(1)), // ppoll
    (281, None),    // epoll_pwait
    (441, None),    // epoll_pwait2
];
#[cfg(target_arch = "aarch64")]
const DESCRIPTOR_WAITS: &[(u32, Option<usize>)] = &[
    (22, None),    // epoll_pwait
    (72, Some(0)), // pselect6
    (73, Some(1)), // ppoll
    (441, None),   // epoll_pwait2
];
/// On other machines nothing is known, and so there is never evidence.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const DESCRIPTOR_WAITS: &[(u32, Option<usize>)] = &[];

/// `futex`: a thread that waits for another one.
#[cfg(target_arch = "x86_64")]
const FUTEX: u32 = 202;
#[cfg(not(target_arch = "x86_64"))]
const FUTEX: u32 = 98;

/// A place in a program where a thread can sleep. The same function called from elsewhere has another stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The stack pointer.
    pub stack: u64,
    /// The instruction pointer.
    pub instruction: u64,
}

/// What a sleeping thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitsFor {
    /// Something to read or write.
    Descriptors,
    /// Another thread.
    Thread,
    /// The time, a disk, a child, or a call that was interrupted and goes on.
    Other,
}

/// One look at a thread that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleeper {
    /// Its id.
    pub thread: u32,
    /// Where it sleeps.
    pub place: Place,
    /// What for.
    pub waits_for: WaitsFor,
    /// How often it has given up the processor, by itself and against its will.
    pub switches: [u64; 2],
}

/// Looks at every thread. `None` when one of them runs, is stopped, or just ends; an error when they cannot be read.
pub fn look(process: u32) -> io::Result<Option<Vec<Sleeper>>> {
    let mut sleepers = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let entry = entry?;
        if sleepers.len() == THREADS {
            return Err(io::Error::other("too many threads"));
        }
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match look_at(&entry.path(), thread) {
            Ok(Some(sleeper)) => sleepers.push(sleeper),
            Ok(None) => return Ok(None),
            // ESRCH is what a thread's files say once it is dead (errno.h, 3).
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(sleepers))
}

fn look_at(directory: &Path, thread: u32) -> io::Result<Option<Sleeper>> {
    let call = read(&directory.join("syscall"))?;
    let status = read(&directory.join("status"))?;
    Ok(sleeper(thread, &call, &status))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(FILE).read_to_end(&mut text)?;
    // A process chooses its own name, which need not be UTF-8; nothing else here is its own.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What the two files say together. `syscall` is `running`, or the number in decimal and then six arguments, the stack and
/// the instruction pointer in hexadecimal; outside of a call the number is −1 and there are no arguments.
fn sleeper(thread: u32, call: &str, status: &str) -> Option<Sleeper> {
    let mut words = call.split_ascii_whitespace();
    let number: u32 = words.next()?.parse().ok()?;
    let numbers: Vec<u64> =
        words.map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16)).collect::<Result<_, _>>().ok()?;
    let [arguments @ .., stack, instruction] = numbers.as_slice() else { return None };
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    if !field("State")?.starts_with('S') {
        return None;
    }
    let switches =
        [field("voluntary_ctxt_switches")?.parse().ok()?, field("nonvoluntary_ctxt_switches")?.parse().ok()?];
    let has_descriptors = |(known, count): &(u32, Option<usize>)| {
        *known == number && count.is_none_or(|at| arguments.get(at).is_some_and(|&count| count > 0))
    };
    let waits_for = match number {
        FUTEX => WaitsFor::Thread,
        _ if DESCRIPTOR_WAITS.iter().any(has_descriptors) => WaitsFor::Descriptors,
        _ => WaitsFor::Other,
    };
    Some(Sleeper { thread, place: Place { stack: *stack, instruction: *instruction }, waits_for, switches })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tState:\tR\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\n\
                          voluntary_ctxt_switches:\t168\nnonvoluntary_ctxt_switches:\t37\n";

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_wait_for_descriptors_is_told_from_a_sleep_and_from_what_runs() {
        let poll = "7 0x7ffd1000 0x1 0xffffffff 0x0 0x0 0x0 0x7ffd0f00 0x7f00cafe\n";
        let found = sleeper(7, poll, STATUS).unwrap();
        assert_eq!(found.place, Place { stack: 0x7ffd_0f00, instruction: 0x7f00_cafe });
        assert_eq!((found.waits_for, found.switches), (WaitsFor::Descriptors, [168, 37]));
        let waits_for = |call: &str| sleeper(7, call, STATUS).map(|sleeper| sleeper.waits_for);
        let arguments = |number: u32, first: u32, second: u32| {
            waits_for(&format!("{number} {first:#x} {second:#x} 0x0 0x0 0x0 0x0 0x10 0x20\n"))
        };
        assert_eq!(arguments(23, 0, 0), Some(WaitsFor::Other), "select of nothing is a sleep");
        assert_eq!(arguments(23, 4, 0), Some(WaitsFor::Descriptors));
        assert_eq!(arguments(7, 1, 0), Some(WaitsFor::Other), "poll of nothing is a sleep");
        assert_eq!(arguments(232, 3, 0), Some(WaitsFor::Descriptors));
        assert_eq!(arguments(202, 0, 0), Some(WaitsFor::Thread));
        assert_eq!(arguments(230, 0, 0), Some(WaitsFor::Other), "clock_nanosleep");
        assert_eq!(arguments(219, 0, 0), Some(WaitsFor::Other), "restart_syscall could be any of them");
        assert_eq!(waits_for("running\n"), None);
        assert_eq!(waits_for("-1 0x10 0x20\n"), None);
        assert_eq!(waits_for(""), None);
        let stopped = STATUS.replace("S (sleeping)", "T (stopped)");
        assert_eq!(sleeper(7, poll, &stopped), None);
        let cut_off = &STATUS[..STATUS.len() - 40];
        assert_eq!(sleeper(7, poll, cut_off), None);
    }

    #[test]
    fn what_runs_is_awake_and_what_is_not_there_cannot_be_read() {
        assert_eq!(look(std::process::id()).unwrap(), None, "we run while we look");
        // Process ids end at 2²² (proc(5), pid_max).
        assert!(look(1 << 23).is_err());
    }
}
