//! Logs: one line an event on standard error, without colours. What others can influence (window titles, paths, error
//! texts) never reaches the terminal as control characters and never starts a line of its own, and no peer writes more than a
//! few lines a second.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tracing::{Level, Metadata, callsite::Identifier, level_filters::LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

use super::throttle::{Fate, Throttle};

/// Sends events of this level and above to standard error from now on. A second call changes nothing.
pub fn install(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        // A line that cannot be written is lost. By default that is said on standard error, which panics when that, too, fails: on a
        // full disk the thread that logs would be gone.
        .log_internal_errors(false)
        .with_writer(Lines { throttle: Mutex::new(Throttle::new()), to: io::stderr })
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("logs are being written already");
    }
}

/// Makes the writers, one for each event.
struct Lines<T> {
    throttle: Mutex<Throttle<Identifier>>,
    to: fn() -> T,
}

impl<'w, T: Write + 'w> MakeWriter<'w> for Lines<T> {
    type Writer = OneLine<T>;

    fn make_writer(&'w self) -> OneLine<T> {
        OneLine { to: (self.to)(), fate: Fate::Written { left_out: 0 } }
    }

    fn make_writer_for(&'w self, event: &Metadata<'_>) -> OneLine<T> {
        // Whoever asks for each request gets each.
        if *event.level() > Level::INFO {
            return self.make_writer();
        }
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        OneLine { to: (self.to)(), fate: throttle.line(Instant::now(), event.callsite()) }
    }
}

/// A writer that gets one event with each write, as `tracing_subscriber` promises, and writes it as one line or not at all.
struct OneLine<W> {
    to: W,
    fate: Fate,
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        match self.fate {
            Fate::LeftOut => {}
            Fate::Written { left_out: 0 } => self.to.write_all(one_line(event).as_bytes())?,
            Fate::Written { left_out } => {
                let line = one_line(event);
                let line =
                    format!("{} (and {left_out} more from here that were left out)\n", line.trim_end_matches('\n'));
                self.to.write_all(line.as_bytes())?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Escapes all that moves the cursor, ends the line or turns the direction of text.
fn one_line(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event.strip_suffix(b"\n").unwrap_or(event));
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        // The line and paragraph separators, the marks and overrides of direction (Unicode Bidirectional Algorithm 2).
        let deceptive =
            matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        if character.is_control() || deceptive {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_title_holds_an_event_stays_one_line_without_controls() {
        let hostile = "title: a\r\nb\x1b[31mc\x07\u{9b}d\u{202e}e\u{2028}f\n".as_bytes();
        assert_eq!(one_line(hostile), "title: a\\r\\nb\\u{1b}[31mc\\u{7}\\u{9b}d\\u{202e}e\\u{2028}f\n");
        assert_eq!(one_line("grüße 😀\n".as_bytes()), "grüße 😀\n");
        assert_eq!(one_line(b"bad \xff byte\n"), "bad \u{fffd} byte\n");
    }

    #[test]
    fn a_flood_of_one_place_becomes_ten_lines_and_debugging_has_all_of_them() {
        static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

        struct ToMemory;

        impl Write for ToMemory {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                WRITTEN.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let lines = Lines { throttle: Mutex::new(Throttle::new()), to: || ToMemory };
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG).with_writer(lines).finish();
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..100 {
                tracing::warn!(number, "flood");
                tracing::debug!(number, "detail");
            }
            tracing::warn!("another place");
        });
        let written = String::from_utf8(WRITTEN.lock().unwrap().clone()).unwrap();
        let count = |part: &str| written.lines().filter(|line| line.contains(part)).count();
        assert_eq!((count("flood"), count("detail"), count("another place")), (10, 100, 1), "{written}");
    }

    #[test]
    fn the_line_after_a_flood_says_how_much_is_missing() {
        let mut to = Vec::new();
        OneLine { to: &mut to, fate: Fate::Written { left_out: 7 } }.write_all(b"title\n").unwrap();
        OneLine { to: &mut to, fate: Fate::LeftOut }.write_all(b"nothing\n").unwrap();
        assert_eq!(String::from_utf8(to).unwrap(), "title (and 7 more from here that were left out)\n");
    }
}
