//! What all requests share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use data_encoding::HEXLOWER;
use tokio::sync::watch;

use super::{
    client::Client,
    display::{DisplayState, Live},
};
use crate::{
    desktop::capture::Attendance,
    observe::audit::Audit,
    protocol::{error::Failure, identity::Principal, screen::ScreenFit, token::TokenHash, units::PixelsPerNotch},
    session::registry::{SessionId, Sessions},
};

/// How long a request waits for a display that is coming back: opening it again takes milliseconds, an Xvfb that starts
/// anew half a second. Longer would only hide that it is gone.
const RETURN_TIME: Duration = Duration::from_millis(500);

/// Whether the X server is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Started by our supervisor.
    Owned,
    /// Somebody else's.
    Attached,
}

/// The server's state. One for each start, shared by everything that answers requests.
#[derive(Debug)]
pub struct Engine {
    /// The display at this moment.
    pub display: watch::Receiver<DisplayState>,
    /// Sessions and lease.
    sessions: Mutex<Sessions>,
    /// Input of all sessions runs one request at a time, first come, first served (tokio's mutex is fair).
    pub turn: tokio::sync::Mutex<()>,
    /// The sessions that stay.
    pub attendance: Attendance,
    /// Where actions are recorded.
    pub audit: Audit,
    /// This start of the server.
    pub boot: String,
    /// How pictures are fitted unless a session says otherwise.
    pub screen: ScreenFit,
    /// How far applications scroll by one notch of the wheel.
    pub notch: PixelsPerNotch,
    /// Who started the X server.
    pub ownership: Ownership,
    /// Which token opens the door; none where only the host can reach us.
    token: Option<TokenHash>,
}

impl Engine {
    /// The state at the start.
    ///
    /// # Errors
    /// When the system has no random numbers, which `boot` is made of.
    pub fn new(
        display: watch::Receiver<DisplayState>,
        token: Option<TokenHash>,
        screen: ScreenFit,
        notch: PixelsPerNotch,
        ownership: Ownership,
    ) -> Result<Self, getrandom::Error> {
        let mut boot = [0; 8];
        getrandom::fill(&mut boot)?;
        Ok(Self {
            display,
            sessions: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            attendance: Attendance::default(),
            audit: Audit::default(),
            boot: HEXLOWER.encode(&boot),
            screen,
            notch,
            ownership,
            token,
        })
    }

    /// Sessions and lease; held for single decisions only, never over a wait.
    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Every change is one assignment or one insertion, so a panic in between leaves the state usable.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who presents this token.
    pub fn principal(&self, token: &[u8]) -> Option<Principal> {
        self.token.filter(|hash| hash.admits(token)).map(|_| Principal::single_token())
    }

    /// The display at this moment.
    pub fn display(&self) -> DisplayState {
        self.display.borrow().clone()
    }

    /// The open desktop, or the one that is just being opened: after a change of the screen's size that takes some
    /// milliseconds, and a client cannot know that they matter.
    ///
    /// # Errors
    /// `display_lost` when it has not come back within half a second.
    pub async fn live_soon(&self) -> Result<Arc<Live>, Failure> {
        let mut display = self.display.clone();
        let returned = display.wait_for(|state| matches!(state, DisplayState::Here(_)));
        let state = match tokio::time::timeout(RETURN_TIME, returned).await {
            Ok(Ok(state)) => state.clone(),
            // Not yet, or never again: the state says why.
            Ok(Err(_)) | Err(_) => self.display(),
        };
        state.live()
    }

    /// Ends a session: cancels its requests and releases what it held, whether or not anybody waits for that.
    pub fn end_session(&self, client: &Client) {
        client.lane.close();
        let had_lease = self.sessions().close(client.id);
        tracing::debug!(session = client.id.0, had_lease, "session ends");
        if had_lease {
            self.release();
        }
    }

    /// Releases what is held, after what the input thread is doing now.
    pub fn release(&self) {
        if let Ok(live) = self.display().live() {
            // The thread does it all the same; only its report is not needed.
            drop(live.desktop.input().release_all());
        }
    }

    /// A session's name on the wire.
    pub fn session_name(&self, session: SessionId) -> String {
        format!("{}-{}", self.boot, session.0)
    }
}
