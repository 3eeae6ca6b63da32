//! The clipboard: a thread with a connection of its own, because it must answer the application that pastes while the input
//! thread presses the chord and waits. It starts with the first paste; until then there is none of it.
//!
//! A paste takes `CLIPBOARD`, and `PRIMARY` where the application pastes that, answers the application alone, and gives
//! the selections back. A former owner cannot be made owner again by anyone but itself, so "back" means: we stay the owner
//! and answer everybody with the former owner's content, of which text, HTML, file lists and a PNG picture are saved, up to
//! 4 MiB for both selections and within 300 ms (`keeper`). What could not be saved, or where nobody was the owner, has no
//! owner afterwards. What was saved lasts until somebody copies again or the desktop is closed.

mod atoms;
mod content;
mod exchange;
mod keeper;
mod listener;
mod rate;
mod server;
mod transfer;

use std::sync::{Arc, mpsc};

use exchange::Exchange;
pub(super) use exchange::Phase;
use server::Server;
use x11rb::protocol::xproto::Atom;

use self::atoms::Atoms;
use super::{
    connection::{Link, LinkError, OPERATION_TIME, OpenError},
    permit::Waker,
    target::Target,
};

/// `PRIMARY` is predefined (X protocol, appendix B), and `From` is not usable in a constant function.
const PRIMARY: Atom = 1;

/// A selection that applications paste from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    Clipboard,
    Primary,
}

impl Selection {
    const fn atom(self, atoms: &Atoms) -> Atom {
        match self {
            Self::Clipboard => atoms.CLIPBOARD,
            Self::Primary => PRIMARY,
        }
    }
}

/// A paste as the input thread orders it.
#[derive(Debug)]
struct Order {
    text: Arc<str>,
    /// The client that may have the text.
    target: u32,
    selections: Vec<Selection>,
    exchange: Arc<Exchange>,
}

#[derive(Debug)]
enum Command {
    Offer(Order),
    /// Input follows, by which the application may paste something else.
    InputFollows,
    /// Ends the paste of this exchange, unless another one has begun.
    Withdraw(Arc<Exchange>, Outcome),
}

/// What a paste that ends leaves behind for the application that was to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It has the text, and what it still asks for because of this paste is answered with it.
    HasText,
    /// It got nothing in time; when it asks after all because of this paste, it gets nothing.
    Refused,
}

/// The way to the clipboard thread.
#[derive(Debug)]
pub(super) struct Clipboard {
    target: Target,
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    commands: mpsc::Sender<Command>,
    waker: Waker,
}

impl Thread {
    fn send(&self, command: Command) -> Result<(), mpsc::SendError<Command>> {
        self.commands.send(command)?;
        self.waker.wake();
        Ok(())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // It must look at its commands to see that nobody can send any more.
        self.commands = mpsc::channel().0;
        self.waker.wake();
    }
}

impl Clipboard {
    pub(super) const fn new(target: Target) -> Self {
        Self { target, thread: None }
    }

    /// Says that input follows: what the application asks for from now on need not be the last paste. Costs nothing before
    /// the first paste.
    pub(super) fn input_follows(&self) {
        if let Some(thread) = &self.thread {
            // A thread that has ended answers nobody.
            drop(thread.send(Command::InputFollows));
        }
    }

    /// Begins a paste into the windows of a client. `waker` is woken when the offer's phase changes. The offer ends when it
    /// is dropped.
    pub(super) fn offer(
        &mut self,
        text: &str,
        target: u32,
        selections: Vec<Selection>,
        waker: Waker,
    ) -> std::io::Result<Offer> {
        let exchange = Arc::new(Exchange::new(waker));
        let order = Order { text: text.into(), target, selections, exchange: Arc::clone(&exchange) };
        let mut command = Command::Offer(order);
        if let Some(thread) = &self.thread {
            match thread.send(command) {
                Ok(()) => {
                    return Ok(Offer { exchange, commands: thread.commands.clone(), waker: thread.waker.clone() });
                }
                // It ended with its connection; the next one opens another.
                Err(mpsc::SendError(unsent)) => command = unsent,
            }
        }
        let thread = self.thread.insert(start(self.target.clone())?);
        // If it ends at once, its end of the channel goes, and the phase stays until the input thread gives up.
        drop(thread.send(command));
        Ok(Offer { exchange, commands: thread.commands.clone(), waker: thread.waker.clone() })
    }
}

/// A text that an application can ask for, until this is dropped.
#[derive(Debug)]
pub(super) struct Offer {
    exchange: Arc<Exchange>,
    commands: mpsc::Sender<Command>,
    waker: Waker,
}

impl Offer {
    pub(super) fn phase(&self) -> Phase {
        self.exchange.phase()
    }

    /// From now on the application's requests are taken for its paste.
    pub(super) fn press(&self) {
        self.exchange.press();
    }

    /// Whether the selections are given back.
    pub(super) fn is_over(&self) -> bool {
        self.exchange.is_over()
    }

    /// Ends the offer; [`Offer::is_over`] tells when that has happened. The second time changes nothing.
    pub(super) fn withdraw(&self) {
        let outcome = match self.phase() {
            Phase::Delivered | Phase::Taken => Outcome::HasText,
            Phase::Preparing | Phase::Offered | Phase::Lost | Phase::Failed(_) => Outcome::Refused,
        };
        // A thread that has ended owns nothing any more.
        drop(self.commands.send(Command::Withdraw(Arc::clone(&self.exchange), outcome)));
        self.waker.wake();
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if !self.is_over() {
            self.withdraw();
        }
    }
}

fn start(target: Target) -> std::io::Result<Thread> {
    let waker = Waker::new()?;
    let (commands, orders) = mpsc::channel();
    let for_thread = waker.clone();
    std::thread::Builder::new().name("clipboard".into()).spawn(move || run(&target, &orders, &for_thread))?;
    Ok(Thread { commands, waker })
}

fn run(target: &Target, orders: &mpsc::Receiver<Command>, waker: &Waker) {
    let opened = Link::open(target, OPERATION_TIME).map_err(|error| match error {
        OpenError::Unresponsive(_) => LinkError::Unresponsive,
        error => LinkError::Lost(error.to_string()),
    });
    match opened.and_then(Server::new) {
        Ok(mut server) => {
            let error = server.run(orders, waker);
            tracing::debug!(?error, "the clipboard thread ends");
        }
        Err(error) => {
            // Whoever orders before the channel is gone is told; later orders start another thread.
            if let Ok(Command::Offer(order)) = orders.recv() {
                order.exchange.enter(Phase::Failed(error));
            }
        }
    }
}
