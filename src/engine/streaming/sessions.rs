//! What is told whatever becomes of the display: who has the lease, what each session does, and what applications ask of the network.

use std::sync::{Arc, Weak};

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    Subscription,
    follow::{LEASE_INTERVAL, relay},
    frames::OUTBOX_INTERVAL,
};
use crate::{
    engine::{
        happenings::{ActionSeen, EgressSeen, LeaseSeen},
        recording,
        state::Engine,
    },
    protocol::subscription::{ActionsEvent, EgressEvent, Event, EventKind},
    transport::outbox::Offered,
};

/// Follows what a subscription has asked for from now on, not only from the first poll on: what the session does next is in it.
pub(super) fn follow(engine: &Arc<Engine>, subscription: &Arc<Subscription>) -> impl Future<Output = ()> + use<> {
    let lease = subscription.has(EventKind::Lease).then(|| engine.happenings.follow_lease());
    let actions = subscription.has(EventKind::Actions).then(|| engine.happenings.follow_actions());
    let attempts = subscription.has(EventKind::Egress).then(|| engine.happenings.follow_egress());
    // So that the first event says how it is.
    recording::lease(engine);
    let (engine, subscription) = (Arc::clone(engine), Arc::downgrade(subscription));
    async move {
        let leases = async {
            if let Some(lease) = lease {
                let event = |LeaseSeen { epoch, holder }: &LeaseSeen| Event::Lease {
                    holder_user: holder.clone().map(String::from),
                    epoch: *epoch,
                };
                relay(&subscription, lease, LEASE_INTERVAL, event).await;
            }
        };
        let actions = async {
            if let Some(actions) = actions {
                pass_on(&engine, &subscription, actions, action).await;
            }
        };
        let attempts = async {
            if let Some(attempts) = attempts {
                pass_on(&engine, &subscription, attempts, egress).await;
            }
        };
        tokio::join!(leases, actions, attempts);
    }
}

fn action(
    engine: &Engine,
    ActionSeen { session, user, method, outcome, took }: ActionSeen,
    missed: Option<u64>,
) -> Event {
    Event::Actions(ActionsEvent {
        session: engine.session_name(session),
        user: user.into(),
        method,
        outcome,
        duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        missed,
    })
}

fn egress(_: &Engine, EgressSeen { host, verdict }: EgressSeen, missed: Option<u64>) -> Event {
    Event::Egress(EgressEvent { host, verdict, missed })
}

/// Sends what happens in its order, until nobody is there. A reader who is slow holds one event; the others wait for him in
/// the few that are kept for all, and what falls out of those is counted.
async fn pass_on<T: Clone>(
    engine: &Engine,
    subscription: &Weak<Subscription>,
    mut happenings: Receiver<T>,
    event: impl Fn(&Engine, T, Option<u64>) -> Event,
) {
    let mut missed = 0;
    loop {
        let happened = match happenings.recv().await {
            Ok(happened) => happened,
            Err(RecvError::Lagged(count)) => {
                missed += count;
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let event = event(engine, happened, (missed > 0).then_some(missed));
        loop {
            let Some(known) = subscription.upgrade() else { return };
            let offered = known.offer(event.clone(), Vec::new());
            drop(known);
            match offered {
                Ok(Offered::Queued) => break missed = 0,
                Ok(Offered::Busy) => tokio::time::sleep(OUTBOX_INTERVAL).await,
                Err(_) => return,
            }
        }
    }
}
