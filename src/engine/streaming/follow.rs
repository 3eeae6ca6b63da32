//! The task of one subscription: gives its sources to each display anew, and passes on what is not sent from the capture thread.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use super::{
    Subscription,
    changed::ChangeWatch,
    frames::{FrameStream, OUTBOX_INTERVAL},
};
use crate::{
    desktop::{
        capture::{CaptureError, watch::Watch},
        pointer_watch::{POINTER_INTERVAL, PointerSeen},
        windows::WindowList,
    },
    engine::{display::Live, information, state::Engine},
    plan::fit::Geometry,
    protocol::{
        subscription::{Event, EventKind},
        units::FrameId,
    },
    session::registry::DisplayEpoch,
    transport::outbox::Offered,
};

/// How long after a display did not answer it is tried again: it was waited for 1.5 s already, and others want their turn.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// The least time between two events that say that the screen has changed: the first one is what matters, and who is told can
/// look for himself.
const CHANGED_INTERVAL: Duration = Duration::from_millis(250);

/// The least time between two lists of windows: the longest has a mebibyte.
const WINDOWS_INTERVAL: Duration = Duration::from_millis(100);

/// The least time between two changes of the lease: who has it at the end is what matters.
pub(super) const LEASE_INTERVAL: Duration = Duration::from_millis(50);

/// Works for a subscription until it is gone, on one display after the other.
pub(super) async fn follow(engine: Arc<Engine>, subscription: Weak<Subscription>) {
    tokio::join!(displays(&engine, &subscription), confirmations(&engine, &subscription));
}

/// Sends what waits for consent, each once, whichever display there is.
async fn confirmations(engine: &Engine, subscription: &Weak<Subscription>) {
    if !subscription.upgrade().is_some_and(|subscription| subscription.has(EventKind::Confirm)) {
        return;
    }
    let (mut asked, mut told) = (engine.confirmations.follow(), 0);
    loop {
        asked.borrow_and_update();
        for event in engine.confirmations.waiting_after(told) {
            told = event.id;
            loop {
                let Some(known) = subscription.upgrade() else { return };
                let offered = known.offer(Event::Confirm(event.clone()), Vec::new());
                drop(known);
                match offered {
                    Ok(Offered::Queued) => break,
                    Ok(Offered::Busy) => tokio::time::sleep(OUTBOX_INTERVAL).await,
                    Err(_) => return,
                }
            }
        }
        if asked.changed().await.is_err() {
            return;
        }
    }
}

async fn displays(engine: &Engine, subscription: &Weak<Subscription>) {
    let mut display = engine.display.clone();
    loop {
        let epoch = display.borrow_and_update().epoch();
        let serving = async {
            if let Some(epoch) = epoch {
                serve(engine, subscription, epoch).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            other = display.wait_for(|state| state.epoch() != epoch) => if other.is_err() {
                return;
            },
            () = serving => {}
        }
    }
}

/// Sends what one display has, until all of it is over.
async fn serve(engine: &Engine, subscription: &Weak<Subscription>, epoch: DisplayEpoch) {
    let has = |event| subscription.upgrade().is_some_and(|subscription| subscription.has(event));
    let frames = async {
        if has(EventKind::Frames) {
            watch_screen(engine, epoch, |ended| Box::new(FrameStream::new(subscription.clone(), epoch, ended))).await;
        }
    };
    let changed = async {
        if has(EventKind::Changed) {
            changes(engine, subscription, epoch).await;
        }
    };
    let cursor = async {
        if has(EventKind::Cursor) {
            pointer(engine, subscription, epoch).await;
        }
    };
    let windows = async {
        if has(EventKind::Windows) {
            windows(engine, subscription, epoch).await;
        }
    };
    tokio::join!(frames, changed, cursor, windows);
}

/// The display, while it is this one. Not kept over a wait: whoever has the last one waits for its threads.
fn live(engine: &Engine, epoch: DisplayEpoch) -> Option<Arc<Live>> {
    engine.display().live().ok().filter(|live| live.epoch == epoch)
}

/// Has somebody watch the screen, again after the display has not answered.
async fn watch_screen(
    engine: &Engine,
    epoch: DisplayEpoch,
    watch: impl Fn(oneshot::Sender<CaptureError>) -> Box<dyn Watch>,
) {
    loop {
        let (ended, end) = oneshot::channel();
        let Some(live) = live(engine, epoch) else { return };
        live.desktop.capture().watch(watch(ended));
        drop(live);
        match end.await {
            Ok(CaptureError::Unresponsive | CaptureError::Refused(_) | CaptureError::Unmaskable(_)) => {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            // The next display follows, or the subscription is gone.
            Ok(CaptureError::Lost(_) | CaptureError::Resized(_)) | Err(_) => return,
        }
    }
}

async fn changes(engine: &Engine, subscription: &Weak<Subscription>, epoch: DisplayEpoch) {
    let (serials, newest) = watch::channel(None);
    let watching = watch_screen(engine, epoch, |ended| Box::new(ChangeWatch::new(serials.clone(), ended)));
    let relaying = relay(subscription, newest, CHANGED_INTERVAL, |&serial| Event::Changed {
        frame: FrameId { epoch: epoch.0, serial },
    });
    tokio::select! {
        () = watching => {}
        () = relaying => {}
    }
}

async fn pointer(engine: &Engine, subscription: &Weak<Subscription>, epoch: DisplayEpoch) {
    let Some(known) = subscription.upgrade() else { return };
    let (screen, space) = (known.screen, known.space);
    drop(known);
    loop {
        let Some(live) = live(engine, epoch) else { return };
        let geometry = Geometry::new(live.desktop.size(), screen, space);
        let seen = live.desktop.pointer_watch().watch();
        drop(live);
        match seen {
            Ok(seen) => {
                let event = |PointerSeen { at, shape }: &PointerSeen| {
                    let [x, y] = geometry.from_native(*at);
                    Event::Cursor { x, y, shape: shape.clone() }
                };
                relay(subscription, seen, POINTER_INTERVAL, event).await;
            }
            Err(error) => tracing::warn!(%error, "no thread to follow the pointer with"),
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

async fn windows(engine: &Engine, subscription: &Weak<Subscription>, epoch: DisplayEpoch) {
    let (Some(known), Some(live)) = (subscription.upgrade(), live(engine, epoch)) else { return };
    let geometry = Geometry::new(live.desktop.size(), known.screen, known.space);
    let lists = live.desktop.windows().follow();
    drop((known, live));
    let event = |windows: &WindowList| {
        let view = engine.secrets.curtain.standing().view;
        Event::Windows { windows: windows.iter().map(|window| information::listed(window, &geometry, view)).collect() }
    };
    relay(subscription, lists, WINDOWS_INTERVAL, event).await;
}

/// Sends the newest value whenever there is another one, not faster than the pace, until there will be no more or nobody is
/// there.
pub(super) async fn relay<T: Clone + Send + Sync>(
    subscription: &Weak<Subscription>,
    mut values: watch::Receiver<Option<T>>,
    pace: Duration,
    event: impl Fn(&T) -> Event,
) {
    loop {
        let value = values.borrow_and_update().clone();
        if let Some(value) = value {
            loop {
                let Some(known) = subscription.upgrade() else { return };
                let offered = known.offer(event(&value), Vec::new());
                drop(known);
                match offered {
                    Ok(Offered::Queued) => break tokio::time::sleep(pace).await,
                    Ok(Offered::Busy) => tokio::time::sleep(OUTBOX_INTERVAL).await,
                    Err(_) => return,
                }
                if values.has_changed().is_ok_and(|changed| changed) {
                    break;
                }
            }
        }
        if values.changed().await.is_err() {
            return;
        }
    }
}
