//! A client hangs enormous, countless or poisonous properties on the windows that Deskhand reads.

use std::time::{Duration, Instant};

use serde_json::json;
use x11rb::{
    protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode, Window},
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{
    LONG,
    arena::{Arena, PLAIN, Rules, endure},
    attack::{Field, root, sync, under, window},
    memory::Before,
};

const RULES: Rules = Rules { kinds: &[], text: PLAIN };
/// What one request can carry; the server takes 16 MiB.
const CHUNK: usize = 15 * 1024 * 1024;
/// 300 MiB in the long form.
const CHUNKS: usize = 20;
const PROPERTIES: usize = 10_000;
const ICON: usize = 3 * 1024 * 1024;

/// Control characters, terminal sequences, and characters that turn the direction of text.
const POISON: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}5m\r\n\0\u{8}evil\u{202e}gpj.exe\u{2066}\u{200b}";

fn atom(connection: &RustConnection, name: &str) -> u32 {
    connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
}

/// Announces a window of this client as the window manager's, which is what `display.info` reads.
fn pretend_to_manage(connection: &RustConnection) -> Window {
    let manager = window(connection, 0, 0, 1);
    let check = atom(connection, "_NET_SUPPORTING_WM_CHECK");
    for place in [manager, root(connection)] {
        connection.change_property32(PropMode::REPLACE, place, check, AtomEnum::WINDOW, &[manager]).unwrap();
    }
    sync(connection);
    manager
}

/// The titles that anybody reads: of the application that has the focus, and of the window manager.
fn title(connection: &RustConnection, windows: &[Window], mode: PropMode, bytes: &[u8]) {
    let (name, text) = (atom(connection, "_NET_WM_NAME"), atom(connection, "UTF8_STRING"));
    for window in windows {
        connection.change_property8(mode, *window, name, text, bytes).unwrap();
        connection.change_property8(mode, *window, AtomEnum::WM_NAME, AtomEnum::STRING, bytes).unwrap();
        sync(connection);
    }
}

fn forget_manager(connection: &RustConnection) {
    let check = atom(connection, "_NET_SUPPORTING_WM_CHECK");
    connection.delete_property(root(connection), check).unwrap();
    sync(connection);
}

pub fn enormous_title(time: Duration) {
    let chunks = if time >= LONG { CHUNKS } else { 3 };
    endure("enormous title", time, RULES, |field, going| {
        let connection = field.display.connect();
        let manager = pretend_to_manage(&connection);
        let chunk = vec![b'W'; CHUNK];
        let name = atom(&connection, "_NET_WM_NAME");
        for _ in 0..chunks {
            connection.change_property8(PropMode::APPEND, manager, name, AtomEnum::STRING, &chunk).unwrap();
            sync(&connection);
        }
        let (icon, pixels) = (atom(&connection, "_NET_WM_ICON"), vec![0xff00_ff00; ICON]);
        for window in [field.application, manager] {
            connection.change_property32(PropMode::REPLACE, window, icon, AtomEnum::CARDINAL, &pixels).unwrap();
            // What is waited for and listed.
            title(&connection, &[window], PropMode::APPEND, &chunk);
            let class = AtomEnum::WM_CLASS;
            connection.change_property8(PropMode::REPLACE, window, class, AtomEnum::STRING, &chunk).unwrap();
            sync(&connection);
        }
        going.begin();
        going.hold();
        forget_manager(&connection);
    });
}

pub fn many_properties(time: Duration) {
    endure("10,000 properties", time, RULES, |field, going| {
        let connection = field.display.connect();
        let places = [field.application, root(&connection)];
        let names = (0..PROPERTIES).map(|index| format!("HOSTILE_{index}"));
        let asked: Vec<_> = names.map(|name| connection.intern_atom(false, name.as_bytes()).unwrap()).collect();
        let atoms: Vec<_> = asked.into_iter().map(|asked| asked.reply().unwrap().atom).collect();
        for _ in 0.. {
            for (index, atom) in atoms.iter().enumerate() {
                for place in places {
                    connection.change_property8(PropMode::REPLACE, place, *atom, AtomEnum::STRING, b"value").unwrap();
                }
                if index % 500 == 0 && !going.on() {
                    sync(&connection);
                    return;
                }
            }
            sync(&connection);
            going.begin();
        }
    });
}

pub fn poisonous_titles(time: Duration) {
    let mut arena = Arena::owned();
    arena.warm_up(RULES);
    let before = Before::measure(&arena.server);
    let Field { display, application } = arena.field();
    let deadline = Instant::now() + time;
    under(
        |going| {
            let connection = display.connect();
            let manager = pretend_to_manage(&connection);
            title(&connection, &[manager, application], PropMode::REPLACE, POISON.as_bytes());
            going.begin();
            going.pause(time / 4);
            // Also half characters, and bytes that are no text at all.
            for shift in (0..POISON.len()).cycle() {
                if !going.on() {
                    break;
                }
                let bytes = [&POISON.as_bytes()[shift..], &[0xff, 0xc0, 0x80]].concat();
                title(&connection, &[manager, application], PropMode::REPLACE, &bytes);
            }
            forget_manager(&connection);
        },
        || {
            let shown = arena.controller.must("display.info", json!({}));
            assert_eq!(shown["window_manager"], "red evilgpj.exe");
            while Instant::now() < deadline {
                let shown = arena.controller.must("display.info", json!({})).to_string()
                    + &arena.controller.must("windows.list", json!({})).to_string();
                let hidden = |character: char| character.is_control() || "\u{202e}\u{2066}\u{200b}".contains(character);
                // `\u` is how JSON would carry them.
                assert!(!shown.chars().any(hidden) && !shown.contains("\\u"), "{shown}");
                arena.round(RULES);
            }
        },
    );
    arena.finish("poisonous titles", &before);
}
