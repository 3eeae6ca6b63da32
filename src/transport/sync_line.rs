//! The line with which a host begins a connection over a port that carries one connection after the other unmarked.
//!
//! A virtio-serial port does not tell its guest reliably that one host has gone and another has come: a quick close and open is
//! not seen at all, and what the last one left half-said arrives with the first bytes of the next (seen with QEMU 7.2). So each
//! connection begins with a line that holds a fresh nonce, and everything before the newest line belongs to nobody.

/// What the line begins with.
const PREFIX: &[u8] = b"DESKHAND-SYNC ";
/// The hexadecimal characters behind it: 128 bit, so that no line is taken for another.
const NONCE_DIGITS: usize = 32;
/// The whole line with its line feed.
const LINE_BYTES: usize = PREFIX.len() + NONCE_DIGITS + 1;

/// One such line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyncLine([u8; LINE_BYTES]);

impl SyncLine {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn fresh() -> Result<Self, getrandom::Error> {
        let mut nonce = [0; NONCE_DIGITS / 2];
        getrandom::fill(&mut nonce)?;
        let mut line = [b'\n'; LINE_BYTES];
        line[..PREFIX.len()].copy_from_slice(PREFIX);
        let digits = data_encoding::HEXLOWER.encode(&nonce);
        line[PREFIX.len()..LINE_BYTES - 1].copy_from_slice(digits.as_bytes());
        Ok(Self(line))
    }

    /// As it is sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The line at the end of `bytes`, if there is one.
    fn at_the_end_of(bytes: &[u8]) -> Option<Self> {
        let line: [u8; LINE_BYTES] = *bytes.last_chunk()?;
        let digits = line.strip_prefix(PREFIX)?.strip_suffix(b"\n")?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(line))
    }
}

/// What a read has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// The newest line, if one was completed: another connection begins.
    pub(super) line: Option<SyncLine>,
    /// What belongs to the connection that is there now.
    pub(super) rest: Vec<u8>,
}

/// Looks for lines in a stream, however it is cut into reads.
///
/// What may become a line is held back, so that nothing of it reaches the connection that it ends, but only from its whole prefix
/// on. To hold back the first letter already would keep the end of every 256th message waiting for the next; fourteen bytes in a
/// row do not come by chance in what a client has masked.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// The last bytes that were seen, fewer than a line has.
    recent: Vec<u8>,
    /// How many of these have not been handed on.
    held: usize,
}

impl Scanner {
    /// Takes what was read.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Scanned {
        let seen = self.recent.len();
        let mut window = std::mem::take(&mut self.recent);
        window.extend_from_slice(bytes);
        let ends = (seen..window.len()).rev().filter(|at| window[*at] == b'\n');
        let newest =
            ends.map(|at| at + 1).find_map(|end| SyncLine::at_the_end_of(&window[..end]).map(|line| (line, end)));
        let (line, begin, start) = match newest {
            Some((line, end)) => (Some(line), end, end),
            None => (None, seen - self.held, 0),
        };
        let stop = begins_a_line(&window[start..]).map_or(window.len(), |at| (start + at).max(begin));
        let rest = window[begin..stop].to_vec();
        self.held = window.len() - stop;
        self.recent = window.split_off(start.max(window.len().saturating_sub(LINE_BYTES - 1)));
        Scanned { line, rest }
    }
}

/// Where something begins that is the whole prefix and may become a line.
fn begins_a_line(bytes: &[u8]) -> Option<usize> {
    let from = bytes.len().saturating_sub(LINE_BYTES - 1);
    let tail = &bytes[from..];
    let at = tail.windows(PREFIX.len()).rposition(|window| window == PREFIX)?;
    tail[at + PREFIX.len()..].iter().all(u8::is_ascii_hexdigit).then_some(from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(digit: u8) -> Vec<u8> {
        [PREFIX, &[digit; NONCE_DIGITS], b"\n"].concat()
    }

    /// Feeds the pieces and returns the last line and what came behind it.
    fn feed(pieces: &[&[u8]]) -> (Option<SyncLine>, Vec<u8>, Scanner) {
        let (mut scanner, mut newest, mut connection) = (Scanner::default(), None, Vec::new());
        for piece in pieces {
            let Scanned { line, rest } = scanner.feed(piece);
            if line.is_some() {
                newest = line;
                connection.clear();
            }
            connection.extend(rest);
        }
        (newest, connection, scanner)
    }

    #[test]
    fn a_fresh_line_is_found_and_no_two_are_the_same() {
        let (one, other) = (SyncLine::fresh().unwrap(), SyncLine::fresh().unwrap());
        assert_ne!(one, other);
        assert_eq!(Scanner::default().feed(one.bytes()), Scanned { line: Some(one), rest: Vec::new() });
    }

    #[test]
    fn the_newest_of_several_lines_counts_and_what_is_before_it_is_dropped() {
        let bytes = [b"half a mess".as_slice(), &line(b'a'), b"GET /", &line(b'b'), b"GET /v1/ws"].concat();
        let (newest, rest, _) = feed(&[&bytes]);
        assert_eq!((newest.unwrap().bytes(), rest.as_slice()), (line(b'b').as_slice(), b"GET /v1/ws".as_slice()));
    }

    #[test]
    fn what_only_looks_like_a_line_is_handed_on_whole() {
        for text in [
            "DESKHAND-SYNC 0123\n".to_owned(),
            format!("DESKHAND-SYNC {}g\n", "0".repeat(31)),
            format!("DESKHAND-SYNC {}\r\n", "0".repeat(32)),
            format!("deskhand-sync {}\n", "0".repeat(32)),
        ] {
            let (newest, rest, _) = feed(&[text.as_bytes()]);
            assert_eq!((newest, rest.as_slice()), (None, text.as_bytes()));
        }
    }

    #[test]
    fn a_message_that_ends_like_a_line_begins_does_not_wait_for_the_next() {
        for length in 1..PREFIX.len() {
            let (_, rest, _) = feed(&[&PREFIX[..length]]);
            assert_eq!(rest, &PREFIX[..length]);
        }
        let (_, rest, scanner) = feed(&[PREFIX]);
        assert_eq!((rest.as_slice(), scanner.held), (b"".as_slice(), PREFIX.len()));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_stream_is_cut(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..20),
                    Just(PREFIX.to_vec()),
                    Just(b"DESK".to_vec()),
                    (0..16_u8).prop_map(|digit| line(b"0123456789abcdef"[usize::from(digit)])),
                ],
                0..6,
            ),
            size in 1..50_usize,
        ) {
            // An end that is no prefix of a line, so that nothing is held back.
            let stream = [parts.concat().as_slice(), b"!"].concat();
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let (whole, cut) = (feed(&[&stream]), feed(&pieces));
            prop_assert_eq!((whole.0, whole.1), (cut.0, cut.1));
        }

        #[test]
        fn nothing_is_lost_between_lines(noise in prop::collection::vec(any::<u8>(), 0..200), size in 1..70_usize) {
            prop_assume!(!noise.ends_with(PREFIX));
            let stream = [line(b'0'), noise.clone(), b"!".to_vec()].concat();
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let (newest, rest, _) = feed(&pieces);
            prop_assert!(newest.is_some());
            prop_assert_eq!(rest, [noise, b"!".to_vec()].concat());
        }
    }
}
