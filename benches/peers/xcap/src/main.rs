//! `bench-xcap`: the crate xcap behind lines on standard input: `screenshot [FILE]`, answered by nanoseconds and bytes.
//!
//! The picture is taken and encoded as a PNG in memory with the crate's own types; the time is that of the calls alone.

use std::{
    error::Error,
    fs,
    io::{self, BufRead, Cursor, Write},
    time::Instant,
};

use xcap::{Monitor, image::ImageFormat};

fn main() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let begun = Instant::now();
        // What its examples do for each picture: a monitor that is kept would be of no help when the display changes.
        let monitor = Monitor::all()?.into_iter().next().ok_or("there is no monitor")?;
        let mut png = Cursor::new(Vec::new());
        monitor.capture_image()?.write_to(&mut png, ImageFormat::Png)?;
        let took = begun.elapsed().as_nanos();
        if let Some(file) = line.strip_prefix("screenshot ") {
            fs::write(file, png.get_ref())?;
        }
        println!("{took} {}", png.get_ref().len());
        io::stdout().flush()?;
    }
    Ok(())
}
