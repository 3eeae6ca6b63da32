//! Logs: one line an event on standard error, without colours. What others can influence (window titles, paths, error
//! texts) never reaches the terminal as control characters and never starts a line of its own.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;

/// Sends events of this level and above to standard error from now on. A second call changes nothing.
pub fn install(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .with_writer(|| OneLine(io::stderr()))
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("logs are being written already");
    }
}

/// A writer that gets one event with each write, as `tracing_subscriber` promises, and writes it as one line.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(one_line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
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
}
