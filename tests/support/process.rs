//! Child processes that do not outlive their test.

use std::{
    collections::HashSet,
    fs,
    os::fd::OwnedFd,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, kill_process_group, pidfd_open, waitpid},
};

/// How long a process may take to go after it was told to.
const GOODBYE: Duration = Duration::from_secs(10);

/// A child in a process group of its own. Dropping it ends the group and everything that descends from it.
pub struct Process {
    child: Child,
    name: String,
    reaped: bool,
}

impl Process {
    /// Starts `command` as the leader of a new process group.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}; is it installed?"));
        Self { child, name, reaped: false }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends one signal to the leader alone.
    pub fn signal(&self, signal: Signal) {
        assert!(!self.reaped, "{} is gone already", self.name);
        kill_process(as_pid(self.pid()), signal).unwrap();
    }

    /// Stops the leader; returns when it stands still.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let (_, status) = waitpid(Some(as_pid(self.pid())), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{} does not stop: {status:?}", self.name);
    }

    /// Lets a stopped leader go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks the leader to end, stopped or not, and waits for that. What does not listen is left to be killed.
    pub fn end(&mut self) {
        if !self.reaped {
            // Errors mean that it has gone by itself.
            kill_process(as_pid(self.pid()), Signal::TERM).ok();
            kill_process(as_pid(self.pid()), Signal::CONT).ok();
            self.wait(GOODBYE);
        }
    }

    /// Waits until the leader has exited.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let descriptor = pidfd_open(as_pid(self.pid()), PidfdFlags::empty()).ok()?;
        wait_for_exit(&descriptor, limit).then(|| {
            let status = self.child.wait().unwrap();
            self.reaped = true;
            status
        })
    }

    /// Everything that descends from this process and is still there.
    pub fn descendants(&self) -> Vec<Watched> {
        descendants(self.pid())
    }

    /// Ends the leader, its group and its descendants without asking, and waits for all of them.
    pub fn kill(&mut self) {
        let descendants = self.descendants();
        if !self.reaped {
            // Errors mean that the process has gone by itself, which is what is wanted.
            kill_process_group(as_pid(self.pid()), Signal::KILL).ok();
            kill_process(as_pid(self.pid()), Signal::KILL).ok();
            self.child.wait().unwrap();
            self.reaped = true;
        }
        for descendant in &descendants {
            descendant.kill();
        }
        for descendant in &descendants {
            assert!(descendant.wait(GOODBYE), "{} (of {}) does not go", descendant.name, self.name);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would hide the first.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.kill())).ok();
        } else {
            self.kill();
        }
    }
}

/// A process that is not our child, held by a descriptor so that its id cannot come to mean another one.
pub struct Watched {
    pub pid: u32,
    pub name: String,
    descriptor: OwnedFd,
}

impl Watched {
    /// `None` when there is no such process any more.
    pub fn open(pid: u32) -> Option<Self> {
        let descriptor = pidfd_open(as_pid(pid), PidfdFlags::empty()).ok()?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
        Some(Self { pid, name, descriptor })
    }

    /// Whether it has exited within `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        wait_for_exit(&self.descriptor, limit)
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::pidfd_send_signal(&self.descriptor, signal).unwrap();
    }

    pub fn kill(&self) {
        // Gone already is as good.
        rustix::process::pidfd_send_signal(&self.descriptor, Signal::KILL).ok();
    }
}

/// Every process below `ancestor`, nearest first.
pub fn descendants(ancestor: u32) -> Vec<Watched> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && let Some(parent) = parent(pid)
        {
            parents.push((pid, parent));
        }
    }
    let mut family = HashSet::from([ancestor]);
    let mut order = Vec::new();
    loop {
        let young: Vec<u32> = parents
            .iter()
            .filter(|(pid, parent)| family.contains(parent) && !family.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if young.is_empty() {
            return order.into_iter().filter_map(Watched::open).collect();
        }
        family.extend(&young);
        order.extend(young);
    }
}

/// The fourth field of `/proc/PID/stat`, after the name in parentheses, which may itself hold spaces (proc(5)).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A pidfd becomes readable when its process exits (`pidfd_open(2)`).
fn wait_for_exit(descriptor: &OwnedFd, limit: Duration) -> bool {
    readable(descriptor, Instant::now() + limit)
}

/// Waits until a descriptor can be read or the deadline has passed.
pub fn readable(descriptor: &impl std::os::fd::AsFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled = [PollFd::new(descriptor, PollFlags::IN)];
        match poll(&mut polled, Some(&Timespec::try_from(left).unwrap())) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}
