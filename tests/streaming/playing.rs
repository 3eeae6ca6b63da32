//! Viewers that take frames in all the time while a video plays, and are asked what they show whenever it pauses.

use std::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    support::{Controller, Deskhand, PATIENCE, Picture, Viewer},
    video::Video,
};

/// What one viewer shows.
#[derive(Default)]
struct Shown {
    /// A frame such as `1-7`, and the picture that was rebuilt.
    newest: Mutex<Option<(String, Picture)>>,
    changed: Condvar,
}

impl Shown {
    /// Takes frames in until one comes after it was told to stop.
    fn play(&self, mut viewer: Viewer, stop: &AtomicBool) -> Viewer {
        while !stop.load(Ordering::SeqCst) {
            viewer.next_frame();
            let frame = format!("{}-{}", viewer.epoch, viewer.serial);
            *self.newest.lock().unwrap() = viewer.picture.clone().map(|picture| (frame, picture));
            self.changed.notify_all();
        }
        viewer
    }

    /// Waits until the viewer has this frame, and compares.
    fn assert_shows(&self, frame: &str, picture: &Picture) {
        let newest = self.newest.lock().unwrap();
        let other = |newest: &mut Option<(String, Picture)>| newest.as_ref().is_none_or(|(known, _)| known != frame);
        let (newest, waited) = self.changed.wait_timeout_while(newest, PATIENCE, other).unwrap();
        assert!(!waited.timed_out(), "frame {frame} does not come");
        assert!(
            newest.as_ref().is_some_and(|(_, shown)| shown == picture),
            "frame {frame} is not what the screen shows"
        );
    }
}

/// Plays a video to three viewers and compares all of them with the screen whenever it pauses, as long as `goes_on`.
fn play(size: &str, pause_between: Duration, steps: usize, goes_on: impl Fn(usize) -> bool) {
    let server = Deskhand::owned(size);
    let mut eyes = Controller::connect(&server);
    let viewers = [(); 3].map(|()| Viewer::connect(&server));
    let shown: [Shown; 3] = Default::default();
    let stop = AtomicBool::new(false);
    let mut video = Video::on(&server.display);
    let mut pauses = 0;
    thread::scope(|scope| {
        let stop = &stop;
        let playing: Vec<_> = viewers
            .into_iter()
            .zip(&shown)
            .map(|(viewer, shown)| scope.spawn(move || shown.play(viewer, stop)))
            .collect();
        while goes_on(pauses) {
            for _ in 0..steps {
                video.step();
                thread::sleep(pause_between);
            }
            let result = eyes.must("screenshot", json!({}));
            let (frame, picture) = (result["frame"].as_str().unwrap(), Picture::from_result(&result));
            for shown in &shown {
                shown.assert_shows(frame, &picture);
            }
            pauses += 1;
        }
        stop.store(true, Ordering::SeqCst);
        video.step();
        for viewer in playing {
            let viewer = viewer.join().unwrap();
            eprintln!("{pauses} pauses, {} frames, {} KiB of tiles", viewer.frames, viewer.bytes / 1024);
        }
    });
}

#[test]
fn viewers_of_a_video_show_the_screen_whenever_it_pauses() {
    play("640x480", Duration::from_millis(5), 40, |pauses| pauses < 10);
}

#[test]
#[ignore = "soak: ten minutes of video"]
fn ten_minutes_of_video_are_rebuilt_exactly() {
    let end = Instant::now() + Duration::from_secs(600);
    // Thirty pictures a second, as a video has them.
    play("1024x768", Duration::from_millis(33), 60, |_| Instant::now() < end);
}
