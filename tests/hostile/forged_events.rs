//! A client floods our windows and the root with events that it made up.

use std::time::Duration;

use x11rb::{
    protocol::{
        xkb::ConnectionExt as _,
        xproto::{
            AtomEnum, CONFIGURE_NOTIFY_EVENT, ClientMessageEvent, ConfigureNotifyEvent, ConnectionExt as _, EventMask,
            MAPPING_NOTIFY_EVENT, Mapping, MappingNotifyEvent, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, Window,
        },
    },
    rust_connection::RustConnection,
};

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::{Field, root, sync},
};

/// Nothing of it is true, so nothing of it may change an answer.
const RULES: Rules = Rules { kinds: &[], text: PLAIN };
/// How many events are sent between two round trips.
const AT_ONCE: usize = 100;

/// The children of the root that are not the application's: Deskhand's own are among them.
pub fn windows_of_others(connection: &RustConnection, field: &Field) -> Vec<Window> {
    use x11rb::connection::Connection as _;
    let client = |window: Window| window & !connection.setup().resource_id_mask;
    let mine = connection.setup().resource_id_base;
    let children = connection.query_tree(root(connection)).unwrap().reply().unwrap().children;
    let foreign = |window: &Window| client(*window) != client(field.application) && client(*window) != mine;
    children.into_iter().filter(foreign).collect()
}

pub fn flood(time: Duration) {
    endure("forged messages", time, RULES, |field, going| {
        let connection = field.display.connect();
        let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let (protocols, ping) = (atom("WM_PROTOCOLS"), atom("_NET_WM_PING"));
        let ours = atom("_DESKHAND_ACKNOWLEDGEMENT");
        let root = root(&connection);
        let structure = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::STRUCTURE_NOTIFY;
        going.begin();
        for serial in 0_u32.. {
            if !going.on() {
                break;
            }
            let mut places = windows_of_others(&connection, field);
            places.push(root);
            for place in places {
                for index in 0..AT_ONCE {
                    let time = serial.wrapping_add(u32::try_from(index).unwrap());
                    let message = ClientMessageEvent::new(32, place, protocols, [ping, time, field.application, 0, 0]);
                    let selection = SelectionNotifyEvent {
                        response_type: SELECTION_NOTIFY_EVENT,
                        sequence: 0,
                        time,
                        requestor: place,
                        selection: ours,
                        target: AtomEnum::STRING.into(),
                        property: 0,
                    };
                    let mapping = MappingNotifyEvent {
                        response_type: MAPPING_NOTIFY_EVENT,
                        sequence: 0,
                        request: Mapping::KEYBOARD,
                        first_keycode: 8,
                        count: 248,
                    };
                    let mask = if place == root { structure } else { EventMask::NO_EVENT };
                    connection.send_event(false, place, mask, message).unwrap();
                    connection.send_event(false, place, mask, selection).unwrap();
                    connection.send_event(false, place, mask, mapping).unwrap();
                }
            }
            sync(&connection);
        }
    });
}

/// A new size of the screen, and modifiers that are said to be locked.
pub fn sizes_and_locks(time: Duration) {
    endure("forged sizes and locks", time, RULES, |field, going| {
        let connection = field.display.connect();
        let root = root(&connection);
        let xkb = connection.xkb_use_extension(1, 0).unwrap().reply().unwrap();
        assert!(xkb.supported);
        let base = connection.query_extension(b"XKEYBOARD").unwrap().reply().unwrap().first_event;
        let structure = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::STRUCTURE_NOTIFY;
        let size = ConfigureNotifyEvent {
            response_type: CONFIGURE_NOTIFY_EVENT,
            sequence: 0,
            event: root,
            window: root,
            above_sibling: 0,
            x: 0,
            y: 0,
            width: 640,
            height: 480,
            border_width: 0,
            override_redirect: false,
        };
        // XkbStateNotify (XKB protocol, "StateNotify"): type 2, every modifier locked, group 1 locked.
        let mut state = [0_u8; 32];
        (state[0], state[1]) = (base, 2);
        (state[9], state[12], state[16], state[18]) = (0xff, 0xff, 1, 1);
        going.begin();
        while going.on() {
            for _ in 0..AT_ONCE {
                connection.send_event(false, root, structure, size).unwrap();
                connection.send_event(false, root, structure, state).unwrap();
                for place in windows_of_others(&connection, field) {
                    connection.send_event(false, place, EventMask::NO_EVENT, state).unwrap();
                    connection.send_event(false, place, EventMask::NO_EVENT, size).unwrap();
                }
            }
            sync(&connection);
            going.pause(Duration::from_millis(1));
        }
    });
}
