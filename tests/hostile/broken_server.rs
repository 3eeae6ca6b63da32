//! The X server itself is broken: stopped, slow, or talking nonsense.

use std::time::Duration;

use rustix::process::Signal;

use crate::{
    arena::{Arena, PLAIN, Rules},
    proxy::{Mode, Proxy},
    support::{Deskhand, Xvfb},
};

const RULES: Rules = Rules { kinds: &["display_lost", "stale_frame"], text: PLAIN };

/// How long the server is broken, and how long it is whole, in turns.
const BROKEN: Duration = Duration::from_millis(1200);
const WHOLE: Duration = Duration::from_millis(300);

pub fn stopped(time: Duration) {
    let arena = Arena::owned();
    let xvfb = arena.server.xvfb();
    arena.endure("server stopped", time, RULES, |_, going| {
        while going.on() {
            xvfb.signal(Signal::STOP);
            going.begin();
            // Longer than an answer may take, so that some are given up.
            going.pause(BROKEN * 4);
            xvfb.signal(Signal::CONT);
            going.pause(WHOLE);
        }
    });
}

fn through_proxy(name: &str, time: Duration, mode: Mode) {
    let xvfb = Xvfb::start("800x600");
    let proxy = Proxy::in_front_of(&xvfb);
    let server = Deskhand::attached(&proxy.display);
    let arena = Arena::on(server, &xvfb.display);
    arena.endure(name, time, RULES, |_, going| {
        while going.on() {
            proxy.set(mode);
            going.begin();
            going.pause(BROKEN);
            proxy.set(Mode::Pass);
            going.pause(WHOLE);
        }
    });
}

pub fn one_byte_a_second(time: Duration) {
    through_proxy("server at one byte a second", time, Mode::OneByteASecond);
}

pub fn garbage(time: Duration) {
    through_proxy("server sends garbage", time, Mode::Garbage);
}

pub fn four_gib(time: Duration) {
    through_proxy("server announces 4 GiB", time, Mode::FourGib);
}

pub fn endless(time: Duration) {
    through_proxy("server never stops sending", time, Mode::Endless);
}
