//! How much memory the executor's two processes take.

use std::fs;

use crate::support::Deskhand;

/// By how much they may grow under an attack, in KiB.
pub const GROWTH: u64 = 8 * 1024;

/// The processes of the executor: the supervisor and the server, and not what they started.
fn processes(server: &Deskhand) -> Vec<u32> {
    let ours = |name: &str| name.starts_with("deskhand");
    let below = server.process.descendants().into_iter().filter(|process| ours(&process.name));
    std::iter::once(server.process.pid()).chain(below.map(|process| process.pid)).collect()
}

fn field(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {status}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What was resident at one moment, in KiB.
pub struct Before(u64);

impl Before {
    /// Looks, and has the kernel forget the highest value so far (`clear_refs`, proc(5)).
    pub fn measure(server: &Deskhand) -> Self {
        let processes = processes(server);
        for pid in &processes {
            fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        }
        Self(processes.iter().map(|pid| field(*pid, "VmRSS:")).sum())
    }

    /// By how much the highest value since then lies above it.
    pub fn growth(&self, server: &Deskhand) -> u64 {
        let highest: u64 = processes(server).iter().map(|pid| field(*pid, "VmHWM:")).sum();
        highest.saturating_sub(self.0)
    }
}
