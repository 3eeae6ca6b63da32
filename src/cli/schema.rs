//! `deskhand schema`: the contract as JSON Schema.

use std::io::{self, Write};

use crate::{
    exit::{Exit, Fatal},
    protocol::schema,
};

/// Prints the schema.
pub(super) fn run() -> Result<Exit, Fatal> {
    let print = || {
        let mut output = io::stdout().lock();
        serde_json::to_writer_pretty(&mut output, &schema::document())?;
        output.write_all(b"\n")
    };
    print().map(|()| Exit::Fine).map_err(|error| Fatal::new(Exit::Failed, format!("cannot print the schema: {error}")))
}
