//! What applications are seen to do, without any help of theirs: whether they compute, wait for the network, or run a command in
//! a terminal.
//!
//! Every source is optional. A process in another namespace cannot be seen, a kernel may lack a file, a server an extension;
//! then there is less evidence, and a settled screen is told from pixels alone. [`Evidence::names`] says which sources are in
//! use.
pub mod applications;
pub mod cgroup;
pub mod counter;
pub mod process_stat;
pub mod processor;
pub mod tcp_sockets;
pub mod terminals;
pub mod threads;

use std::time::Instant;

use self::{
    applications::Applications,
    processor::Processor,
    tcp_sockets::{TcpSockets, TcpWatch},
    terminals::Terminals,
};
use super::{
    connection::{Link, LinkError},
    settle::judge::Sample,
};

/// All sources.
#[derive(Debug)]
pub struct Evidence {
    applications: Applications,
    processor: Processor,
    sockets: Option<TcpSockets>,
    watch: TcpWatch,
    terminals: Terminals,
    samples: u32,
}

impl Evidence {
    /// Finds out which sources there are. Asks the display who its clients are.
    pub fn new(link: &Link) -> Result<Self, LinkError> {
        let applications = Applications::find(link)?;
        let processor = Processor::new(&applications);
        let sockets =
            TcpSockets::open().inspect_err(|error| tracing::debug!(%error, "TCP sockets cannot be seen")).ok();
        let terminals = Terminals::new(&applications);
        Ok(Self { applications, processor, sockets, watch: TcpWatch::default(), terminals, samples: 0 })
    }

    /// The sources that are in use, for `display.info`.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = self.processor.names();
        if self.sockets.is_some() {
            names.push("tcp_sockets");
        }
        if self.applications.are_visible() {
            names.push("terminal_commands");
        }
        names
    }

    /// An action is about to begin: what is now is what there would be without it.
    pub fn before_action(&mut self, link: &Link, now: Instant) -> Result<(), LinkError> {
        if self.applications.refresh(link, now)? {
            self.terminals = Terminals::new(&self.applications);
        }
        self.processor.before_action(&self.applications, now);
        self.terminals.before_action();
        if let Some(sockets) = &mut self.sockets {
            self.watch.before_action(sockets, now);
        }
        self.samples = 0;
        Ok(())
    }

    /// What the applications do now, as compared with before the action.
    pub fn sample(&mut self, acted: Instant, now: Instant) -> Sample {
        // A page that is navigated to may be another process, and a command in a terminal is one.
        self.processor.follow(&mut self.applications, now);
        let work = self.processor.work(&self.applications, now);
        // Asking for all sockets takes longer than the rest, and their clock ticks every 4 ms.
        if let Some(sockets) = &mut self.sockets
            && self.samples.is_multiple_of(2)
        {
            self.watch.sample(sockets, self.applications.processes(), acted, now);
        }
        self.samples += 1;
        Sample {
            work,
            pending: self.watch.pending(),
            received: self.watch.received(),
            command: self.terminals.has_new_command(),
        }
    }

    /// The wait is over; what the applications use from now on, they use without an action.
    pub fn after_settling(&mut self, now: Instant) {
        self.processor.after_settling(now);
    }
}
