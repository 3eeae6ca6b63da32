//! Whatever ends an action, nothing stays pressed, and the answer says what happened.

use std::time::{Duration, Instant};

use deskhand::{
    desktop::{
        Desktop,
        connection::OpenError,
        ended::Ended,
        failure::InputCause,
        permit::{Cancellation, Permit},
        target::Target,
    },
    plan::{
        gesture::{Chord, Gesture},
        step::{Direction, Keysym, Step},
    },
    protocol::{answer::Held, error::Executed, units::NativeSize},
};
use x11rb::{
    connection::Connection as _,
    protocol::{
        randr::ConnectionExt as _,
        xproto::{ConnectionExt as _, CreateWindowAux, EventMask, GrabMode, GrabStatus, WindowClass},
        xtest::ConnectionExt as _,
    },
};

use super::{
    LEFT, Scene, click, clicks, focused_recorder, is_press, perform, point, pressed,
    support::{Recorded, Xvfb},
};

const SHIFT_L: Keysym = Keysym(0xffe1);

fn hold_shift() -> Gesture {
    Gesture::HoldKeys { chord: Chord(vec![SHIFT_L]), duration: Duration::from_secs(300) }
}

fn drag() -> Gesture {
    Gesture::Drag {
        start: Some(point(20, 20)),
        path: vec![point(300, 300)],
        button: LEFT,
        held: Some(Chord(vec![SHIFT_L])),
    }
}

#[test]
fn a_cancel_ends_a_held_key_at_once_and_releases_it() {
    let scene = Scene::new();
    let cancellation = Cancellation::new();
    let permit = Permit { cancellation: cancellation.clone(), ..Permit::default() };
    let answer = scene.desktop.input().perform(hold_shift(), permit);
    scene.recorder.wait_for("the press", |seen| seen.iter().any(is_press).then_some(()));
    cancellation.cancel();
    let error = answer.blocking_recv().unwrap().unwrap_err();
    assert_eq!((error.cause, error.executed), (InputCause::Cancelled, Executed::Partial));
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
    assert_eq!(scene.desktop.input().held(), Held::default());
}

#[test]
fn a_release_waits_for_the_running_command_and_a_deadline_ends_that_as_a_cancel_does() {
    let scene = Scene::new();
    let permit = Permit::default();
    let cancellation = permit.cancellation.clone();
    let running = scene.desktop.input().perform(hold_shift(), permit);
    scene.recorder.wait_for("the press", |seen| seen.iter().any(is_press).then_some(()));
    let release = scene.desktop.input().release_all();
    cancellation.cancel();
    assert_eq!(running.blocking_recv().unwrap().unwrap_err().cause, InputCause::Cancelled);
    assert_eq!(release.blocking_recv().unwrap(), Held::default());
    let permit = Permit { deadline: Some(Instant::now() + Duration::from_millis(50)), ..Permit::default() };
    let error = scene.desktop.input().perform(hold_shift(), permit).blocking_recv().unwrap().unwrap_err();
    assert_eq!(error.cause, InputCause::DeadlineExceeded);
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
}

#[test]
fn a_command_that_was_cancelled_before_its_turn_does_nothing() {
    let scene = Scene::new();
    let permit = Permit::default();
    permit.cancellation.cancel();
    let error = scene.desktop.input().perform(click(point(5, 5), 1), permit).blocking_recv().unwrap().unwrap_err();
    assert_eq!((error.cause, error.executed), (InputCause::Cancelled, Executed::No));
    assert_eq!(scene.recorder.everything(), []);
}

#[test]
fn a_stopped_server_costs_two_seconds_at_most_and_nothing_is_held_when_it_goes_on() {
    let scene = Scene::new();
    scene.perform(Gesture::PressKeys(Chord(vec![SHIFT_L]))).unwrap();
    scene.xvfb.process.stop();
    let began = Instant::now();
    let error = scene.perform(click(point(8, 8), 2)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(2), "the contract's two seconds, not a measurement");
    assert_eq!((error.cause, error.executed), (InputCause::Unresponsive, Executed::Unknown));
    let error = scene.perform(click(point(9, 9), 1)).unwrap_err();
    assert_eq!((error.cause, error.executed), (InputCause::Unresponsive, Executed::No));
    let held = scene.desktop.input().release_all().blocking_recv().unwrap();
    assert_eq!(held.keys, ["Shift_L"], "nobody can tell yet");
    scene.xvfb.process.resume();
    scene.perform(click(point(50, 60), 1)).unwrap();
    assert_eq!(scene.desktop.input().held(), Held::default());
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
    assert!(scene.recorder.everything().iter().any(|seen| matches!(seen, Recorded::Button { x: 50, y: 60, .. })));
}

#[test]
fn a_desktop_on_a_stopped_server_can_be_closed() {
    let scene = Scene::new();
    scene.perform(Gesture::PressKeys(Chord(vec![SHIFT_L]))).unwrap();
    scene.xvfb.process.stop();
    let Scene { desktop, recorder, xvfb } = scene;
    drop(desktop);
    xvfb.process.resume();
    let shift_up = |seen: &Recorded| matches!(seen, Recorded::Key { down: false, keycode: 50, .. });
    recorder.wait_for("the release", |seen| seen.iter().any(shift_up).then_some(()));
    assert_eq!(pressed(&xvfb), (vec![], 0));
}

#[test]
fn a_pointer_that_is_confined_elsewhere_is_told_and_nothing_is_clicked() {
    let scene = Scene::new();
    let other = scene.xvfb.display.connect();
    let root = other.setup().roots[0].root;
    let cage = other.generate_id().unwrap();
    let attributes = CreateWindowAux::new().override_redirect(1);
    other.create_window(24, cage, root, 10, 10, 50, 50, 0, WindowClass::INPUT_OUTPUT, 0, &attributes).unwrap();
    other.map_window(cage).unwrap().check().unwrap();
    let mode = GrabMode::ASYNC;
    let grab = other.grab_pointer(false, cage, EventMask::NO_EVENT, mode, mode, cage, x11rb::NONE, 0_u32).unwrap();
    assert_eq!(grab.reply().unwrap().status, GrabStatus::SUCCESS);
    let error = scene.perform(click(point(400, 300), 1)).unwrap_err();
    let InputCause::PointerBlocked { at } = error.cause else { panic!("{error:?}") };
    assert!(at.x < 60 && at.y < 60, "{at:?}");
    other.ungrab_pointer(0_u32).unwrap().check().unwrap();
    assert_eq!(clicks(&scene.recorder), []);
    scene.perform(click(point(400, 300), 1)).unwrap();
    assert_eq!(clicks(&scene.recorder), [(1, true), (1, false)]);
}

#[test]
fn a_panic_in_a_drag_leaves_nothing_pressed_and_the_next_action_works() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let mut moves_while_down = None;
    let hook = Box::new(move |step: &Step| match (step, &mut moves_while_down) {
        (Step::Button(_, Direction::Press), moves @ None) => *moves = Some(0),
        (Step::Move(_), Some(moves)) => {
            *moves += 1;
            assert!(*moves != 5, "injected");
        }
        _ => {}
    });
    let desktop = Desktop::open_with(&xvfb.target(), Some(hook)).unwrap();
    let error = perform(desktop.input(), drag()).unwrap_err();
    assert_eq!((error.cause, error.executed), (InputCause::Internal("injected".into()), Executed::Partial));
    assert_eq!(clicks(&recorder), [(1, true), (1, false)]);
    assert_eq!(pressed(&xvfb), (vec![], 0));
    perform(desktop.input(), click(point(33, 44), 1)).unwrap();
    assert_eq!(clicks(&recorder), [(1, true), (1, false)].repeat(2));
}

#[test]
fn what_was_left_down_before_is_released_at_the_start() {
    let xvfb = Xvfb::start("640x480");
    let before = xvfb.display.connect();
    before.xtest_fake_input(2, 50, 0, x11rb::NONE, 0, 0, 0).unwrap();
    before.xtest_fake_input(4, 3, 0, x11rb::NONE, 0, 0, 0).unwrap().check().unwrap();
    drop(before);
    assert_eq!(pressed(&xvfb), (vec![50], 0x401));
    let _desktop = Desktop::open(&xvfb.target()).unwrap();
    assert_eq!(pressed(&xvfb), (vec![], 0));
}

#[test]
fn closing_the_desktop_releases_what_is_held_and_ends_what_runs() {
    let scene = Scene::new();
    scene.perform(Gesture::PressKeys(Chord(vec![SHIFT_L]))).unwrap();
    let running = scene.desktop.input().perform(Gesture::Wait(Duration::from_secs(300)), Permit::default());
    let Scene { desktop, xvfb, .. } = scene;
    drop(desktop);
    assert_eq!(running.blocking_recv().unwrap().unwrap_err().cause, InputCause::ShuttingDown);
    assert_eq!(pressed(&xvfb), (vec![], 0));
}

#[test]
fn a_server_that_dies_ends_the_desktop_and_every_command() {
    let mut scene = Scene::new();
    let mut ended = scene.desktop.ended();
    let running = scene.desktop.input().perform(hold_shift(), Permit::default());
    scene.xvfb.process.kill();
    assert!(matches!(running.blocking_recv().unwrap().unwrap_err().cause, InputCause::Lost(_)));
    let reason = block_on(ended.wait_for(Option::is_some)).unwrap().clone();
    assert!(matches!(reason, Some(Ended::Lost { .. })), "{reason:?}");
    let error = scene.perform(click(point(5, 5), 1)).unwrap_err();
    assert!(matches!(error.cause, InputCause::Lost(_)), "{error:?}");
}

#[test]
fn a_screen_that_changes_its_size_ends_the_desktop() {
    let scene = Scene::new();
    let mut ended = scene.desktop.ended();
    let other = scene.xvfb.display.connect();
    let root = other.setup().roots[0].root;
    let resources = other.randr_get_screen_resources_current(root).unwrap().reply().unwrap();
    let crtc = resources.crtcs[0];
    let off = other.randr_set_crtc_config(
        crtc,
        0,
        resources.config_timestamp,
        0,
        0,
        0,
        x11rb::protocol::randr::Rotation::ROTATE0,
        &[],
    );
    off.unwrap().reply().unwrap();
    other.randr_set_screen_size(root, 500, 400, 130, 100).unwrap().check().unwrap();
    let reason = block_on(ended.wait_for(Option::is_some)).unwrap().clone();
    assert_eq!(reason, Some(Ended::Resized { to: NativeSize { width: 500, height: 400 } }));
}

#[test]
fn a_hostile_server_grab_does_not_stop_us() {
    let scene = Scene::new();
    let other = scene.xvfb.display.connect();
    other.grab_server().unwrap().check().unwrap();
    let performed = scene.perform(click(point(70, 80), 1)).unwrap();
    assert_eq!(performed.pointer, point(70, 80));
    other.ungrab_server().unwrap().check().unwrap();
    assert_eq!(clicks(&scene.recorder), [(1, true), (1, false)]);
}

#[test]
fn a_display_of_somebody_else_and_a_screen_of_another_kind_are_refused() {
    let xvfb = Xvfb::start("640x480");
    let target = Target { expected_server: Some(1), ..xvfb.target() };
    assert!(matches!(Desktop::open(&target), Err(OpenError::Untrusted { .. })));
    assert!(Desktop::open(&Target { expected_server: None, ..xvfb.target() }).is_ok());
    let shallow = Xvfb::start_with("640x480", &["-screen", "0", "640x480x16"]);
    assert!(matches!(Desktop::open(&shallow.target()), Err(OpenError::Pixels { .. })));
    let small = Xvfb::start("300x200");
    assert!(matches!(Desktop::open(&small.target()), Err(OpenError::Size(NativeSize { width: 300, height: 200 }))));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
