//! Which windows there are: asked for once, waited for, or followed. A thread with a connection of its own, because a hostile
//! program can make a look at them long.
//!
//! ```text
//! Windows ─► (thread) tracker ─► look ─► ask
//!                          └► known: what events have told
//! ```
//!
//! Nobody asks, nothing is selected: the thread then hears only what every client is told.
pub(super) mod ask;
mod known;
mod look;
mod tracker;
pub mod wait;

use std::{io, sync::Arc, thread};

use tokio::sync::{oneshot, watch};

use self::{
    tracker::{Question, Tracker},
    wait::WindowWait,
};
use super::{
    connection::{Link, LinkError},
    ended::EndSignal,
    inbox::{Inbox, Slot},
    observer::Answer,
};
use crate::protocol::{units::NativeRectangle, window::SeenWindow};

/// Whether keys go to a window or to one inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowFocus {
    /// They do. On a display whose focus follows the pointer: the pointer was on it.
    Here,
    /// They do not.
    Elsewhere,
}

/// A window that can be seen: mapped, and not all beside the screen. Others may cover it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowInfo {
    /// The application's window, not the frame around it.
    pub id: u32,
    /// What it says of itself, sanitised.
    pub seen: SeenWindow,
    /// Where its content is, without frame and border.
    pub place: NativeRectangle,
    /// Whether it has the keyboard.
    pub focus: WindowFocus,
}

/// The windows that can be seen, in stacking order, the lowest first.
pub type WindowList = Arc<[WindowInfo]>;

/// The windows of one display. Its thread ends when this is dropped.
#[derive(Debug)]
pub struct Windows {
    questions: Slot<Question>,
    /// `None` while nobody follows them.
    lists: watch::Sender<Option<WindowList>>,
}

impl Windows {
    /// Starts the thread. It asks the display nothing by itself. Without its connection nothing can be asked any more, so the
    /// connection's end is the end of the desktop.
    pub fn start(link: Link, ended: EndSignal) -> io::Result<Self> {
        let (questions, asked) = Inbox::new()?;
        let lists = watch::Sender::new(None);
        let tracker = Tracker::new(link, lists.clone());
        thread::Builder::new().name("windows".into()).spawn(move || tracker.run(&asked, &ended))?;
        Ok(Self { questions, lists })
    }

    /// The windows of this moment.
    pub fn list(&self) -> Answer<WindowList> {
        let (sender, receiver) = oneshot::channel();
        // If the thread is gone, the sender is dropped with the question and the receiver tells.
        self.questions.put(Question::List(sender));
        receiver
    }

    /// Waits for a window. Dropping the receiver of its sender ends the wait.
    pub fn wait_for(&self, wait: WindowWait) {
        self.questions.put(Question::Wait(wait));
    }

    /// Follows the windows until the receiver is dropped: each list that is different from the one before, `None` before the
    /// first. Who looks rarely finds fewer of them, the newest. It is closed when the display is over.
    pub fn follow(&self) -> watch::Receiver<Option<WindowList>> {
        let lists = self.lists.subscribe();
        self.questions.put(Question::Follow);
        lists
    }
}

/// The end of whoever asked a question that cannot be answered.
fn refuse(question: Question, error: &LinkError) {
    // That the one who asked has gone is no error.
    match question {
        Question::List(sender) => drop(sender.send(Err(error.clone()))),
        Question::Wait(wait) => wait.refuse(error),
        Question::Follow => {}
    }
}
