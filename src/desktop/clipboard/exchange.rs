//! What the input thread and the clipboard thread tell each other about one paste.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::desktop::{connection::LinkError, permit::Waker};

/// How far a paste is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desktop) enum Phase {
    /// The former owner's content is being saved.
    Preparing,
    /// The text can be asked for.
    Offered,
    /// The application has been told that the text is there, all of it.
    Delivered,
    /// The application has fetched the text and said so.
    Taken,
    /// Another program has made the selection its own.
    Lost,
    /// The connection failed.
    Failed(LinkError),
}

/// One paste as both threads see it.
#[derive(Debug)]
pub(super) struct Exchange {
    phase: Mutex<Phase>,
    /// The chord is on its way: whoever asks now may be pasting.
    pressed: AtomicBool,
    /// The selections are given back.
    over: AtomicBool,
    /// Wakes the input thread.
    waker: Waker,
}

impl Exchange {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            phase: Mutex::new(Phase::Preparing),
            pressed: AtomicBool::new(false),
            over: AtomicBool::new(false),
            waker,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        // The lock is held for single assignments that cannot panic.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on to a phase. The first of the last three stays: nothing that comes later makes it untrue.
    pub(super) fn enter(&self, next: Phase) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*phase, Phase::Taken | Phase::Lost | Phase::Failed(_)) {
            *phase = next;
        }
        drop(phase);
        self.waker.wake();
    }

    pub(super) fn press(&self) {
        self.pressed.store(true, Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Acquire)
    }
}
