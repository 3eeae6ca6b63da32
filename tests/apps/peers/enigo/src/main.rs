//! Types the text of a file as enigo's documentation does: `type-with-enigo FILE`.

use std::error::Error;

use enigo::{Enigo, Keyboard, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: type-with-enigo FILE")?;
    Enigo::new(&Settings::default())?.text(&std::fs::read_to_string(file)?)?;
    Ok(())
}
