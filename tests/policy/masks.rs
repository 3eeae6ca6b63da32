//! Windows that the policy masks: no pixel of theirs is in any picture, however they come, move, rise and go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use x11rb::{
    COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT,
    connection::Connection as _,
    protocol::{
        shape::{self, ConnectionExt as _},
        xproto::{
            AtomEnum, ClipOrdering, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, PropMode,
            Rectangle, StackMode, Window, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use super::{
    desk::{Desk, METHODS},
    support::{
        Controller, Display, Managed, Picture, Recorder, RecorderOptions, recorder_window::create_window,
        viewer::Viewer,
    },
};

/// A colour that occurs nowhere else.
const SECRET: u32 = 0xfe_01_fd;
const SECRET_RGB: [u8; 3] = [0xfe, 0x01, 0xfd];
const MASK: &str = "[[window]]\nclass = \"vault\"\nmask = true\n";

fn vault() -> RecorderOptions {
    RecorderOptions {
        title: "Vault",
        class: "Vault",
        rectangle: (100, 100, 200, 150),
        colour: SECRET,
        ..RecorderOptions::default()
    }
}

fn has_secret(picture: &Picture) -> bool {
    picture.rgb.chunks_exact(3).any(|pixel| pixel == SECRET_RGB)
}

/// How many pixels are painted over.
fn masked(picture: &Picture) -> usize {
    picture.rgb.chunks_exact(3).filter(|pixel| *pixel == [0x50, 0x50, 0x50]).count()
}

fn desk() -> (Desk, Recorder) {
    let desk = Desk::new(&format!("{METHODS}{MASK}"));
    let vault = Recorder::open_with(&desk.server.display, &vault());
    (desk, vault)
}

/// A picture in which nothing lingers any more.
fn at_rest(controller: &mut Controller, wanted: usize) -> Picture {
    let begun = Instant::now();
    loop {
        let picture = Picture::from_result(&controller.must("screenshot", json!({"_meta": {"observe": null}})));
        assert!(!has_secret(&picture));
        if masked(&picture) == wanted {
            return picture;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{} pixels are masked and not {wanted}", masked(&picture));
        thread::yield_now();
    }
}

#[test]
fn every_way_to_a_picture_has_the_mask_and_nothing_under_it() {
    let (mut desk, _vault) = desk();
    let picture = at_rest(&mut desk.controller, 200 * 150);
    assert_eq!((picture.pixel(100, 100), picture.pixel(299, 249)), ([0x50; 3], [0x50; 3]));
    assert_eq!(picture.pixel(99, 100), [0x20, 0x4a, 0x87], "the window beside it");
    let zoomed = Picture::from_result(&desk.controller.must("zoom", json!({"region": [90, 90, 310, 260]})));
    assert!(!has_secret(&zoomed));
    for format in ["jpeg", "webp"] {
        let result = desk.controller.must("screenshot", json!({"_meta": {"format": format}}));
        let picture = Picture::from_result(&result);
        let [red, green, blue] = picture.pixel(200, 170);
        assert!(red.abs_diff(0x50) < 8 && green.abs_diff(0x50) < 8 && blue.abs_diff(0x50) < 8, "{format}");
    }
    let result =
        desk.controller.must("mouse_move", json!({"coordinate": [200, 170], "_meta": {"observe": {}, "cursor": true}}));
    assert!(!has_secret(&Picture::from_result(&result)));
    for wait in [json!({"stable": {"quiet_ms": 1}, "timeout_ms": 5000}), json!({"change": {}, "timeout_ms": 1})] {
        assert!(!has_secret(&Picture::from_result(&desk.controller.must("wait_for", wait))));
    }
    let host = desk.server.address();
    let (method, token) = ("GET /v1/screenshot.png", &desk.server.token);
    let request =
        format!("{method} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    assert!(desk.server.http(request.as_bytes()).starts_with("HTTP/1.1 200"));
    let mut viewer = Viewer::connect(&desk.server);
    viewer.next_frame();
    assert!(viewer.picture.as_ref().is_some_and(|picture| !has_secret(picture) && masked(picture) == 200 * 150));
    // What lies above it can be seen, and is not taken for a hole when it has one.
    let above = Recorder::open_with(
        &desk.server.display,
        &RecorderOptions {
            class: "above",
            rectangle: (150, 100, 50, 150),
            colour: 0x00_ff_00,
            ..RecorderOptions::default()
        },
    );
    let picture = at_rest(&mut desk.controller, 150 * 150);
    assert_eq!(picture.pixel(160, 150), [0, 0xff, 0]);
    let connection = desk.server.display.connect();
    let part = Rectangle { x: 0, y: 0, width: 25, height: 150 };
    let (set, bounding, order) = (shape::SO::SET, shape::SK::BOUNDING, ClipOrdering::UNSORTED);
    connection.shape_rectangles(set, bounding, order, above.window, 0, 0, &[part]).unwrap().check().unwrap();
    at_rest(&mut desk.controller, 200 * 150);
}

#[test]
fn no_frame_shows_it_while_it_moves_rises_comes_and_goes() {
    let (mut desk, vault) = desk();
    // A second window that is above and below it in turn, without a background: it shows what was there until it is drawn.
    let connection = desk.server.display.connect();
    let screen = connection.setup().roots[0].root;
    let bare = connection.generate_id().unwrap();
    let (class, attributes) = (WindowClass::INPUT_OUTPUT, CreateWindowAux::new());
    connection
        .create_window(
            COPY_DEPTH_FROM_PARENT,
            bare,
            screen,
            150,
            150,
            200,
            200,
            0,
            class,
            COPY_FROM_PARENT,
            &attributes,
        )
        .unwrap()
        .check()
        .unwrap();
    connection.map_window(bare).unwrap().check().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let unresting = {
        let (display, stop, window) = (desk.server.display.clone(), Arc::clone(&stop), vault.window);
        thread::spawn(move || unrest(&display, &stop, window, bare))
    };
    let mut viewer = Viewer::connect(&desk.server);
    let begun = Instant::now();
    let (mut pictures, mut frames) = (0, 0);
    while begun.elapsed() < Duration::from_secs(5) {
        let picture = Picture::from_result(&desk.controller.must("screenshot", json!({"_meta": {"observe": null}})));
        assert!(!has_secret(&picture), "picture {pictures} shows it");
        pictures += 1;
        viewer.next_frame();
        assert!(viewer.picture.as_ref().is_some_and(|picture| !has_secret(picture)), "frame {frames} shows it");
        frames += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let moves = unresting.join().unwrap();
    eprintln!("{pictures} pictures and {frames} frames of {moves} moves");
    assert!(pictures > 20 && frames > 20 && moves > 100);
}

/// Moves, raises, unmaps and maps until it is told to stop.
fn unrest(display: &Display, stop: &AtomicBool, window: Window, bare: Window) -> usize {
    let connection = display.connect();
    let configure = |window, change: &ConfigureWindowAux| {
        connection.configure_window(window, change).unwrap();
    };
    // Its program draws it anew at once, each time.
    let pen = connection.generate_id().unwrap();
    connection.create_gc(pen, bare, &CreateGCAux::new().foreground(0x00_80_00)).unwrap();
    let mut moves = 0;
    while !stop.load(Ordering::Relaxed) {
        let offset = i32::try_from(moves % 300).unwrap();
        let draw = || {
            let whole = Rectangle { x: 0, y: 0, width: 200, height: 200 };
            connection.poly_fill_rectangle(bare, pen, &[whole]).unwrap();
        };
        configure(window, &ConfigureWindowAux::new().x(offset).y(300 - offset));
        draw();
        match moves % 7 {
            0 => configure(window, &ConfigureWindowAux::new().stack_mode(StackMode::ABOVE)),
            1 => configure(bare, &ConfigureWindowAux::new().stack_mode(StackMode::ABOVE)),
            2 => configure(bare, &ConfigureWindowAux::new().x(300 - offset).y(offset)),
            3 => drop(connection.unmap_window(window).unwrap()),
            4 => drop(connection.map_window(window).unwrap()),
            5 => configure(window, &ConfigureWindowAux::new().width(100 + u32::try_from(moves % 100).unwrap())),
            _ => {}
        }
        draw();
        // The server has to have done it before the next, else all are one.
        connection.get_input_focus().unwrap().reply().unwrap();
        // With thousands of moves a second everything is hidden, and nothing would be tested.
        thread::sleep(Duration::from_millis(1));
        moves += 1;
    }
    moves
}

#[test]
fn its_menus_and_dialogs_and_its_frame_are_masked_too() {
    let (mut desk, shown_vault) = desk();
    at_rest(&mut desk.controller, 200 * 150);
    let connection = desk.server.display.connect();
    // A pop-up of another client that is transient for it, and a menu of a client that has such a window itself.
    let dialog = shown(
        &connection,
        &RecorderOptions { class: "dialog", rectangle: (400, 0, 50, 40), ..vault() },
        shown_vault.window,
    );
    at_rest(&mut desk.controller, 200 * 150 + 50 * 40);
    connection.destroy_window(dialog).unwrap().check().unwrap();
    let own = create_window(&connection, &RecorderOptions { rectangle: (400, 100, 30, 30), ..vault() });
    connection.map_window(own).unwrap().check().unwrap();
    let menu =
        RecorderOptions { class: "", title: "", rectangle: (500, 100, 20, 20), override_redirect: true, ..vault() };
    let menu = create_window(&connection, &menu);
    connection.map_window(menu).unwrap().check().unwrap();
    at_rest(&mut desk.controller, 200 * 150 + 30 * 30 + 20 * 20);
}

fn shown(connection: &RustConnection, options: &RecorderOptions, transient_for: Window) -> Window {
    let window = create_window(connection, options);
    let (property, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
    connection.change_property32(PropMode::REPLACE, window, property, kind, &[transient_for]).unwrap().check().unwrap();
    connection.map_window(window).unwrap().check().unwrap();
    window
}

#[test]
fn under_a_window_manager_the_frame_is_masked_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    super::desk::write(&path, &format!("{METHODS}{MASK}"));
    let mut desktop = Managed::start_with("640x480", &["--policy", path.to_str().unwrap()]);
    let shown_vault = Recorder::open_with(&desktop.server.display, &vault());
    desktop.windows.wait_for_focus(shown_vault.window);
    let [x, y, width, height] = desktop.windows.rectangle(shown_vault.window);
    let begun = Instant::now();
    loop {
        let picture = Picture::from_result(&desktop.controller.must("screenshot", json!({})));
        assert!(!has_secret(&picture));
        let at = |x: i32, y: i32| picture.pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap());
        // The title bar says what it is.
        if at(x + width / 2, y - 6) == [0x50; 3] && at(x + 1, y + height - 1) == [0x50; 3] {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "the frame is not masked");
    }
}

#[test]
fn where_windows_are_composed_elsewhere_there_is_no_picture() {
    let (mut desk, _vault) = desk();
    at_rest(&mut desk.controller, 200 * 150);
    let connection = desk.server.display.connect();
    let screen = &connection.setup().roots[0];
    let atom = connection.intern_atom(false, b"_NET_WM_CM_S0").unwrap().reply().unwrap().atom;
    let owner = create_window(&connection, &RecorderOptions::default());
    connection.set_selection_owner(owner, atom, x11rb::CURRENT_TIME).unwrap().check().unwrap();
    let (kind, error) = desk.controller.must_fail("screenshot", json!({}));
    assert_eq!(kind, "display_lost", "{error:#}");
    assert!(error["message"].as_str().unwrap().contains("compositing"), "{error:#}");
    assert_ne!(screen.root, owner);
    connection.destroy_window(owner).unwrap().check().unwrap();
    at_rest(&mut desk.controller, 200 * 150);
}
