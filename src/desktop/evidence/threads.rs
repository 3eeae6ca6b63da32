//! How long threads have run and how long they have waited for a processor, one by one: `/proc/PID/task/TID/schedstat`
//! (kernel documentation, "Scheduler Statistics"), in nanoseconds, where `/proc/PID/stat` counts ticks of ten milliseconds.

use std::{fs, time::Duration};

use super::counter::Counter;

/// How many threads are looked at: each look takes about a microsecond, and each holds a descriptor. The main threads come
/// first; in a browser they do most of what a page asks for.
const THREADS: usize = 192;

#[derive(Debug)]
struct Thread {
    process: u32,
    number: u32,
    counter: Counter,
    /// Run and waited, in nanoseconds, when it was last read.
    last: [u64; 2],
}

/// The threads of some processes, with what they have used since they were first seen.
#[derive(Debug, Default)]
pub struct ThreadClocks {
    threads: Vec<Thread>,
    ran: Duration,
    waited: Duration,
}

impl ThreadClocks {
    /// Looks at the threads of these processes from now on.
    pub fn follow(&mut self, processes: &[u32]) {
        self.threads.retain(|thread| processes.contains(&thread.process));
        for &process in processes {
            self.add(process, process);
        }
        for &process in processes {
            let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().filter_map(Result::ok);
            for thread in tasks.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
                if self.threads.len() >= THREADS {
                    return;
                }
                self.add(process, thread);
            }
        }
    }

    fn add(&mut self, process: u32, thread: u32) {
        let is_known = |known: &Thread| (known.process, known.number) == (process, thread);
        if self.threads.len() >= THREADS || self.threads.iter().any(is_known) {
            return;
        }
        let Ok(counter) = Counter::open(format!("/proc/{process}/task/{thread}/schedstat"), "") else { return };
        // What it did before it was seen says nothing.
        let Ok(last) = counter.read_pair() else { return };
        self.threads.push(Thread { process, number: thread, counter, last });
    }

    /// Whether there is anything to look at.
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// How long they have run and waited since they were first seen, all together.
    pub fn read(&mut self) -> [Duration; 2] {
        let (mut ran, mut waited) = (0, 0);
        self.threads.retain_mut(|thread| {
            // One that has ended cannot be read any more.
            let Ok(now) = thread.counter.read_pair() else { return false };
            ran += now[0].saturating_sub(thread.last[0]);
            waited += now[1].saturating_sub(thread.last[1]);
            thread.last = now;
            true
        });
        self.ran += Duration::from_nanos(ran);
        self.waited += Duration::from_nanos(waited);
        [self.ran, self.waited]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_thread_that_computes_is_seen_to() {
        let mut clocks = ThreadClocks::default();
        clocks.follow(&[std::process::id()]);
        assert!(!clocks.is_empty(), "the kernel has no schedstat");
        let before = clocks.read()[0];
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        // The thread of a test is none of the process's first; it is among those that are followed all the same.
        let [ran, waited] = clocks.read();
        assert!((ran + waited).saturating_sub(before) >= Duration::from_millis(20), "{ran:?} {waited:?}");
        clocks.follow(&[]);
        assert!(clocks.is_empty());
    }
}
