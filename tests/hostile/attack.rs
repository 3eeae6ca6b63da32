//! A program that attacks, on a thread of its own with connections of its own.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ConnectionExt as _, CreateWindowAux, Window, WindowClass},
    rust_connection::RustConnection,
};

use crate::support::{Display, PATIENCE};

/// What an attacker knows.
pub struct Field {
    pub display: Display,
    /// The window of the honest application.
    pub application: Window,
}

/// The clients that are no part of Deskhand: those that were there before, on this test's own connections.
pub fn own_clients(connection: &RustConnection) -> Vec<u32> {
    use x11rb::protocol::res::{ClientIdMask, ClientIdSpec, ConnectionExt as _};
    let spec = ClientIdSpec { client: 0, mask: ClientIdMask::LOCAL_CLIENT_PID };
    let ids = connection.res_query_client_ids(&[spec]).unwrap().reply().unwrap().ids;
    let own = |value: &&x11rb::protocol::res::ClientIdValue| value.value.first() == Some(&std::process::id());
    ids.iter().filter(own).map(|value| value.spec.client).collect()
}

/// Whether the attack goes on.
pub struct Going<'a> {
    stop: &'a AtomicBool,
    begun: Sender<()>,
}

impl Going<'_> {
    pub fn on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    /// To be called when the attack is in force; the actions begin then.
    pub fn begin(&self) {
        // Called again by attacks in a loop, when nobody waits any more.
        self.begun.send(()).ok();
    }

    /// Keeps what is in force for this long, or until the attack is to end.
    pub fn pause(&self, time: Duration) {
        let end = std::time::Instant::now() + time;
        while self.on() && std::time::Instant::now() < end {
            thread::sleep(time.min(Duration::from_millis(5)));
        }
    }

    /// Keeps what is in force until the attack is to end.
    pub fn hold(&self) {
        while self.on() {
            self.pause(Duration::from_secs(60));
        }
    }
}

/// Ends the attack also when the actions end by a failed assertion.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs `actions` while `attack` runs, from the moment on that it is in force.
pub fn under(attack: impl FnOnce(&Going<'_>) + Send, actions: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let ended = Stop(&stop);
        let (begun, begins) = channel();
        let going = Going { stop: &stop, begun };
        scope.spawn(move || attack(&going));
        begins.recv_timeout(PATIENCE).expect("an attack that is in force");
        actions();
        drop(ended);
    });
}

/// The root window.
pub fn root(connection: &RustConnection) -> Window {
    connection.setup().roots[0].root
}

/// A window that no window manager touches, not mapped yet.
pub fn window(connection: &RustConnection, x: i16, y: i16, size: u16) -> Window {
    let window = connection.generate_id().unwrap();
    let attributes = CreateWindowAux::new().override_redirect(1);
    let kind = WindowClass::INPUT_OUTPUT;
    connection.create_window(24, window, root(connection), x, y, size, size, 0, kind, 0, &attributes).unwrap();
    window
}

/// Waits until the server has carried out everything that was sent.
pub fn sync(connection: &RustConnection) {
    connection.get_input_focus().unwrap().reply().unwrap();
}
