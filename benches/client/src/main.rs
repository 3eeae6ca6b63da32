//! `bench-client`: measures from the outside, told what by lines of JSON on standard input.
//!
//! Everything that is compared is measured by this one program: Deskhand, the peers that are servers, and the limits. It
//! keeps connections, draws what changes on the screen, and looks into no answer while a clock runs. `bench-client echo` is
//! the other end of the limit: a server that answers with as many bytes as it is asked for.

mod carrier;
mod command;
mod echo;
mod limits;
mod recorder;
mod screen;
mod stream;
mod websocket;

use std::{
    error::Error,
    io::{self, BufRead, Write},
};

use command::{Client, Command};
use serde_json::{Value, json};

/// Whatever went wrong, in words: the harness shows them beside the figure that is missing.
pub type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    if std::env::args().nth(1).as_deref() == Some("echo") {
        return echo::serve();
    }
    let mut client = Client::default();
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Command>(&line?) {
            Ok(command) => client.carry_out(command).unwrap_or_else(|failure| failed(failure.as_ref())),
            Err(error) => failed(&error),
        };
        let mut output = io::stdout().lock();
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn failed(error: &(dyn Error + 'static)) -> Value {
    json!({ "failed": error.to_string() })
}
