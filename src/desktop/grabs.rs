//! Whether another client has taken the keyboard or the pointer for itself, and which.
//!
//! No request tells, but the server's own order of checks does (`GrabDevice` in the X server's `dix/events.c`): a grab with a
//! window that cannot be seen is refused as `AlreadyGrabbed` where somebody else has the device, and as `GrabNotViewable`
//! where nobody has. So we ask with a window that we never map, and never grab anything: no window hears of it.
//!
//! Menus and pop-ups grab too, and input is meant to reach them. So the holder must be known: RECORD names the client to
//! which the server hands an event over, and the event is one that means nothing by itself. That is asked only while the
//! device is grabbed.

use std::time::{Duration, Instant};

use x11rb::{
    CURRENT_TIME, NONE,
    connection::{Connection as _, RequestConnection as _},
    errors::{ConnectionError, ReplyError},
    protocol::{
        record::{self, ConnectionExt as _},
        res::{self, ConnectionExt as _},
        xinput,
        xproto::{
            ConnectionExt as _, EventMask, GrabMode, GrabStatus, KEY_PRESS_EVENT, MOTION_NOTIFY_EVENT, MapIndex,
            MapState, Window,
        },
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    focus,
    sanitize::sanitize,
    station::Station,
    witness,
};
use crate::{
    plan::step::{Direction, Keycode},
    protocol::{error::Process, units::NativePoint},
};

/// How long RECORD may take to tell. It answered within 2 ms; a holder that keeps its device frozen gets nothing to tell of.
const WITNESS_TIME: Duration = Duration::from_millis(250);
/// The longest path of an executable that is told.
const PATH_BYTES: usize = 1024;
/// How many windows from the top are looked at for a pop-up: tooltips and shadows may lie above it.
const TOP_WINDOWS: usize = 8;
/// A pop-up that a person sees has at least one line of text: smaller ones only pretend to be one.
const POPUP_SIZE: i32 = 8;
/// Sent by a client and not by the server (X protocol, "Events").
const SYNTHETIC: u8 = 0x80;
/// An event of an extension whose own type follows (X Generic Event Extension).
const GENERIC_EVENT: u8 = 35;

/// What can be grabbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Keys.
    Keyboard,
    /// Pointer and buttons.
    Pointer,
}

impl std::fmt::Display for Device {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Keyboard => "keyboard",
            Self::Pointer => "pointer",
        })
    }
}

/// Whether another client has the device. One round trip.
pub fn is_grabbed(station: &Station, device: Device) -> Result<bool, LinkError> {
    let link = station.link();
    let _limit = link.within(OPERATION_TIME);
    let status = ask(link, station.events.requestor, device).map_err(|error| link.explain(error))?;
    Ok(status == Some(GrabStatus::ALREADY_GRABBED))
}

fn ask(link: &Link, unseen: Window, device: Device) -> Result<Option<GrabStatus>, ReplyError> {
    let (connection, mode) = (&link.connection, GrabMode::ASYNC);
    let status = match device {
        Device::Keyboard => {
            connection.grab_keyboard(false, unseen, CURRENT_TIME, mode, mode)?.reply().map(|reply| reply.status)
        }
        Device::Pointer => connection
            .grab_pointer(false, unseen, EventMask::NO_EVENT, mode, mode, NONE, NONE, CURRENT_TIME)?
            .reply()
            .map(|reply| reply.status),
    };
    match status {
        // Somebody has mapped our window for us.
        Ok(GrabStatus::SUCCESS) => {
            match device {
                Device::Keyboard => connection.ungrab_keyboard(CURRENT_TIME)?.ignore_error(),
                Device::Pointer => connection.ungrab_pointer(CURRENT_TIME)?.ignore_error(),
            }
            Ok(Some(GrabStatus::SUCCESS))
        }
        Ok(status) => Ok(Some(status)),
        // Somebody has destroyed our window; nothing can be learned then.
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who has the device: the client that an event of it is handed to. `None` where that cannot be learned, and then nobody is
/// to be named. The event is a tap of a modifier, or a motion by one pixel and back.
pub fn holder(station: &mut Station, device: Device) -> Result<Option<Client>, LinkError> {
    let Some(data) = station.link().another(OPERATION_TIME) else { return Ok(None) };
    let receiver = match witness(station, &data, device) {
        Ok(receiver) => receiver,
        // A display without RECORD, or one that has no more room for it.
        Err(LinkError::Refused(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(receiver.map(Client))
}

/// Who has a device that is held; `None` where it is free or nobody can tell.
pub fn holder_if_grabbed(station: &mut Station, device: Device) -> Result<Option<Client>, LinkError> {
    if is_grabbed(station, device)? { holder(station, device) } else { Ok(None) }
}

fn witness(station: &mut Station, data: &Link, device: Device) -> Result<Option<u32>, LinkError> {
    let limit = Instant::now() + WITNESS_TIME;
    let control = station.link();
    let extension = control.connection.extension_information(record::X11_EXTENSION_NAME);
    if extension.map_err(|error| control.explain(error))?.is_none() {
        return Ok(None);
    }
    let begin = || -> Result<u32, x11rb::errors::ReplyOrIdError> {
        let connection = &control.connection;
        connection.record_query_version(1, 13)?.reply()?;
        let context = connection.generate_id()?;
        // One interval, although only its ends matter: of two apart the server records the first alone (measured).
        let event = match device {
            Device::Keyboard => KEY_PRESS_EVENT,
            Device::Pointer => MOTION_NOTIFY_EVENT,
        };
        let delivered_events = record::Range8 { first: event, last: GENERIC_EVENT };
        let ranges = [record::Range { delivered_events, ..record::Range::default() }];
        let everybody = [u32::from(record::CS::ALL_CLIENTS)];
        connection.record_create_context(context, 0, &everybody, &ranges)?.check()?;
        Ok(context)
    };
    let context = {
        let _limit = control.within(OPERATION_TIME);
        begin().map_err(|error| control.explain(error))?
    };
    data.connection.stream().set_deadline(Some(limit));
    let mut records = data.connection.record_enable_context(context).map_err(|error| data.explain(error))?;
    // The first record says that it has begun.
    let is_recording = matches!(records.next(), Some(Ok(_)));
    if is_recording {
        provoke(station, device)?;
    }
    let control = station.link();
    let end = || -> Result<(), ConnectionError> {
        control.connection.record_disable_context(context)?.ignore_error();
        control.connection.record_free_context(context)?.ignore_error();
        control.connection.flush()
    };
    end().map_err(|error| control.explain(error))?;
    let mut receiver = None;
    // Ends with the record of the end, or with the deadline.
    for found in records.map_while(Result::ok) {
        if receiver.is_none() && found.category == 0 && found.data.chunks(32).any(|event| is_of(device, event)) {
            receiver = Some(found.xid_base);
        }
    }
    Ok(receiver)
}

/// Sends events of the device that mean nothing by themselves, and waits until the server has dealt with them.
fn provoke(station: &mut Station, device: Device) -> Result<(), LinkError> {
    match device {
        Device::Keyboard => {
            let Some(modifier) = free_modifier(station)? else { return Ok(()) };
            station.hands.key(modifier, Direction::Press)?;
            station.hands.key(modifier, Direction::Release)?;
        }
        Device::Pointer => {
            station.hands.answer()?;
            let NativePoint { x, y } = station.hands.pointer;
            let beside = if x == 0 { 1 } else { x - 1 };
            station.hands.motion(NativePoint { x: beside, y })?;
            station.hands.motion(NativePoint { x, y })?;
        }
    }
    station.hands.answer()
}

/// A key of Shift or Control that is not down.
fn free_modifier(station: &Station) -> Result<Option<Keycode>, LinkError> {
    let link = station.link();
    let _limit = link.within(OPERATION_TIME);
    let cookie = link.connection.get_modifier_mapping().map_err(|error| link.explain(error))?;
    let mapping = cookie.reply().map_err(|error| link.explain(error))?;
    let width = usize::from(mapping.keycodes_per_modifier());
    let rows = [MapIndex::SHIFT, MapIndex::CONTROL].map(|row| usize::from(u8::from(row)));
    let keys = rows.into_iter().flat_map(|row| mapping.keycodes.iter().skip(row * width).take(width));
    let is_held = |keycode| station.hands.ledger.held_keys().any(|held| held == keycode);
    Ok(keys.filter(|&&keycode| keycode != 0).map(|&keycode| Keycode(keycode)).find(|&keycode| !is_held(keycode)))
}

/// Whether the server handed this event of the device over. Raw events go to everybody who asks, grabbed or not.
fn is_of(device: Device, event: &[u8]) -> bool {
    let (core, generic) = match device {
        Device::Keyboard => (KEY_PRESS_EVENT, xinput::KEY_PRESS_EVENT),
        Device::Pointer => (MOTION_NOTIFY_EVENT, xinput::MOTION_EVENT),
    };
    match event {
        [kind, ..] if kind & SYNTHETIC != 0 => false,
        [kind, ..] if *kind == core => true,
        [GENERIC_EVENT, _, _, _, _, _, _, _, low, high, ..] => u16::from_le_bytes([*low, *high]) == generic,
        _ => false,
    }
}

/// A client of the display, by the part of the ids that all of its resources share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(u32);

impl Client {
    /// The client that made a window.
    pub fn of(link: &Link, window: Window) -> Self {
        Self(focus::client_of(link, window))
    }

    /// The process, as the server knows it; `None` where it does not say.
    pub fn process(self, link: &Link) -> Result<Option<Process>, LinkError> {
        let Some(pid) = self.process_id(link)? else { return Ok(None) };
        let executable = witness::program(pid).map(|path| sanitize(path.as_bytes(), PATH_BYTES));
        Ok(Some(Process { pid, executable }))
    }

    /// Its number alone.
    pub fn process_id(self, link: &Link) -> Result<Option<u32>, LinkError> {
        let _limit = link.within(OPERATION_TIME);
        let spec = res::ClientIdSpec { client: self.0, mask: res::ClientIdMask::LOCAL_CLIENT_PID };
        let ask = || -> Result<_, ReplyError> {
            link.connection.res_query_version(1, 2)?.reply()?;
            link.connection.res_query_client_ids(&[spec])?.reply()
        };
        let ids = match ask() {
            Ok(reply) => reply.ids,
            Err(ReplyError::X11Error(_) | ReplyError::ConnectionError(ConnectionError::UnsupportedExtension)) => {
                return Ok(None);
            }
            Err(error) => return Err(link.explain(error)),
        };
        Ok(ids.iter().find_map(|id| id.value.first().copied()))
    }

    /// Whether two clients are one program: toolkits open several connections.
    pub fn is_same_program(self, other: Self, link: &Link) -> Result<bool, LinkError> {
        if self == other {
            return Ok(true);
        }
        let (ours, theirs) = (self.process_id(link)?, other.process_id(link)?);
        // 0 is what a process namespace shows of everybody outside it.
        Ok(ours.zip(theirs).is_some_and(|(ours, theirs)| ours == theirs && ours != 0))
    }

    /// Whether a pop-up of the client is among the topmost windows, as menus are while they hold the keyboard: then that is
    /// what a person sees in front, and means.
    pub fn has_popup_on_top(self, link: &Link) -> Result<bool, LinkError> {
        Ok(self.popup_on_top(link)?.is_some())
    }

    /// That pop-up.
    pub fn popup_on_top(self, link: &Link) -> Result<Option<Window>, LinkError> {
        let _limit = link.within(OPERATION_TIME);
        let look = |window: Window| -> Result<Option<bool>, ReplyError> {
            let attributes = link.connection.get_window_attributes(window)?;
            let geometry = link.connection.get_geometry(window)?;
            let (attributes, geometry) = (attributes.reply()?, geometry.reply()?);
            if attributes.map_state != MapState::VIEWABLE {
                return Ok(None);
            }
            let seen = |at: i16, size: u16, screen: u16| {
                let (at, size) = (i32::from(at), i32::from(size));
                (at + size).min(i32::from(screen)) - at.max(0) >= POPUP_SIZE
            };
            let is_seen = seen(geometry.x, geometry.width, link.size.width)
                && seen(geometry.y, geometry.height, link.size.height);
            Ok(Some(attributes.override_redirect && is_seen && focus::client_of(link, window) == self.0))
        };
        let tree = link.connection.query_tree(link.root).map_err(|error| link.explain(error))?;
        let children = tree.reply().map_err(|error| link.explain(error))?.children;
        for &window in children.iter().rev().take(TOP_WINDOWS) {
            match look(window) {
                Ok(Some(true)) => return Ok(Some(window)),
                Ok(_) | Err(ReplyError::X11Error(_)) => {}
                Err(error) => return Err(link.explain(error)),
            }
        }
        Ok(None)
    }
}
