//! `bench-enigo`: the crate enigo behind lines on standard input: `click X Y`, `type "JSON STRING"`, answered by
//! nanoseconds. The time is that of the calls alone, on a connection that is kept.

use std::{
    error::Error,
    io::{self, BufRead, Write},
    time::Instant,
};

use enigo::{Button, Coordinate, Direction, Enigo, Keyboard, Mouse, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let mut enigo = Enigo::new(&Settings::default())?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let begun = match line.split_once(' ').ok_or("usage: click X Y | type JSON")? {
            ("click", place) => {
                let (x, y) = place.split_once(' ').ok_or("usage: click X Y")?;
                let (x, y) = (x.parse()?, y.parse()?);
                let begun = Instant::now();
                enigo.move_mouse(x, y, Coordinate::Abs)?;
                enigo.button(Button::Left, Direction::Click)?;
                begun
            }
            ("type", text) => {
                let text: String = serde_json::from_str(text)?;
                let begun = Instant::now();
                enigo.text(&text)?;
                begun
            }
            (other, _) => return Err(format!("unknown action {other}: click or type").into()),
        };
        println!("{} 0", begun.elapsed().as_nanos());
        io::stdout().flush()?;
    }
    Ok(())
}
