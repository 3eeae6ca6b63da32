//! Every system call that the confined processes may make, who needs it, and with which arguments.
//!
//! Found by running the tests under strace(1) and reading what libc and the libraries do on the paths that no test takes (out
//! of memory, a machine whose clock cannot be read without a call, a panic). What is not here is refused: no program is
//! executed and no process started, nobody else is traced, read or signalled, nothing is mounted, no file that is there is opened for
//! writing, no memory becomes code, no socket of the network is made, no limit, filter or privilege is changed.
//!
//! A part that needs another call adds a row that says so, as narrow as its arguments allow.

use libc::c_long;

/// Which of the confined processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// The one that serves.
    Server,
    /// The one that answers its questions about other processes.
    Witness,
}

/// A condition on one argument, of which the lower 32 bits are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// Which argument, from 0 on.
    pub argument: u8,
    /// What it must be.
    pub test: Test,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// This.
    Is(u32),
    /// Equal to this in the bits of the mask.
    Bits { mask: u32, value: u32 },
    /// This or more.
    From(u32),
    /// Less than this.
    Below(u32),
    /// Our own process id.
    IsThisProcess,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Its number.
    pub number: c_long,
    /// Who may make it.
    pub callers: &'static [Caller],
    /// What needs it: for people who read the table, and for them only.
    #[allow(dead_code, reason = "each row says why it is here")]
    pub needed_by: &'static str,
    /// One of these lists of conditions must hold; none: always.
    pub when: &'static [&'static [Check]],
}

const BOTH: &[Caller] = &[Caller::Server, Caller::Witness];
const SERVER: &[Caller] = &[Caller::Server];

const fn any(number: c_long, callers: &'static [Caller], needed_by: &'static str) -> Row {
    Row { number, callers, needed_by, when: &[] }
}

const fn only(
    number: c_long,
    callers: &'static [Caller],
    when: &'static [&'static [Check]],
    needed_by: &'static str,
) -> Row {
    Row { number, callers, needed_by, when }
}

const fn is(argument: u8, value: i32) -> Check {
    Check { argument, test: Test::Is(value.cast_unsigned()) }
}

const fn without(argument: u8, mask: i32) -> Check {
    Check { argument, test: Test::Bits { mask: mask.cast_unsigned(), value: 0 } }
}

/// What opening a file for anything but reading takes.
const WRITES: i32 =
    libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | (libc::O_TMPFILE & !libc::O_DIRECTORY);
/// A file that is made, and was not there: nothing that is there can be written over by that.
const NEW_FILE: Test = Test::Bits {
    mask: (WRITES | libc::O_EXCL).cast_unsigned(),
    value: (libc::O_RDWR | libc::O_CREAT | libc::O_EXCL).cast_unsigned(),
};
/// What glibc makes a thread with, to the bit (`create_thread` in `nptl/pthread_create.c`): a process has none of these.
const THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;
/// The smallest and, behind the last, the first that is not: ids of process groups as kill(2) takes them, negative, without
/// −1, which means everybody, and without the most negative number, which is none.
const GROUPS: [u32; 2] = [0x8000_0001, u32::MAX];
/// `FIONBIO` (ioctl(2)), the same on both machines.
const NONBLOCKING: i32 = 0x5421;
/// `NETLINK_SOCK_DIAG` (`sock_diag(7)`).
const SOCK_DIAG: i32 = 4;

/// Calls that answer as if this kernel did not have them, so that libc takes the older way, whose arguments a filter can
/// look at: it asks for each thread that it starts, and takes no other answer for a no.
pub(super) const NOT_THERE: &[c_long] = &[libc::SYS_clone3];

/// The calls.
pub(super) const TABLE: &[Row] = &[
    // Memory. Nothing ever becomes executable.
    only(
        libc::SYS_mmap,
        BOTH,
        &[&[without(2, libc::PROT_EXEC)]],
        "allocations, threads' stacks, frames shared with the X server",
    ),
    only(libc::SYS_mprotect, BOTH, &[&[without(2, libc::PROT_EXEC)]], "guard pages of stacks, the allocator's arenas"),
    any(libc::SYS_munmap, BOTH, "allocations, threads that end, frames of a display that is gone"),
    any(libc::SYS_mremap, BOTH, "vectors that grow"),
    any(libc::SYS_madvise, BOTH, "the allocator and ended threads give memory back"),
    any(libc::SYS_mlock, SERVER, "sandbox/memory: a secret is not swapped out"),
    any(libc::SYS_munlock, SERVER, "sandbox/memory: a secret is gone"),
    any(libc::SYS_brk, BOTH, "the allocator's first arena"),
    any(libc::SYS_memfd_create, SERVER, "desktop/shm: a frame shared with the X server"),
    any(libc::SYS_ftruncate, SERVER, "desktop/shm: the frame's size; observe/usage_store: its file grows"),
    any(libc::SYS_fallocate, SERVER, "desktop/shm: the frame's memory, before the X server writes to it"),
    // Threads: each display has six, tokio starts more for what blocks, pictures are encoded by two.
    only(libc::SYS_clone, SERVER, &[&[is(0, THREAD)]], "threads, never processes"),
    any(libc::SYS_set_robust_list, SERVER, "glibc: a thread starts"),
    any(libc::SYS_rseq, SERVER, "glibc: a thread starts"),
    any(libc::SYS_sigaltstack, BOTH, "std: each thread's stack for a stack overflow"),
    any(libc::SYS_sched_getaffinity, SERVER, "std and glibc: where a thread's stack is, how many processors there are"),
    any(libc::SYS_sched_yield, SERVER, "std: a channel that is being written"),
    any(libc::SYS_futex, BOTH, "locks and channels between threads"),
    any(libc::SYS_gettid, BOTH, "std: a panic names its thread, an abort signals it"),
    only(libc::SYS_prctl, SERVER, &[&[is(0, libc::PR_SET_NAME)]], "std: a thread's name"),
    any(libc::SYS_exit, SERVER, "a thread ends"),
    any(libc::SYS_exit_group, BOTH, "the process ends"),
    // Signals.
    any(libc::SYS_rt_sigaction, BOTH, "tokio: SIGTERM; glibc: abort"),
    any(libc::SYS_rt_sigprocmask, BOTH, "glibc: threads that start, abort"),
    any(libc::SYS_rt_sigreturn, BOTH, "the way back out of a signal's handler"),
    any(libc::SYS_restart_syscall, BOTH, "the kernel: a wait goes on after a stop"),
    only(libc::SYS_tgkill, BOTH, &[&[Check { argument: 0, test: Test::IsThisProcess }]], "glibc: abort, of ourselves"),
    only(
        libc::SYS_kill,
        SERVER,
        &[&[
            Check { argument: 0, test: Test::From(GROUPS[0]) },
            Check { argument: 0, test: Test::Below(GROUPS[1]) },
            is(1, libc::SIGKILL),
        ]],
        "supervisor/link: COMMAND's process group goes when the supervisor was killed; a single process cannot be named",
    ),
    // Time, chance, who we are.
    any(libc::SYS_clock_gettime, BOTH, "the clock, where it cannot be read without a call"),
    any(libc::SYS_clock_nanosleep, SERVER, "desktop: a wait of an action, a pace between characters"),
    any(libc::SYS_nanosleep, SERVER, "the same, as older libraries have it"),
    any(libc::SYS_getrandom, BOTH, "hash tables, names of sessions, WebSocket masks"),
    any(libc::SYS_getpid, BOTH, "desktop/evidence: we are no application; glibc: abort"),
    any(libc::SYS_getuid, SERVER, "desktop/connection: whose X server we talk to"),
    // Those that can never fail: libraries (rustix in release builds) do not look whether they did.
    any(libc::SYS_uname, SERVER, "x11rb: our host's name, which a cookie may be for"),
    any(libc::SYS_getppid, SERVER, "nobody now; see above"),
    any(libc::SYS_getgid, SERVER, "nobody now; see above"),
    any(libc::SYS_getegid, SERVER, "nobody now; see above"),
    any(libc::SYS_clock_getres, SERVER, "nobody now; see above"),
    any(libc::SYS_geteuid, SERVER, "desktop/input_method: who we are, to a bus"),
    any(libc::SYS_getrusage, SERVER, "desktop/evidence: what we use ourselves is no evidence"),
    // Files: for reading. What is written was opened before.
    only(
        libc::SYS_openat,
        BOTH,
        &[&[without(2, WRITES)], &[Check { argument: 2, test: NEW_FILE }]],
        "desktop/evidence: /proc and /sys/fs/cgroup; std: a backtrace; observe/audit: another file when one is full",
    ),
    only(
        libc::SYS_renameat2,
        SERVER,
        &[&[is(4, libc::RENAME_NOREPLACE.cast_signed())]],
        "observe/audit: a full file is put aside under a name that nothing has",
    ),
    any(libc::SYS_read, BOTH, "files, sockets, standard input"),
    any(libc::SYS_readv, SERVER, "sockets"),
    any(libc::SYS_pread64, SERVER, "desktop/evidence: counters; observe/usage_store"),
    any(libc::SYS_write, BOTH, "sockets, standard output and error, what wakes a thread"),
    any(libc::SYS_writev, SERVER, "sockets"),
    any(libc::SYS_pwrite64, SERVER, "observe/usage_store"),
    any(libc::SYS_fsync, SERVER, "observe/usage_store: a report is on the disk when it is answered"),
    any(libc::SYS_fdatasync, SERVER, "observe/usage_store, the same"),
    any(libc::SYS_flock, SERVER, "observe/usage_store: nobody else has the file; given back at the end"),
    any(libc::SYS_lseek, BOTH, "std: how much of a file is left to read"),
    any(libc::SYS_close, BOTH, "everything that was opened"),
    any(libc::SYS_fstat, BOTH, "std: a file's size; tokio: what kind of socket it was given"),
    any(libc::SYS_newfstatat, BOTH, "the same by name"),
    any(libc::SYS_statx, BOTH, "the same, as std has it"),
    any(libc::SYS_getdents64, BOTH, "desktop/evidence: the processes and their threads"),
    any(libc::SYS_readlinkat, BOTH, "desktop/witness: a process's files and program"),
    any(libc::SYS_faccessat, SERVER, "whether a file is there"),
    any(libc::SYS_getcwd, BOTH, "std: a backtrace shortens paths"),
    any(
        libc::SYS_unlinkat,
        SERVER,
        "transport/unix_socket: our socket goes with us; supervisor/link: the private directory",
    ),
    only(
        libc::SYS_fcntl,
        BOTH,
        &[
            &[is(1, libc::F_GETFD)],
            &[is(1, libc::F_SETFD)],
            &[is(1, libc::F_GETFL)],
            &[is(1, libc::F_SETFL)],
            &[is(1, libc::F_DUPFD_CLOEXEC)],
            &[is(1, libc::F_ADD_SEALS)],
        ],
        "descriptors that are copied or must not block; desktop/shm: a frame keeps its size. No owner of signals is set",
    ),
    only(libc::SYS_ioctl, SERVER, &[&[is(1, NONBLOCKING)]], "std: sockets that must not block"),
    // Waiting.
    any(libc::SYS_ppoll, BOTH, "desktop: the display, a wake-up and the time at once"),
    any(libc::SYS_epoll_create1, SERVER, "tokio"),
    any(libc::SYS_epoll_ctl, SERVER, "tokio"),
    any(libc::SYS_epoll_pwait, SERVER, "tokio"),
    any(libc::SYS_eventfd2, SERVER, "tokio and desktop: what wakes a thread that waits"),
    any(libc::SYS_pipe2, SERVER, "desktop: what wakes a thread that waits"),
    // Sockets: connections to the display and to input methods' buses, and the kernel's tables of sockets. None of the
    // network: the listeners were there before.
    only(
        libc::SYS_socket,
        SERVER,
        &[&[is(0, libc::AF_UNIX)], &[is(0, libc::AF_NETLINK), is(2, SOCK_DIAG)]],
        "desktop/connection, desktop/input_method: Unix sockets; desktop/evidence, desktop/unix_sockets: sock_diag",
    ),
    only(
        libc::SYS_socketpair,
        SERVER,
        &[&[is(0, libc::AF_UNIX)]],
        "transport/bridge: standard input and output as one socket",
    ),
    any(libc::SYS_connect, SERVER, "desktop/connection: the display; desktop/input_method: a bus"),
    any(libc::SYS_accept4, SERVER, "transport/listener"),
    any(libc::SYS_sendto, BOTH, "sockets"),
    any(libc::SYS_sendmsg, SERVER, "desktop/shm: a frame's descriptor goes to the X server"),
    any(libc::SYS_recvfrom, BOTH, "sockets"),
    any(libc::SYS_recvmsg, SERVER, "desktop/stream: the display may send descriptors"),
    any(libc::SYS_shutdown, SERVER, "transport: the last bytes have been sent"),
    any(libc::SYS_getsockopt, SERVER, "desktop/connection: whose display it is (SO_PEERCRED)"),
    only(
        libc::SYS_setsockopt,
        SERVER,
        &[
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_RCVTIMEO)],
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_SNDTIMEO)],
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_LINGER)],
            &[is(1, libc::IPPROTO_TCP), is(2, libc::TCP_NODELAY)],
        ],
        "transport: small messages are not held back; desktop: an answer that does not come",
    ),
    any(libc::SYS_getsockname, SERVER, "desktop: our end of a connection"),
    any(libc::SYS_getpeername, SERVER, "desktop/resting_place: the display's end"),
    // As the above, by names that only the older machine has.
    #[cfg(target_arch = "x86_64")]
    any(libc::SYS_poll, BOTH, "desktop, transport/bridge: waiting"),
    #[cfg(target_arch = "x86_64")]
    any(libc::SYS_epoll_wait, SERVER, "tokio"),
    #[cfg(target_arch = "x86_64")]
    any(libc::SYS_readlink, BOTH, "desktop/witness: a process's files and program"),
    #[cfg(target_arch = "x86_64")]
    any(libc::SYS_unlink, SERVER, "transport/unix_socket: our socket goes with us"),
    #[cfg(target_arch = "x86_64")]
    any(libc::SYS_rmdir, SERVER, "supervisor/link: the private directory"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_one_row_and_every_row_says_who_needs_it() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(!row.needed_by.is_empty() && !row.callers.is_empty(), "row {at}");
            let twice = TABLE[..at].iter().any(|other| other.number == row.number);
            assert!(!twice, "system call {} has two rows, of which the filter would keep one", row.number);
            assert!(
                row.when.iter().all(|checks| !checks.is_empty()),
                "row {at} has a list of conditions that is empty"
            );
        }
    }

    #[test]
    fn what_an_intruder_wants_is_in_no_row() {
        let wanted = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_tkill,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_chroot,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_io_uring_setup,
            libc::SYS_userfaultfd,
            libc::SYS_seccomp,
            libc::SYS_prlimit64,
            libc::SYS_bind,
            libc::SYS_listen,
            libc::SYS_openat2,
            libc::SYS_renameat,
            libc::SYS_linkat,
            libc::SYS_symlinkat,
            libc::SYS_fchmodat,
            libc::SYS_pkey_mprotect,
            libc::SYS_personality,
        ];
        for call in wanted {
            assert!(!TABLE.iter().any(|row| row.number == call), "system call {call}");
        }
    }
}
