//! `deskhand` with a server that does nothing but what the supervisor has to see of one: it connects to each new
//! display, prints the ready line, asks for COMMAND, and ends on SIGTERM. So the supervisor is tested on its own.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it stands in a test, and its standard output is what is tested"
)]

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    process::ExitCode,
};

use deskhand::{
    cli,
    config::{AcceptedTokens, display::DisplayChoice},
    exit::Exit,
    protocol::address::ListenAddress,
    supervisor::{
        link::Start,
        messages::{ToServer, ToSupervisor},
    },
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    cli::run(|start| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Ok(runtime.block_on(serve(start)))
    })
}

async fn serve(start: Start) -> Exit {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
    let mut link = start.link.open().expect("the link");
    if let Some(streams) = start.streams {
        assert!(start.handover.settings.listen.contains(&ListenAddress::Stdio));
        let mut text = String::new();
        std::fs::File::from(streams.input).read_to_string(&mut text).expect("standard input of the host");
        std::fs::File::from(streams.output).write_all(text.as_bytes()).expect("standard output of the host");
    }
    for address in &start.handover.settings.listen {
        if let ListenAddress::Unix(path) = address
            && UnixListener::bind(path).is_err()
        {
            return Exit::CouldNotBind;
        }
    }
    if let DisplayChoice::Attached { display, .. } = start.handover.settings.display {
        ready_line(&display.to_string(), None, start.handover.tokens.as_ref());
        link.send(&ToSupervisor::StartCommand).await.expect("the supervisor");
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => return Exit::Fine,
            message = link.recv() => match message.expect("a message") {
                None => return Exit::Internal,
                Some(ToServer::Display { number, pid, xauthority }) => {
                    let socket = UnixStream::connect(format!("/tmp/.X11-unix/X{}", number.get())).expect("the display");
                    let peer = rustix::net::sockopt::socket_peercred(&socket).expect("its process");
                    assert_eq!(peer.pid.as_raw_nonzero().get().unsigned_abs(), pid);
                    ready_line(&number.to_string(), xauthority.to_str(), start.handover.tokens.as_ref());
                    link.send(&ToSupervisor::StartCommand).await.expect("the supervisor");
                }
                Some(ToServer::CommandStarted { process_group }) => println!(r#"{{"event":"command","pid":{process_group}}}"#),
                Some(
                    ToServer::DisplayGone | ToServer::CommandExited { .. } | ToServer::Tokens { .. } | ToServer::Tls { .. },
                ) => {}
            },
        }
    }
}

fn ready_line(display: &str, xauthority: Option<&str>, tokens: Option<&AcceptedTokens>) {
    let line = serde_json::json!({
        "event": "ready", "listen": [], "display": display, "xauthority": xauthority,
        "token_file": tokens.and_then(AcceptedTokens::file),
    });
    println!("{line}");
}
