//! Subscriptions: the closed list of events, what asks for them, and what they carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    audit::Outcome,
    confirm::ConfirmEvent,
    egress::EgressVerdict,
    error::{ErrorKind, Failure},
    window::ListedWindow,
    wire::Whole,
};

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The screen, as what has changed on it.
    Frames,
    /// The screen has changed after an answer had called it settled.
    Changed,
    /// Where the pointer is and what it looks like.
    Cursor,
    /// The list of windows.
    Windows,
    /// What sessions do.
    Actions,
    /// Who controls.
    Lease,
    /// What applications ask of the network.
    Egress,
    /// A request that waits for a person's consent.
    Confirm,
}

impl EventKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Changed => "changed",
            Self::Cursor => "cursor",
            Self::Windows => "windows",
            Self::Actions => "actions",
            Self::Lease => "lease",
            Self::Egress => "egress",
            Self::Confirm => "confirm",
        }
    }
}

/// A subscription of one connection, counted from 1. As it comes in: no subscription has a number below that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SubscriptionNumber(pub i64);

/// The parameters of `subscribe`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeParams {
    /// At least one, each once.
    pub events: Vec<EventKind>,
}

impl SubscribeParams {
    /// # Errors
    /// `invalid_params` for none and for one that is named twice.
    pub(super) fn check(self) -> Result<StreamCall, Failure> {
        let Self { events } = self;
        if events.is_empty() {
            let message = "events is empty, and a subscription has at least one; name what you want to be told";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        for (place, event) in events.iter().enumerate() {
            if events.iter().take(place).any(|earlier| earlier == event) {
                let message = format!("events names {} twice; name each once", event.name());
                return Err(Failure::new(ErrorKind::InvalidParams, message));
            }
        }
        Ok(StreamCall::Subscribe(events))
    }
}

/// The parameters of `unsubscribe`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeParams {
    /// The number that `subscribe` has returned.
    pub subscription: Whole,
}

/// The parameters of `frames.ack`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeParams {
    /// The number that `subscribe` has returned.
    pub subscription: Whole,
    /// The serial of a frame of it that has come and been taken in, and with it all before.
    pub serial: Whole,
}

/// What is asked about subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamCall {
    /// Events are to come from now on.
    Subscribe(Vec<EventKind>),
    /// They are to come no more.
    Unsubscribe(SubscriptionNumber),
    /// A frame has been taken in.
    Acknowledge {
        /// Of which stream.
        subscription: SubscriptionNumber,
        /// Which frame. As it comes in: no frame has a serial below 1.
        serial: i64,
    },
}

impl From<UnsubscribeParams> for StreamCall {
    fn from(UnsubscribeParams { subscription }: UnsubscribeParams) -> Self {
        Self::Unsubscribe(SubscriptionNumber(subscription.0))
    }
}

impl From<AcknowledgeParams> for StreamCall {
    fn from(AcknowledgeParams { subscription, serial }: AcknowledgeParams) -> Self {
        Self::Acknowledge { subscription: SubscriptionNumber(subscription.0), serial: serial.0 }
    }
}

/// `subscribe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SubscribeResult {
    /// Comes back with every event.
    pub subscription: SubscriptionNumber,
}

/// The parameters of an event.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EventParams {
    /// Whose event.
    pub subscription: SubscriptionNumber,
    /// Which event, and what it carries.
    #[serde(flatten)]
    pub event: Event,
}

/// What an event carries.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The screen, or what has changed on it since the frame before.
    Frames(FramesEvent),
    /// The screen has changed.
    Changed {
        /// The last captured picture.
        frame: super::units::FrameId,
    },
    /// The pointer has moved or looks different.
    Cursor {
        /// In session coordinates.
        x: i32,
        /// In session coordinates.
        y: i32,
        /// The name of its shape, where the application has given it one.
        #[serde(skip_serializing_if = "Option::is_none")]
        shape: Option<String>,
    },
    /// A window has come, gone, moved, or says something else of itself; or the keyboard has gone to another one.
    Windows {
        /// All of them, as in `windows.list`.
        windows: Vec<ListedWindow>,
    },
    /// A request waits for consent (`confirm.answer`). Only admins are told.
    Confirm(ConfirmEvent),
    /// A request has been carried out or refused.
    Actions(ActionsEvent),
    /// An application has asked for something of the network.
    Egress(EgressEvent),
    /// Another session controls, or none. The first one says how it is.
    Lease {
        /// Whose session has the lease; null when it is free.
        holder_user: Option<String>,
        /// How often it has changed hands.
        epoch: u64,
    },
}

/// What an application asked of the network, as the egress proxy's log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EgressEvent {
    /// The host that was asked for, as the application wrote it, percent-encoded.
    pub host: String,
    /// What became of it.
    pub verdict: EgressVerdict,
    /// How many before it this reader was too slow for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

/// What came of a request of any session, without what was typed and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ActionsEvent {
    /// Whose request.
    pub session: String,
    /// Whose session.
    pub user: String,
    /// What was asked for.
    pub method: &'static str,
    /// `success`, or the kind of the error.
    #[schemars(with = "String")]
    pub outcome: Outcome,
    /// How long it was carried out; 0 when it was not.
    pub duration_us: u64,
    /// How many before it this reader was too slow for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

/// A frame of a stream. Its tiles have gone before it, as binary messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FramesEvent {
    /// The number before the dash in `frame`.
    pub epoch: u32,
    /// The number behind it: the reader's picture is that frame once the tiles are in their places.
    pub serial: u64,
    /// Whether it needs no earlier one.
    pub full: bool,
    /// The screen in native pixels.
    pub width: u16,
    /// The screen in native pixels.
    pub height: u16,
    /// What is new, in rectangles that do not overlap.
    pub tiles: Vec<Tile>,
}

/// A rectangle of the screen in native pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tile {
    /// Left edge.
    pub x: u16,
    /// Top edge.
    pub y: u16,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// `image/png`.
    pub mime: &'static str,
    /// The number of the binary message that holds it.
    pub attachment: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::{answer_text, units::FrameId};

    fn subscribe(events: &serde_json::Value) -> Result<StreamCall, Failure> {
        super::super::wire::read::<SubscribeParams>(json!({ "events": events }))?.check()
    }

    #[test]
    fn the_list_of_events_is_closed() {
        let both = StreamCall::Subscribe(vec![EventKind::Cursor, EventKind::Frames]);
        assert_eq!(subscribe(&json!(["cursor", "frames"])), Ok(both));
        for wrong in [json!(["sounds"]), json!([]), json!(["frames", "frames"]), json!("frames"), json!([1])] {
            assert_eq!(subscribe(&wrong).expect_err("wrong").kind, ErrorKind::InvalidParams, "{wrong}");
        }
    }

    #[test]
    fn an_event_says_whose_and_which_it_is() {
        let event = Event::Changed { frame: FrameId { epoch: 2, serial: 7 } };
        let text = answer_text::event(&EventParams { subscription: SubscriptionNumber(3), event });
        let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        let params = json!({"subscription": 3, "type": "changed", "frame": "2-7"});
        assert_eq!(value, json!({"jsonrpc": "2.0", "method": "event", "params": params}));
        let egress =
            Event::Egress(EgressEvent { host: "a.example".to_owned(), verdict: EgressVerdict::Denied, missed: None });
        assert_eq!(json!(egress), json!({"type": "egress", "host": "a.example", "verdict": "denied"}));
        for kind in [EventKind::Frames, EventKind::Egress, EventKind::Confirm] {
            assert_eq!(json!(kind), kind.name());
        }
        let action = ActionsEvent {
            session: "s-1".to_owned(),
            user: "ann".to_owned(),
            method: "type",
            outcome: Outcome::Failed(ErrorKind::FocusLost),
            duration_us: 7,
            missed: None,
        };
        let shown = json!(Event::Actions(action));
        let expected = json!({"type": "actions", "session": "s-1", "user": "ann", "method": "type", "outcome": "focus_lost", "duration_us": 7});
        assert_eq!(shown, expected);
        let lease = json!(Event::Lease { holder_user: None, epoch: 0 });
        assert_eq!(lease, json!({"type": "lease", "holder_user": null, "epoch": 0}));
    }
}
