//! The end of a desktop, told once to everybody who waits for it.

use tokio::sync::watch;

use crate::protocol::units::NativeSize;

/// Why a desktop is over. Open a new one, with a new epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A connection to the display ended.
    Lost {
        /// The reason, for people.
        reason: String,
    },
    /// The root window has another size than the one that everything was planned for.
    Resized {
        /// The new size.
        to: NativeSize,
    },
}

/// Where the threads of a desktop say that it is over. Cloning shares it; the first to speak is heard.
#[derive(Clone, Debug)]
pub struct EndSignal(watch::Sender<Option<Ended>>);

impl Default for EndSignal {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl EndSignal {
    /// Says that the desktop is over, unless that was said before.
    pub fn end(&self, ended: Ended) {
        self.0.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(ended);
            }
            first
        });
    }

    /// Where to wait for the end.
    pub fn subscribe(&self) -> watch::Receiver<Option<Ended>> {
        self.0.subscribe()
    }
}
