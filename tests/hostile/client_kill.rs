//! A client destroys our windows, or has the server end our connections.

use std::time::Duration;

use x11rb::{
    connection::Connection as _,
    protocol::{res::ConnectionExt as _, xproto::ConnectionExt as _},
    rust_connection::RustConnection,
};

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::{Field, own_clients, sync},
    forged_events::windows_of_others,
};

/// Without its windows everything goes on.
const WITHOUT_WINDOWS: Rules = Rules { kinds: &[], text: PLAIN };
/// Without its connections the display is lost, and then a new one with a new epoch.
const WITHOUT_CONNECTIONS: Rules = Rules { kinds: &["display_lost", "stale_frame"], text: PLAIN };
/// So many of a client's resources are tried, from the first on.
const RESOURCES: u32 = 8;

pub fn windows_destroyed(time: Duration) {
    endure("our windows destroyed", time, WITHOUT_WINDOWS, |field, going| {
        let connection = field.display.connect();
        while going.on() {
            for window in windows_of_others(&connection, field) {
                connection.destroy_window(window).unwrap();
            }
            sync(&connection);
            going.begin();
            going.pause(Duration::from_millis(10));
        }
    });
}

pub fn client_killed(time: Duration) {
    endure("our client killed", time, WITHOUT_CONNECTIONS, |field, going| {
        let connection = field.display.connect();
        while going.on() {
            for window in windows_of_others(&connection, field) {
                connection.kill_client(window).unwrap();
            }
            sync(&connection);
            going.begin();
            going.pause(Duration::from_millis(100));
        }
    });
}

/// Also those that have no window: the server lists every client, and the ids of resources can be guessed.
pub fn every_connection_killed(time: Duration) {
    kill_connections("every connection killed", time, |_, _| Vec::new());
}

/// Only those that have no window: the one that takes pictures.
pub fn connections_without_windows_killed(time: Duration) {
    kill_connections("connections without windows killed", time, |connection, field| {
        let mask = connection.setup().resource_id_mask;
        windows_of_others(connection, field).into_iter().map(|window| window & !mask).collect()
    });
}

fn kill_connections(name: &str, time: Duration, excepted: impl Fn(&RustConnection, &Field) -> Vec<u32> + Send + Sync) {
    endure(name, time, WITHOUT_CONNECTIONS, |field, going| {
        let connection = field.display.connect();
        let spared = own_clients(&connection);
        while going.on() {
            let excepted = excepted(&connection, field);
            for client in connection.res_query_clients().unwrap().reply().unwrap().clients {
                let base = client.resource_base;
                if !spared.contains(&base) && !excepted.contains(&base) {
                    for resource in 0..RESOURCES {
                        connection.kill_client(base | resource).unwrap();
                    }
                }
            }
            sync(&connection);
            going.begin();
            going.pause(Duration::from_millis(300));
        }
    });
}
