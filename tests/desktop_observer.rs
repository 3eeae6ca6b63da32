//! What the observing thread promises, on real X servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use deskhand::{
    desktop::{
        connection::LinkError,
        ended::EndSignal,
        observer::{DisplayFacts, Focus, Observer},
    },
    protocol::units::NativePoint,
};
use support::{Painter, Xvfb};
use x11rb::{
    COPY_DEPTH_FROM_PARENT, CURRENT_TIME,
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, InputFocus, PropMode, Window, WindowClass},
    wrapper::ConnectionExt as _,
};

fn facts(observer: &Observer) -> DisplayFacts {
    observer.facts().blocking_recv().unwrap().unwrap()
}

fn create_window(painter: &Painter, parent: Window) -> Window {
    let connection = &painter.link.connection;
    let id = connection.generate_id().unwrap();
    let class = WindowClass::INPUT_OUTPUT;
    let aux = CreateWindowAux::new();
    connection.create_window(COPY_DEPTH_FROM_PARENT, id, parent, 0, 0, 50, 50, 0, class, 0, &aux).unwrap();
    connection.map_window(id).unwrap();
    painter.link.round_trip().unwrap();
    id
}

fn atom(painter: &Painter, name: &str) -> u32 {
    painter.link.reply(painter.link.connection.intern_atom(false, name.as_bytes())).unwrap().atom
}

fn set_text(painter: &Painter, window: Window, property: u32, text: &[u8]) {
    let connection = &painter.link.connection;
    connection.change_property8(PropMode::REPLACE, window, property, AtomEnum::STRING, text).unwrap();
    painter.link.round_trip().unwrap();
}

#[test]
fn the_pointer_is_where_it_was_put() {
    let display = Xvfb::start("1001x701");
    let painter = Painter::on(&display);
    let observer = Observer::start(display.link(), EndSignal::default()).unwrap();
    for (x, y) in [(0, 0), (1000, 700), (512, 384)] {
        painter.link.connection.warp_pointer(x11rb::NONE, painter.link.root, 0, 0, 0, 0, x, y).unwrap();
        painter.link.round_trip().unwrap();
        let expected = NativePoint { x: x.unsigned_abs(), y: y.unsigned_abs() };
        assert_eq!(observer.pointer().blocking_recv().unwrap(), Ok(expected));
    }
}

#[test]
fn a_bare_display_has_its_extensions_no_window_manager_and_the_focus_under_the_pointer() {
    let display = Xvfb::start_with("320x240", &["-extension", "MIT-SHM"]);
    let facts = facts(&Observer::start(display.link(), EndSignal::default()).unwrap());
    assert_eq!(facts.window_manager, None);
    assert_eq!(facts.focus, Focus::PointerRoot);
    for present in ["XTEST", "XKEYBOARD", "XFIXES", "RANDR", "DAMAGE", "X-Resource"] {
        assert!(facts.extensions.iter().any(|name| name == present), "{present} in {:?}", facts.extensions);
    }
    assert!(!facts.extensions.iter().any(|name| name == "MIT-SHM"), "it was switched off");
}

#[test]
fn a_window_manager_counts_only_while_its_window_says_so_itself() {
    let display = Xvfb::start("320x240");
    let painter = Painter::on(&display);
    let observer = Observer::start(display.link(), EndSignal::default()).unwrap();
    let (check, name) = (atom(&painter, "_NET_SUPPORTING_WM_CHECK"), atom(&painter, "_NET_WM_NAME"));
    let window = create_window(&painter, painter.link.root);
    let announce = |on: Window| {
        let connection = &painter.link.connection;
        connection.change_property32(PropMode::REPLACE, on, check, AtomEnum::WINDOW, &[window]).unwrap();
        painter.link.round_trip().unwrap();
    };
    announce(painter.link.root);
    set_text(&painter, window, name, b"Openbox");
    assert_eq!(facts(&observer).window_manager, None, "only the root window says so");
    announce(window);
    assert_eq!(facts(&observer).window_manager.as_deref(), Some("Openbox"));
    painter.link.connection.destroy_window(window).unwrap();
    painter.link.round_trip().unwrap();
    assert_eq!(facts(&observer).window_manager, None, "what a dead one left behind");
}

#[test]
fn the_focus_is_named_by_the_window_that_has_a_class_and_hostile_text_is_defused() {
    let display = Xvfb::start("320x240");
    let painter = Painter::on(&display);
    let observer = Observer::start(display.link(), EndSignal::default()).unwrap();
    let outer = create_window(&painter, painter.link.root);
    let inner = create_window(&painter, outer);
    let focus = |window: Window| {
        painter.link.connection.set_input_focus(InputFocus::NONE, window, CURRENT_TIME).unwrap();
        painter.link.round_trip().unwrap();
        facts(&observer).focus
    };
    assert_eq!(focus(InputFocus::NONE.into()), Focus::None);
    assert_eq!(focus(inner), Focus::Window { id: inner, class: None, title: None });

    let mut hostile = b"\x1b]0;owned\x07Inbox \xe2\x80\xaegpj.exe\n".to_vec();
    hostile.extend(std::iter::repeat_n(b'x', 1_000_000 / 8));
    set_text(&painter, outer, AtomEnum::WM_CLASS.into(), b"mail\0Mail\x1b[2J\0");
    set_text(&painter, outer, atom(&painter, "_NET_WM_NAME"), &hostile);
    let Focus::Window { id, class, title } = focus(inner) else { panic!("a window has the focus") };
    assert_eq!((id, class), (inner, Some(["mail".into(), "Mail".into()])));
    let title = title.unwrap();
    assert!(title.starts_with("Inbox gpj.exe xxx"), "{title:?}");
    assert!(title.len() <= 256);
}

#[test]
fn a_stopped_server_is_an_error_for_everyone_who_waits_and_answers_come_again_when_it_goes_on() {
    let display = Xvfb::start("320x240");
    let observer = Observer::start(display.link(), EndSignal::default()).unwrap();
    assert_eq!(observer.round_trip().blocking_recv().unwrap(), Ok(()));
    display.process.stop();
    let (first, second, third) = (observer.round_trip(), observer.facts(), observer.pointer());
    assert_eq!(first.blocking_recv().unwrap(), Err(LinkError::Unresponsive));
    assert_eq!(second.blocking_recv().unwrap(), Err(LinkError::Unresponsive));
    assert_eq!(third.blocking_recv().unwrap(), Err(LinkError::Unresponsive));
    display.process.resume();
    assert_eq!(observer.round_trip().blocking_recv().unwrap(), Ok(()));
    assert_eq!(facts(&observer).focus, Focus::PointerRoot);
}

#[test]
fn a_server_that_died_is_lost() {
    let mut display = Xvfb::start("320x240");
    let observer = Observer::start(display.link(), EndSignal::default()).unwrap();
    display.process.kill();
    let answer = observer.round_trip().blocking_recv().unwrap();
    assert!(matches!(answer, Err(LinkError::Lost(_))), "{answer:?}");
}
