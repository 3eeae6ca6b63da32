//! How a command on the input thread is ended from outside: a flag that is looked at before each flush, and a descriptor
//! that wakes the thread out of a wait.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::Errno,
};

use tokio::sync::Notify;
use x11rb::protocol::xproto::Window;

use super::curtain::{Cover, Curtain, Part, View};
use crate::{
    plan::bounds::Bounds,
    protocol::{policy::WindowRules, secret::SecretRule, units::Milliseconds, window::WindowMatch},
};

/// A descriptor that makes `poll` return. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Makes one; fails only where the process has no descriptors left.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes the thread that polls, now or at its next `poll`.
    pub fn wake(&self) {
        // The only failure left is a counter at its maximum, and then the descriptor is readable, which is the purpose.
        while let Err(Errno::INTR) = rustix::io::write(&self.0, &1_u64.to_ne_bytes()) {}
    }

    /// Takes all wake-ups so far.
    pub fn clear(&self) {
        // Nothing to take is the ordinary failure.
        while let Err(Errno::INTR) = rustix::io::read(&self.0, &mut [0_u8; 8]) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ends commands. Cloning shares it; it stays cancelled for ever.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<CancellationState>);

#[derive(Debug, Default)]
struct CancellationState {
    cancelled: AtomicBool,
    /// The thread that was last given a command with this cancellation.
    waker: Mutex<Option<Waker>>,
    /// Wakes the tasks that wait.
    waiting: Notify,
}

impl Cancellation {
    /// One that is not cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every command that carries this, running or waiting for its turn. What it pressed is released.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        if let Some(waker) = &*self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake();
        }
        self.0.waiting.notify_waiters();
    }

    /// Returns once [`Cancellation::cancel`] has been called.
    pub async fn cancelled(&self) {
        // Registered before the flag is looked at, so that no cancel falls in between.
        let mut waiting = pin!(self.0.waiting.notified());
        waiting.as_mut().enable();
        if !self.is_cancelled() {
            waiting.await;
        }
    }

    /// Whether [`Cancellation::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Names the thread to wake. The thread looks at the flag before it begins, so a cancel just before is not lost.
    pub(super) fn wakes(&self, waker: &Waker) {
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }
}

/// Until when, where and how fast a command may act.
#[derive(Clone, Debug, Default)]
pub struct Permit {
    /// Ends it early.
    pub cancellation: Cancellation,
    /// Ends it then; `None` for no limit but its own.
    pub deadline: Option<Instant>,
    /// The window that must get its input; `None` for any.
    pub expect_window: Option<Arc<WindowMatch>>,
    /// The policy's rules about the windows that may get its input; `None` for none.
    pub windows: Option<Arc<WindowRules>>,
    /// Where it may point and what it must not press; `None` for anything.
    pub bounds: Option<Arc<Bounds>>,
    /// What a secret that it types needs; `None` for anything else.
    pub secret: Option<SecretPermit>,
    /// Whether windows may be told of by their titles.
    pub view: View,
    /// A pause after each character of a text but the last.
    pub pace: Option<Milliseconds>,
}

/// Under which conditions a secret may be typed, and what becomes of pictures.
#[derive(Clone, Debug)]
pub struct SecretPermit {
    /// Where.
    pub rule: Arc<SecretRule>,
    /// The executables of programs that may be connected beside the window's own.
    pub clients: Arc<[String]>,
    /// What pictures do not show.
    pub curtain: Arc<Curtain>,
    /// What was covered because of it, as soon as it is.
    pub tainted: Arc<OnceLock<Tainted>>,
}

/// What has been covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tainted {
    /// By this part.
    pub part: Part,
    /// How.
    pub cover: Cover,
    /// Because of this window.
    pub window: Window,
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn is_readable(waker: &Waker) -> bool {
        poll(&mut [PollFd::new(waker, PollFlags::IN)], Some(&rustix::event::Timespec::default())).unwrap() == 1
    }

    #[test]
    fn a_cancel_wakes_the_thread_that_has_the_command_and_no_earlier_one() {
        let (first, second) = (Waker::new().unwrap(), Waker::new().unwrap());
        let cancellation = Cancellation::new();
        cancellation.wakes(&first);
        cancellation.wakes(&second);
        cancellation.clone().cancel();
        assert!(cancellation.is_cancelled());
        assert!(is_readable(&second) && !is_readable(&first));
        second.clear();
        assert!(!is_readable(&second));
    }

    #[tokio::test]
    async fn a_cancel_ends_a_wait_that_has_begun_and_one_that_begins_later() {
        let cancellation = Cancellation::new();
        let waiting = cancellation.cancelled();
        cancellation.cancel();
        waiting.await;
        cancellation.cancelled().await;
    }

    #[test]
    fn a_cancel_before_the_command_is_given_away_is_not_lost() {
        let cancellation = Cancellation::new();
        cancellation.cancel();
        cancellation.wakes(&Waker::new().unwrap());
        assert!(cancellation.is_cancelled());
    }
}
