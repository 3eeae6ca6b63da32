//! An application that stands still again and again, as on a machine that has no time for it.

use std::{
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::support::Process;

/// How long the process runs between two stops, and how long it is stopped, in milliseconds.
const RUNS: (u64, u64) = (5, 60);
const STANDS: (u64, u64) = (20, 150);

/// Stops a process at random until it is dropped; then the process runs.
pub struct Stalls {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stalls {
    pub fn of(process: &Process) -> Self {
        let pid = Pid::from_raw(i32::try_from(process.pid()).unwrap()).unwrap();
        let (end, ended) = channel::<()>();
        let thread = thread::spawn(move || {
            let mut random = Random(u64::from(pid.as_raw_pid().unsigned_abs()));
            // The channel closes when it is over.
            let over =
                |time: Duration| ended.recv_timeout(time) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
            loop {
                if over(random.time(RUNS)) {
                    return;
                }
                kill_process(pid, Signal::STOP).unwrap();
                let last = over(random.time(STANDS));
                kill_process(pid, Signal::CONT).unwrap();
                if last {
                    return;
                }
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread means that the process has gone, which the test notices by itself.
            thread.join().ok();
        }
    }
}

/// Knuth's linear congruential generator (MMIX); its high bits are random enough.
struct Random(u64);

impl Random {
    fn time(&mut self, (least, most): (u64, u64)) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(least + (self.0 >> 33) % (most - least + 1))
    }
}
