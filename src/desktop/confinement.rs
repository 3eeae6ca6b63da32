//! Who is connected to the display and could read the keys of a secret.
//!
//! Every client of an X server can hear of all raw key events, also while another one holds the server (measured). So nobody may
//! be connected but ourselves, the program that the secret is for, what it has started, and the programs that the operator names.
//! The server knows the process of each connection since it was made (X-Resource); which program that is, the kernel says. A
//! program that was started to look like a named one is not told apart.

use x11rb::{
    connection::Connection as _,
    errors::{ConnectionError, ReplyError},
    protocol::{
        res::{self, ConnectionExt as _},
        xproto::Window,
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    focus, witness,
};

/// How many processes may be between a program and one that it has started.
const GENERATIONS: usize = 16;
/// The server's own resources (X-Resource counts it among the clients).
const SERVER: u32 = 0;

/// The first client that must not be connected while a secret is typed into a window, in words; `None` where there is none.
/// `allowed` are the executables of those that may be.
pub(super) fn stranger(link: &Link, window: Window, allowed: &[String]) -> Result<Option<String>, LinkError> {
    let Some(clients) = clients(link)? else {
        return Ok(Some("the X server does not say who is connected (X-Resource 1.2)".to_owned()));
    };
    let process_of = |base: u32| clients.iter().find(|(other, _)| *other == base).and_then(|(_, process)| *process);
    let us = process_of(link.connection.setup().resource_id_base);
    let Some(us) = us else {
        return Ok(Some("the X server does not know our process, so it hides that of others as well".to_owned()));
    };
    let target = process_of(focus::client_of(link, window));
    for (base, process) in &clients {
        let Some(process) = *process else {
            return Ok(Some(format!("a program whose process is hidden is connected (client {base:#x})")));
        };
        if *base == SERVER || process == us || target.is_some_and(|target| descends(process, target)) {
            continue;
        }
        let program = witness::program(process);
        let is_allowed = |path: &String| {
            allowed.iter().any(|allowed| path == allowed || path.strip_suffix(" (deleted)") == Some(allowed))
        };
        if !program.as_ref().is_some_and(is_allowed) {
            let program = program.unwrap_or_else(|| "a program that the system hides".to_owned());
            return Ok(Some(format!("process {process}, {program}, is connected")));
        }
    }
    Ok(None)
}

/// A client by what its resources share, and its process; `None` where that is hidden.
type Connected = (u32, Option<u32>);

/// All clients by what their resources share, with the process that each connected as.
fn clients(link: &Link) -> Result<Option<Vec<Connected>>, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let everybody = res::ClientIdSpec { client: 0, mask: res::ClientIdMask::LOCAL_CLIENT_PID };
    let ask = || -> Result<_, ReplyError> {
        link.connection.res_query_version(1, 2)?.reply()?;
        let clients = link.connection.res_query_clients()?;
        let ids = link.connection.res_query_client_ids(&[everybody])?;
        Ok((clients.reply()?.clients, ids.reply()?.ids))
    };
    let (clients, ids) = match ask() {
        Ok(answers) => answers,
        Err(ReplyError::X11Error(_) | ReplyError::ConnectionError(ConnectionError::UnsupportedExtension)) => {
            return Ok(None);
        }
        Err(error) => return Err(link.explain(error)),
    };
    let process_of = |base: u32| {
        // 0 is what a process namespace shows of everybody outside it.
        let process = ids.iter().find(|id| id.spec.client == base).and_then(|id| id.value.first().copied());
        process.filter(|process| *process != 0)
    };
    let with_process = |base: u32| (base, if base == SERVER { Some(SERVER) } else { process_of(base) });
    Ok(Some(clients.iter().map(|client| with_process(client.resource_base)).collect()))
}

/// Whether a process is another one, or was started by it.
fn descends(process: u32, from: u32) -> bool {
    let mut process = process;
    for _ in 0..GENERATIONS {
        if process == from {
            return true;
        }
        match witness::parent(process) {
            Some(parent) if parent > 1 => process = parent,
            _ => return false,
        }
    }
    false
}
