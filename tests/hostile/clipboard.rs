//! Hostile owners of the clipboard, and clients that ask us for it, while texts are pasted.

use std::time::{Duration, Instant};

use x11rb::{
    CURRENT_TIME, NONE,
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, WindowClass},
    wrapper::ConnectionExt as _,
};

use crate::{
    arena::{Arena, PLAIN, Rules},
    attack::{Field, Going, sync, under, window},
    memory::Before,
    owners::{Manner, atom, copy, hostile},
};

/// What the owner holds is lost, which its user may complain about; the paste is not.
const RULES: Rules = Rules { kinds: &[], text: PLAIN };
/// The clipboard has one thread for everybody.
const BUSY: Rules = Rules { kinds: &["clipboard_timeout"], text: PLAIN };
/// How many pastes come before the attack, which bring the thread, its connection and its buffers.
const WARM_UP: usize = 4;
/// More than goes into a property at once, so that it comes in pieces, and less than is kept.
const COPIED: usize = 2 * 1024 * 1024;
/// How many questions are asked between two round trips.
const AT_ONCE: usize = 50;

fn endure(name: &str, time: Duration, rules: Rules, copied: &[u8], attack: impl FnOnce(&Field, &Going<'_>) + Send) {
    let mut arena = Arena::owned();
    arena.warm_up(RULES);
    if !copied.is_empty() {
        copy(&arena.server.display, "clipboard", "UTF8_STRING", copied);
    }
    for _ in 0..WARM_UP {
        arena.paste(RULES);
    }
    let before = Before::measure(&arena.server);
    let field = arena.field();
    under(
        |going| attack(&field, going),
        || {
            let end = Instant::now() + time;
            while Instant::now() < end {
                arena.round(RULES);
                arena.paste(rules);
            }
        },
    );
    arena.finish(name, &before);
}

/// Owns the clipboard whenever nobody does. In two of twenty runs a paste beside it found no request of the application's within its
/// time, and said so; why is not known, and a paste that is done would be better.
fn owner(name: &str, time: Duration, manner: Manner) {
    endure(name, time, BUSY, &[], |field, going| {
        let connection = field.display.connect();
        let clipboard = atom(&connection, "CLIPBOARD");
        let mut owner = None;
        while going.on() {
            if connection.get_selection_owner(clipboard).unwrap().reply().unwrap().owner == NONE {
                // The one before ends first: it is about to lose to this one in any case.
                drop(owner.take());
                owner = Some(hostile(&field.display, manner));
            }
            going.begin();
            going.pause(Duration::from_millis(10));
        }
    });
}

pub fn silent_owner(time: Duration) {
    owner("a silent owner", time, Manner::Silent);
}

pub fn endless_owner(time: Duration) {
    owner("an owner that sends without end", time, Manner::Endless);
}

pub fn gibibyte_owner(time: Duration) {
    owner("an owner that announces a gibibyte", time, Manner::Gibibyte);
}

pub fn huge_owner(time: Duration) {
    owner("an owner with one property of 64 MiB", time, Manner::Huge);
}

/// Asks for what we keep of a former owner, in every form that there is and is not, and takes none of it.
pub fn greedy_requestor(time: Duration) {
    let copied = vec![b'c'; COPIED];
    endure("requestors that take nothing", time, BUSY, &copied, |field, going| {
        let connection = field.display.connect();
        let windows: Vec<_> = (0..16).map(|_| window(&connection, 0, 0, 1)).collect();
        let clipboard = atom(&connection, "CLIPBOARD");
        let names = ["UTF8_STRING", "TARGETS", "MULTIPLE", "TIMESTAMP", "DELETE", "SAVE_TARGETS", "INCR", "_ODD"];
        let mut targets = names.map(|name| atom(&connection, name)).to_vec();
        // An atom that does not exist, and none.
        targets.extend([0x1fff_ffff, NONE]);
        let places = ["_ONE", "_TWO", "_THREE"].map(|name| atom(&connection, name));
        // `MULTIPLE` names pairs of targets and properties: of itself, of nothing, and an odd number.
        let pairs = [targets[2], places[0], NONE, places[1], targets[0], NONE, targets[0]];
        for (number, target) in targets.iter().copied().cycle().enumerate() {
            if !going.on() {
                break;
            }
            let (asker, place) = (windows[number % windows.len()], places[number % places.len()]);
            if target == targets[2] {
                let kind = AtomEnum::ATOM;
                connection.change_property32(PropMode::REPLACE, asker, place, kind, &pairs).unwrap().ignore_error();
            }
            connection.convert_selection(asker, clipboard, target, place, CURRENT_TIME).unwrap().ignore_error();
            if number % AT_ONCE == 0 {
                sync(&connection);
                while connection.poll_for_event().unwrap().is_some() {}
                going.begin();
            }
        }
    });
}

/// The same, and its windows are gone before the answer comes.
pub fn vanishing_requestor(time: Duration) {
    let copied = vec![b'c'; COPIED];
    endure("requestors that vanish", time, BUSY, &copied, |field, going| {
        let connection = field.display.connect();
        let (clipboard, utf_8) = (atom(&connection, "CLIPBOARD"), atom(&connection, "UTF8_STRING"));
        // Not children of the root, so that only the clipboard hears of them.
        let parent = window(&connection, 0, 0, 1);
        for number in 0_usize.. {
            if !going.on() {
                break;
            }
            let asker = connection.generate_id().unwrap();
            let (kind, attributes) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
            connection.create_window(0, asker, parent, 0, 0, 1, 1, 0, kind, 0, &attributes).unwrap().ignore_error();
            connection.convert_selection(asker, clipboard, utf_8, utf_8, CURRENT_TIME).unwrap().ignore_error();
            if number % 2 == 0 {
                connection.flush().unwrap();
            }
            connection.destroy_window(asker).unwrap().ignore_error();
            if number % AT_ONCE == 0 {
                sync(&connection);
                going.begin();
            }
        }
    });
}
