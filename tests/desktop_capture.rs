//! What the capture thread promises, on real X servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deskhand::{
    desktop::{
        capture::{Attendance, Capture, CaptureError, CaptureMethod, CursorOverlay, FrameRequest},
        curtain::{Cover, Curtain},
        ended::EndSignal,
    },
    image::cursor::{CursorImage, CursorPlace},
    protocol::{
        error::{ErrorKind, Failure},
        units::NativeSize,
    },
};
use support::{Painter, Recorder, RecorderOptions, Xvfb};
use x11rb::{
    connection::Connection as _,
    protocol::{
        damage::ConnectionExt as _,
        randr::{ConnectionExt as _, Rotation},
        xfixes::ConnectionExt as _,
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Rectangle},
    },
};

const METHODS: [CaptureMethod; 2] = [CaptureMethod::SharedMemory, CaptureMethod::CoreProtocol];
const PLAIN: FrameRequest = FrameRequest { cursor: CursorOverlay::Without };
const WITH_CURSOR: FrameRequest = FrameRequest { cursor: CursorOverlay::With };

/// A copy of a frame: the serial, the size, and the colours row by row as `0xRRGGBB`.
#[derive(Debug, PartialEq, Eq)]
struct Shot {
    serial: u64,
    size: NativeSize,
    colors: Vec<u32>,
}

impl Shot {
    fn color(&self, x: u16, y: u16) -> u32 {
        self.colors[usize::from(y) * usize::from(self.size.width) + usize::from(x)]
    }
}

fn capture(display: &Xvfb, method: CaptureMethod) -> Capture {
    Capture::start(display.link(), method, Attendance::default(), EndSignal::default()).unwrap()
}

fn try_shoot(capture: &Capture) -> Result<Shot, CaptureError> {
    let shot = capture.with_frame(PLAIN, |frame| {
        let frame = frame?;
        let pixels = frame.pixels.rows().flat_map(|row| row.as_chunks::<4>().0);
        let colors = pixels.map(|&[blue, green, red, _]| u32::from_be_bytes([0, red, green, blue])).collect();
        Ok(Shot { serial: frame.serial, size: frame.pixels.size(), colors })
    });
    shot.blocking_recv().unwrap()
}

fn shoot(capture: &Capture) -> Shot {
    try_shoot(capture).unwrap()
}

/// Paints a screen whose every corner and edge can be told apart; returns its colours.
fn paint(painter: &Painter, width: u16, height: u16) -> Vec<u32> {
    let shapes = [
        ([0, 0, width, height], 0x20_3040),
        ([0, 0, 1, 1], 0xff_0000),
        ([width - 1, 0, 1, 1], 0x00_ff00),
        ([0, height - 1, 1, 1], 0x00_00ff),
        ([width - 1, height - 1, 1, 1], 0xff_ffff),
        ([width / 3, height / 4, 101, 33], 0xab_cdef),
        ([7, 9, 1, height - 20], 0x01_0203),
    ];
    let mut colors = vec![0; usize::from(width) * usize::from(height)];
    for ([x, y, shape_width, shape_height], color) in shapes {
        painter.fill([x, y, shape_width, shape_height], color);
        for row in colors.chunks_mut(usize::from(width)).skip(usize::from(y)).take(usize::from(shape_height)) {
            row[usize::from(x)..usize::from(x + shape_width)].fill(color);
        }
    }
    colors
}

#[test]
fn every_pixel_arrives_by_both_ways_at_every_size() {
    for (width, height) in [(320, 240), (1001, 701), (1024, 768), (3840, 2160)] {
        let display = Xvfb::start(&format!("{width}x{height}"));
        let expected = paint(&Painter::on(&display), width, height);
        for method in METHODS {
            let shot = shoot(&capture(&display, method));
            assert_eq!(shot.size, NativeSize { width, height });
            assert!(shot.colors == expected, "{method:?} at {width}×{height}");
        }
    }
}

#[test]
fn memory_is_shared_unless_switched_off_or_missing() {
    let display = Xvfb::start("320x240");
    let socket = capture(&display, CaptureMethod::CoreProtocol);
    shoot(&socket);
    assert_eq!(display.shared_frames(), 0);
    let shared = capture(&display, CaptureMethod::SharedMemory);
    shoot(&shared);
    assert_eq!(display.shared_frames(), 1);

    let without = Xvfb::start_with("320x240", &["-extension", "MIT-SHM"]);
    let expected = paint(&Painter::on(&without), 320, 240);
    assert_eq!(shoot(&capture(&without, CaptureMethod::SharedMemory)).colors, expected);
    assert_eq!(without.shared_frames(), 0);
}

#[test]
fn the_serial_stays_for_equal_frames_and_grows_for_one_pixel_in_each_corner() {
    let (width, height) = (1001, 701);
    let display = Xvfb::start(&format!("{width}x{height}"));
    let painter = Painter::on(&display);
    for method in METHODS {
        painter.fill([0, 0, width, height], 0x80_8080);
        let capture = capture(&display, method);
        assert_eq!(capture.last_serial(), 0, "nothing was captured yet");
        assert_eq!((shoot(&capture).serial, shoot(&capture).serial), (1, 1));
        for (changes, (x, y)) in (2..).zip([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]) {
            painter.fill([x, y, 1, 1], 0x80_8081);
            let shot = shoot(&capture);
            assert_eq!((shot.serial, shot.color(x, y)), (changes, 0x80_8081), "{method:?} at {x},{y}");
            painter.fill([x, y, 1, 1], 0x80_8081);
            assert_eq!(shoot(&capture).serial, changes, "drawn again, the same");
            assert_eq!(capture.last_serial(), changes);
        }
    }
}

#[test]
fn the_cursor_comes_at_its_place_when_asked_for_and_is_never_among_the_pixels() {
    let display = Xvfb::start("320x240");
    let painter = Painter::on(&display);
    painter.fill([0, 0, 320, 240], 0x11_2233);
    show_red_square_cursor(&painter, 8, (2, 3));
    painter.link.connection.warp_pointer(x11rb::NONE, painter.link.root, 0, 0, 0, 0, 100, 50).unwrap();
    painter.link.round_trip().unwrap();
    for method in METHODS {
        let capture = capture(&display, method);
        let seen = |request| {
            capture.with_frame(request, |frame| frame.map(|frame| frame.cursor)).blocking_recv().unwrap().unwrap()
        };
        assert_eq!(seen(PLAIN), None);
        let cursor = seen(WITH_CURSOR).unwrap();
        assert_eq!(cursor.image, CursorImage::new(8, vec![0xffff_0000; 64]).unwrap());
        assert_eq!(cursor.place, CursorPlace { left: 98, top: 47 });
        assert!(shoot(&capture).colors.iter().all(|&color| color == 0x11_2233));
    }
}

/// Gives the root window a cursor: a square of one colour with this hot spot.
fn show_red_square_cursor(painter: &Painter, side: u16, (hot_x, hot_y): (u16, u16)) {
    let connection = &painter.link.connection;
    let [bitmap, context, cursor] = std::array::from_fn(|_| connection.generate_id().unwrap());
    connection.create_pixmap(1, bitmap, painter.link.root, side, side).unwrap();
    connection.create_gc(context, bitmap, &CreateGCAux::new().foreground(1)).unwrap();
    let all = Rectangle { x: 0, y: 0, width: side, height: side };
    connection.poly_fill_rectangle(bitmap, context, &[all]).unwrap();
    connection.create_cursor(cursor, bitmap, bitmap, u16::MAX, 0, 0, 0, 0, 0, hot_x, hot_y).unwrap();
    let attributes = ChangeWindowAttributesAux::new().cursor(cursor);
    connection.change_window_attributes(painter.link.root, &attributes).unwrap();
    painter.link.round_trip().unwrap();
}

#[test]
fn a_stopped_server_is_an_error_within_two_seconds_and_pictures_are_right_when_it_goes_on() {
    let display = Xvfb::start("640x480");
    let painter = Painter::on(&display);
    for method in METHODS {
        painter.fill([0, 0, 640, 480], 0x10_1010);
        let capture = capture(&display, method);
        let before = shoot(&capture).serial;
        display.process.stop();
        for _ in 0..2 {
            let stopped = Instant::now();
            // Three at once: nobody may wait for the deadlines of those before.
            let answers = [(); 3].map(|()| capture.with_frame(WITH_CURSOR, |frame| frame.map(drop)));
            for answer in answers {
                assert_eq!(answer.blocking_recv().unwrap(), Err(CaptureError::Unresponsive), "{method:?}");
            }
            assert!(stopped.elapsed() < Duration::from_secs(2), "{method:?}: {:?}", stopped.elapsed());
        }
        assert_eq!(capture.last_serial(), before);
        // Waits in the stopped server behind the captures that were given up: their late pictures do not have it.
        painter.send_fill([0, 0, 640, 480], 0xab_cdef);
        display.process.resume();
        painter.link.round_trip().unwrap();
        let shot = shoot(&capture);
        assert!(shot.colors.iter().all(|&color| color == 0xab_cdef), "{method:?}");
        assert_eq!(shot.serial, before + 1);
        let cursor = capture.with_frame(WITH_CURSOR, |frame| frame.map(|frame| frame.cursor.is_some()));
        assert_eq!(cursor.blocking_recv().unwrap(), Ok(true));
    }
}

#[test]
fn what_was_covered_while_the_server_was_stopped_is_covered_when_it_goes_on() {
    let display = Xvfb::start("320x240");
    let painter = Painter::on(&display);
    painter.fill([0, 0, 320, 240], 0x10_1010);
    let recorder = Recorder::open_with(
        &display.display,
        &RecorderOptions { colour: 0xfe_01fd, rectangle: (20, 20, 100, 100), ..RecorderOptions::default() },
    );
    let curtain = Arc::new(Curtain::default());
    let (attendance, ended) = (Attendance::default(), EndSignal::default());
    let method = CaptureMethod::SharedMemory;
    let capture = Capture::start_behind(display.link(), method, Arc::clone(&curtain), attendance, ended).unwrap();
    assert_eq!(shoot(&capture).color(50, 50), 0xfe_01fd);
    display.process.stop();
    let part = curtain.draw(Cover::Window(recorder.window));
    assert_eq!(try_shoot(&capture), Err(CaptureError::Unresponsive));
    display.process.resume();
    painter.link.round_trip().unwrap();
    assert_ne!(shoot(&capture).color(50, 50), 0xfe_01fd, "the paint was forgotten with the answer");
    curtain.open(part);
    assert_eq!(shoot(&capture).color(50, 50), 0xfe_01fd);
}

#[test]
fn a_server_that_was_stopped_at_the_first_capture_is_used_in_full_later() {
    let display = Xvfb::start("320x240");
    let expected = paint(&Painter::on(&display), 320, 240);
    let capture = capture(&display, CaptureMethod::SharedMemory);
    display.process.stop();
    assert_eq!(try_shoot(&capture), Err(CaptureError::Unresponsive));
    display.process.resume();
    assert_eq!(shoot(&capture).colors, expected);
    assert_eq!(display.shared_frames(), 1);
    let cursor = capture.with_frame(WITH_CURSOR, |frame| frame.map(|frame| frame.cursor.is_some()));
    assert_eq!(cursor.blocking_recv().unwrap(), Ok(true));
}

#[test]
fn a_server_that_died_is_lost_for_good() {
    let mut display = Xvfb::start("320x240");
    let capture = capture(&display, CaptureMethod::SharedMemory);
    shoot(&capture);
    display.process.kill();
    for _ in 0..2 {
        let error = try_shoot(&capture).unwrap_err();
        assert!(matches!(error, CaptureError::Lost(_)), "{error:?}");
        assert_eq!(Failure::from(error).kind, ErrorKind::DisplayLost);
    }
}

#[test]
fn a_screen_that_changed_its_size_is_never_shown_as_a_picture_of_the_old_size() {
    for method in METHODS {
        let display = Xvfb::start("1024x768");
        let painter = Painter::on(&display);
        let capture = capture(&display, method);
        shoot(&capture);
        let size = shrink(&painter);
        for _ in 0..2 {
            assert_eq!(try_shoot(&capture), Err(CaptureError::Resized(size)), "{method:?}");
        }
    }
}

/// Makes the screen smaller, as `xrandr` does: the output off, then the new size. Returns it.
fn shrink(painter: &Painter) -> NativeSize {
    let (link, randr) = (&painter.link, &painter.link.connection);
    link.reply(randr.randr_query_version(1, 2)).unwrap();
    let resources = link.reply(randr.randr_get_screen_resources(link.root)).unwrap();
    for &crtc in &resources.crtcs {
        let (now, config) = (x11rb::CURRENT_TIME, resources.config_timestamp);
        link.reply(randr.randr_set_crtc_config(crtc, now, config, 0, 0, 0, Rotation::ROTATE0, &[])).unwrap();
    }
    link.done(randr.randr_set_screen_size(link.root, 800, 600, 211, 158)).unwrap();
    NativeSize { width: 800, height: 600 }
}

#[test]
fn work_that_panics_fails_alone() {
    let display = Xvfb::start("320x240");
    let capture = capture(&display, CaptureMethod::SharedMemory);
    let failed = capture.with_frame(PLAIN, |_| panic!("a defect in an encoder"));
    assert!(failed.blocking_recv().is_err());
    assert_eq!(shoot(&capture).serial, 1);
}

#[test]
fn work_that_nobody_waits_for_any_more_is_not_done() {
    let display = Xvfb::start("320x240");
    let capture = capture(&display, CaptureMethod::SharedMemory);
    let (enter, entered) = std::sync::mpsc::channel::<()>();
    let first = capture.with_frame(PLAIN, move |_| entered.recv());
    let (done, was_done) = std::sync::mpsc::channel::<()>();
    drop(capture.with_frame(PLAIN, move |_| done.send(())));
    enter.send(()).unwrap();
    first.blocking_recv().unwrap().unwrap();
    assert!(was_done.recv().is_err(), "the work was dropped without being run");
}

/// Any client may destroy what another one has asked the DAMAGE and XFIXES extensions for.
#[test]
fn a_picture_is_right_when_somebody_has_destroyed_our_damage() {
    let display = Xvfb::start("320x240");
    let link = display.link();
    let ours = link.connection.setup().resource_id_base;
    let capture =
        Capture::start(link, CaptureMethod::SharedMemory, Attendance::default(), EndSignal::default()).unwrap();
    let painter = Painter::on(&display);
    let attacker = &painter.link.connection;
    attacker.damage_query_version(1, 1).unwrap().reply().unwrap();
    attacker.xfixes_query_version(5, 0).unwrap().reply().unwrap();
    for (color, kind) in (1..=6).zip(["damage", "region", "both"].into_iter().cycle()) {
        shoot(&capture);
        // The resources of a client are numbered one after the other.
        for id in ours..ours + 100 {
            if kind != "region" {
                attacker.damage_destroy(id).unwrap().ignore_error();
            }
            if kind != "damage" {
                attacker.xfixes_destroy_region(id).unwrap().ignore_error();
            }
        }
        painter.fill([10, 20, 30, 40], color);
        assert_eq!(shoot(&capture).color(15, 25), color, "{kind}");
        painter.fill([10, 20, 30, 40], color << 8);
        assert_eq!(shoot(&capture).color(15, 25), color << 8, "{kind}, and what comes later");
    }
}

/// Only the rows in which something was drawn are captured; nothing else may become wrong by that.
#[test]
fn many_small_changes_add_up_to_the_screen_whatever_its_width() {
    for (width, height) in [(320_u16, 240_u16), (321, 243)] {
        let display = Xvfb::start(&format!("{width}x{height}"));
        let painter = Painter::on(&display);
        for method in METHODS {
            let capture = capture(&display, method);
            let mut expected = paint(&painter, width, height);
            for step in 0..60_u16 {
                // Places that come round unevenly: corners, single pixels, bands far apart.
                let (x, y) = (step * 97 % (width - 1), step * 61 % (height - 1));
                let (wide, high) = (1 + step * 7 % (width - x), 1 + step * 5 % 9_u16.min(height - y));
                let shapes = [
                    ([x, y, wide, high], u32::from(step) * 4099 + 1),
                    ([width - 1, height - 1, 1, 1], u32::from(step)),
                ];
                for ([x, y, wide, high], color) in shapes {
                    painter.fill([x, y, wide, high], color);
                    for row in expected.chunks_mut(width.into()).skip(y.into()).take(high.into()) {
                        row[usize::from(x)..usize::from(x + wide)].fill(color);
                    }
                }
                assert!(shoot(&capture).colors == expected, "{width}x{height}, {method:?}, step {step}");
            }
        }
    }
}
