//! What the server and other clients tell us between our requests, boiled down to what the input thread acts on.

use x11rb::{
    connection::Connection as _,
    errors::{ReplyError, ReplyOrIdError},
    protocol::{
        Event,
        xkb::{self, ConnectionExt as _},
        xproto::{
            Atom, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask,
            SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, Window, WindowClass,
        },
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    focus_watch::Turns,
    hands::CORE_KEYBOARD,
    incoming::HELD_EVENTS,
    xkb_map::{KeyboardState, state_of},
};
use crate::protocol::units::NativeSize;

/// How many events are read before other things get their turn: all that can have come before the last answer, so that no
/// change of the keymap is overlooked behind a flood of others, which takes some milliseconds.
const EVENTS_AT_ONCE: usize = HELD_EVENTS / EVENT_BYTES;
/// The size of an event (X11 protocol, "Events").
const EVENT_BYTES: usize = 32;

/// The atoms that the input thread uses.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is named after the atom that it holds")]
pub struct Atoms {
    pub wm_protocols: Atom,
    pub net_wm_ping: Atom,
    pub net_supporting_wm_check: Atom,
    pub net_wm_window_type: Atom,
    pub net_wm_window_type_tooltip: Atom,
    pub timestamp: Atom,
    pub editres: Atom,
    /// A selection that is ours alone, for acknowledgements.
    pub acknowledgement: Atom,
}

/// A sign of life that an application sent because we asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// `_NET_WM_PING` came back to the root window.
    Ping,
    /// Our `SelectionRequest` was refused.
    Refusal,
    /// The application asked for our selection, and was refused.
    Question,
}

/// What was told since it was last asked for.
#[derive(Debug)]
pub struct Events {
    /// The atoms to know events by.
    pub atoms: Atoms,
    /// A small window of ours that answers are sent to.
    pub requestor: Window,
    /// The serial of the last question; echoes of earlier ones come too late to count.
    pub asked: u32,
    /// The last echo with that serial.
    pub echo: Option<Echo>,
    /// Somebody, maybe we, changed the keyboard's map.
    pub keymap_changed: bool,
    /// What is locked, as of the last change; `None` until somebody has asked.
    pub keyboard_state: Option<KeyboardState>,
    /// What became of the focus of the window that is watched.
    pub turns: Turns,
    /// The root window's new size.
    pub resized: Option<NativeSize>,
    /// Windows that exist, and have done so ever since they were put here: no more than are typed into and alive.
    watched: Vec<Window>,
}

impl Events {
    /// Asks the server for the events that matter.
    pub fn subscribe(link: &Link) -> Result<Self, LinkError> {
        let _limit = link.within(OPERATION_TIME);
        let explain = |error: ReplyOrIdError| link.explain(error);
        Self::subscribe_within(link).map_err(explain)
    }

    fn subscribe_within(link: &Link) -> Result<Self, ReplyOrIdError> {
        let connection = &link.connection;
        let intern = |name: &'static str| connection.intern_atom(false, name.as_bytes());
        // All the questions go out before the first answer is awaited.
        let cookies = [
            intern("WM_PROTOCOLS")?,
            intern("_NET_WM_PING")?,
            intern("_NET_SUPPORTING_WM_CHECK")?,
            intern("_NET_WM_WINDOW_TYPE")?,
            intern("_NET_WM_WINDOW_TYPE_TOOLTIP")?,
            intern("TIMESTAMP")?,
            intern("Editres")?,
            intern("_DESKHAND_ACKNOWLEDGEMENT")?,
        ];
        let mut atoms = [0; 8];
        for (atom, cookie) in atoms.iter_mut().zip(cookies) {
            *atom = cookie.reply()?.atom;
        }
        let [wm_protocols, net_wm_ping, net_supporting_wm_check, net_wm_window_type, tooltip, ..] = atoms;
        let [.., timestamp, editres, acknowledgement] = atoms;
        // Clients send their ping back to the root with the mask SubstructureNotify | SubstructureRedirect (EWMH); Qt
        // with StructureNotify as well. The root's own StructureNotify tells its size.
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::STRUCTURE_NOTIFY;
        connection.change_window_attributes(link.root, &ChangeWindowAttributesAux::new().event_mask(mask))?;
        let requestor = make_requestor(link)?;
        connection.xkb_use_extension(1, 0)?.reply()?;
        let events = xkb::EventType::NEW_KEYBOARD_NOTIFY | xkb::EventType::MAP_NOTIFY;
        // `clear` and `select_all` decide for the whole class of event; the map details are all of them.
        let (none, every_part) = (xkb::EventType::from(0_u16), xkb::MapPart::from(0xff_u16));
        // Changes of what is only held are left out: they are mostly our own keys.
        let locks = xkb::StatePart::MODIFIER_LOCK | xkb::StatePart::GROUP_LOCK | xkb::StatePart::MODIFIER_LATCH;
        let locks = xkb::SelectEventsAuxStateNotify { affect_state: locks, state_details: locks };
        let details = xkb::SelectEventsAux::new().state_notify(locks);
        connection.xkb_select_events(CORE_KEYBOARD, none, events, every_part, every_part, &details)?.check()?;
        let turns = Turns::default();
        let atoms = Atoms {
            wm_protocols,
            net_wm_ping,
            net_supporting_wm_check,
            net_wm_window_type,
            net_wm_window_type_tooltip: tooltip,
            timestamp,
            editres,
            acknowledgement,
        };
        let watched = Vec::new();
        Ok(Self {
            atoms,
            requestor,
            asked: 0,
            echo: None,
            keymap_changed: true,
            keyboard_state: None,
            turns,
            resized: None,
            watched,
        })
    }

    /// Remembers until a window's end that it is still the same one: ids are used again. Says whether it exists.
    pub fn watch(&mut self, link: &Link, window: Window) -> Result<bool, LinkError> {
        let _limit = link.within(OPERATION_TIME);
        // A client has one mask a window, and the focus may be watched there as well.
        let events = EventMask::STRUCTURE_NOTIFY | self.turns.selected_on(window);
        let mask = ChangeWindowAttributesAux::new().event_mask(events);
        let selected = || link.connection.change_window_attributes(window, &mask)?.check();
        match selected() {
            Ok(()) => {
                self.unwatch(window);
                self.watched.push(window);
                Ok(true)
            }
            Err(ReplyError::X11Error(_)) => Ok(false),
            Err(error) => Err(link.explain(error)),
        }
    }

    fn unwatch(&mut self, window: Window) {
        self.watched.retain(|watched| *watched != window);
    }

    /// Whether a window is still the one that was watched.
    pub fn is_watched(&self, window: Window) -> bool {
        self.watched.contains(&window)
    }

    /// Takes the events that have arrived, without waiting. Says whether there may be more: another client can send them
    /// faster than we read, and must not hold us here.
    pub fn drain(&mut self, link: &Link) -> Result<bool, LinkError> {
        for _ in 0..EVENTS_AT_ONCE {
            match link.next_event()? {
                Some((event, after)) => self.take(link, &event, after).map_err(|error| link.explain(error))?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn take(&mut self, link: &Link, event: &Event, after: u64) -> Result<(), ReplyOrIdError> {
        match event {
            Event::FocusIn(event) | Event::FocusOut(event) => self.turns.note_focus(event, after),
            Event::LeaveNotify(event) => self.turns.note_leave(event, after),
            Event::MappingNotify(_) | Event::XkbNewKeyboardNotify(_) | Event::XkbMapNotify(_) => {
                self.keymap_changed = true;
            }
            Event::XkbStateNotify(event) => {
                self.keyboard_state = Some(state_of(event.locked_group, event.locked_mods, event.latched_mods));
            }
            Event::DestroyNotify(event) if event.window == self.requestor => {
                // Somebody else destroyed it, which any client may do.
                self.requestor = make_requestor(link)?;
            }
            Event::DestroyNotify(event) => self.unwatch(event.window),
            Event::ConfigureNotify(event) if event.window == link.root => {
                self.resized = Some(NativeSize { width: event.width, height: event.height });
            }
            Event::ClientMessage(ClientMessageEvent { format: 32, type_, data, .. })
                if *type_ == self.atoms.wm_protocols =>
            {
                let [protocol, serial, ..] = data.as_data32();
                if protocol == self.atoms.net_wm_ping && serial == self.asked {
                    self.echo = Some(Echo::Ping);
                }
            }
            Event::SelectionNotify(event)
                if event.selection == self.atoms.acknowledgement && event.time == self.asked =>
            {
                self.echo = Some(Echo::Refusal);
            }
            Event::SelectionRequest(event) if event.selection == self.atoms.acknowledgement => {
                if event.time == self.asked {
                    self.echo = Some(Echo::Question);
                }
                // The application waits for an answer; a refusal ends the exchange (ICCCM, 2.2).
                let refusal = SelectionNotifyEvent {
                    response_type: SELECTION_NOTIFY_EVENT,
                    sequence: 0,
                    time: event.time,
                    requestor: event.requestor,
                    selection: event.selection,
                    target: event.target,
                    property: 0,
                };
                let nobody = EventMask::NO_EVENT;
                link.connection.send_event(false, event.requestor, nobody, refusal)?.ignore_error();
                link.connection.flush()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Makes the small window that answers are sent to. Its end is told by the root window's `SubstructureNotify`.
fn make_requestor(link: &Link) -> Result<Window, ReplyOrIdError> {
    let window = link.connection.generate_id()?;
    let (kind, nothing) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
    link.connection.create_window(0, window, link.root, -1, -1, 1, 1, 0, kind, 0, &nothing)?.ignore_error();
    link.connection.flush()?;
    Ok(window)
}
