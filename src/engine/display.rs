//! Keeps a desktop open: opens the display when it is there, again when it comes back, and counts its epochs.
//!
//! A [`Desktop`] never changes: when its connection ends or the screen changes size it is finished, and the next one is
//! opened with the next epoch. So nothing that the engine has read from one can be stale in the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    config::strictness::Strictness,
    desktop::{
        Desktop,
        capture::Attendance,
        connection::OpenError,
        curtain::Curtain,
        door::{Door, Unguarded},
        ended::Ended,
        target::Target,
    },
    observe::metrics::Metrics,
    protocol::{
        error::{ErrorKind, Failure},
        units::FrameId,
    },
    session::registry::DisplayEpoch,
};

/// How long a display may take to come up when the server starts: by the contract.
pub const START_TIME: Duration = Duration::from_secs(30);

/// How often a display is tried that is not there. A connection attempt costs some microseconds; there is no event for a
/// socket that appears in a directory that may itself not exist yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Opens a display: [`Desktop::open_for`], but for tests.
pub type OpenDesktop = fn(&Target, Attendance, Arc<Curtain>, Unguarded) -> Result<Desktop, OpenError>;

/// A desktop that is open.
#[derive(Debug)]
pub struct Live {
    /// The connections to it.
    pub desktop: Desktop,
    /// Which display, counted from 1.
    pub epoch: DisplayEpoch,
}

impl Live {
    /// The last captured picture.
    pub fn frame(&self) -> FrameId {
        FrameId { epoch: self.epoch.0, serial: self.desktop.capture().last_serial() }
    }
}

/// What the display is at the moment.
#[derive(Clone, Debug)]
pub enum DisplayState {
    /// Not there, for this reason.
    Away(String),
    /// Open.
    Here(Arc<Live>),
}

impl DisplayState {
    /// The open desktop.
    ///
    /// # Errors
    /// `display_lost` with the reason; nothing was sent.
    pub fn live(&self) -> Result<Arc<Live>, Failure> {
        match self {
            Self::Here(live) => Ok(Arc::clone(live)),
            Self::Away(reason) => {
                Err(Failure::new(ErrorKind::DisplayLost, format!("the display is not there: {reason}"))
                    .hint("the server reconnects by itself; try again in a moment")
                    .with(|detail| detail.retry_after_ms = Some(200)))
            }
        }
    }

    /// The epoch of the open desktop.
    pub fn epoch(&self) -> Option<DisplayEpoch> {
        match self {
            Self::Here(live) => Some(live.epoch),
            Self::Away(_) => None,
        }
    }
}

/// Opens the display that `targets` names, as long as the returned future is polled. `None` in `targets` means that the
/// display is known to be gone.
///
/// # Errors
/// Returns when the display has not come up within [`START_TIME`] or can never be used: at the start only. Later it waits
/// for as long as it takes.
pub async fn keep(
    mut targets: watch::Receiver<Option<Target>>,
    states: watch::Sender<DisplayState>,
    attendance: Attendance,
    metrics: &Metrics,
    open_desktop: OpenDesktop,
    curtain: Arc<Curtain>,
    strictness: Strictness,
) -> Result<std::convert::Infallible, OpenError> {
    let started = Instant::now();
    let mut epoch = 0;
    let mut warned = false;
    loop {
        let Some(target) = targets.borrow_and_update().clone() else {
            if targets.changed().await.is_err() {
                // Whoever names displays is gone, and the server ends for that reason.
                std::future::pending::<()>().await;
            }
            continue;
        };
        let unguarded = match strictness {
            Strictness::Warns => Unguarded::Taken,
            Strictness::Refuses => Unguarded::Refused,
        };
        match open(target, attendance.clone(), open_desktop, Arc::clone(&curtain), unguarded).await {
            Ok(desktop) => {
                epoch += 1;
                if desktop.door() != Door::Guarded && !std::mem::replace(&mut warned, true) {
                    tracing::warn!("{}", OpenError::unguarded(desktop.name(), desktop.door()));
                }
                tracing::info!(display = %desktop.name(), epoch, size = ?desktop.size(), "display is open");
                metrics.display_opens(epoch);
                let live = Arc::new(Live { desktop, epoch: DisplayEpoch(epoch) });
                states.send_replace(DisplayState::Here(Arc::clone(&live)));
                let reason = end_of(&live, &mut targets).await;
                tracing::warn!(epoch, reason, "display is finished");
                metrics.display_ends();
                states.send_replace(DisplayState::Away(reason));
                retire(live);
            }
            Err(error) if epoch == 0 && (!error.may_pass() || started.elapsed() > START_TIME) => return Err(error),
            Err(error) => {
                states.send_if_modified(|state| {
                    let reason = error.to_string();
                    let same = matches!(state, DisplayState::Away(known) if *known == reason);
                    if !same {
                        tracing::debug!(reason, "display cannot be opened yet");
                        *state = DisplayState::Away(reason);
                    }
                    !same
                });
                // A new target is tried at once, whether or not the interval has passed; that it closed changes nothing.
                tokio::time::timeout(RETRY_INTERVAL, targets.changed()).await.ok();
            }
        }
    }
}

async fn open(
    target: Target,
    attendance: Attendance,
    open: OpenDesktop,
    curtain: Arc<Curtain>,
    unguarded: Unguarded,
) -> Result<Desktop, OpenError> {
    let opened = tokio::task::spawn_blocking(move || open(&target, attendance, curtain, unguarded)).await;
    opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Waits until a desktop is finished and says why.
async fn end_of(live: &Live, targets: &mut watch::Receiver<Option<Target>>) -> String {
    let mut ended = live.desktop.ended();
    let ended = async {
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ended::Lost { reason })) => reason.clone(),
            Ok(Some(Ended::Resized { to })) => format!("the screen is now {}x{}", to.width, to.height),
            Ok(None) | Err(_) => "its threads have ended".to_owned(),
        }
    };
    tokio::select! {
        reason = ended => reason,
        Ok(()) = targets.changed() => "its server has ended".to_owned(),
    }
}

/// Drops a desktop where waiting for its threads blocks nobody.
fn retire(live: Arc<Live>) {
    tokio::task::spawn_blocking(move || drop(live));
}
