//! What of a text is a repetition of something earlier in it: the first half of deflate (RFC 1951, 4).
//!
//! Three searches, for three kinds of rows; `png.rs` has the figures.

/// How far back a repetition may lie.
const WINDOW: usize = 32 * 1024;
/// The shortest repetition that deflate can name.
const SHORTEST_MATCH: usize = 3;
/// The longest.
pub(super) const LONGEST_MATCH: usize = 258;
/// The quick search looks for two pixels at once: shorter repetitions are found often, take time and save next to nothing.
const QUICK_BYTES: usize = 6;
/// Places that the quick search remembers: 16 KiB, which the first-level cache holds beside the rows.
const QUICK_BITS: u32 = 12;
/// After so many places without a repetition the quick search leaves out every second, then two of three, and so on: a photograph
/// is gone through in half the time, and other rows lose less than a hundredth.
const PATIENCE: usize = 32;
/// Heads of chains in the thorough search: as many as the window has places, or a fourth; more brings nothing.
const THOROUGH_BITS: u32 = 14;
/// How many earlier places the thorough search looks at: so many that text becomes smaller than with zlib. `png.rs` has the figures.
const CHAIN: usize = 96;
/// With a repetition of so many bytes in hand, a better one at the next byte is looked for in a quarter of the places.
const GOOD_MATCH: usize = 8;
/// With one of so many, no better one is looked for at all: deflate could not even name it.
const BEST_MATCH: usize = LONGEST_MATCH;
/// A repetition of three bytes costs more than three literals when it lies farther back than this.
const NEAR: usize = 2048;
/// Nothing is looked for where fewer bytes than a word are left.
const LOOKAHEAD: usize = size_of::<u64>();
/// No place in the thorough search's chains.
const NOWHERE: u32 = u32::MAX;

/// Some bytes as they are, then a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) literals: u32,
    /// Of the repetition: how long it is, 0 at the end of the text.
    pub(super) length: u32,
    /// How far before this place it begins.
    pub(super) distance: u32,
}

/// How repetitions are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Only runs of zero bytes: filtered rows of photographs have no others.
    Runs,
    /// At each place, the last one that began with the same two pixels.
    Quick,
    /// At each place, the longest of many; and none if there is a better one a byte later.
    Thorough,
}

/// The memory of the searches, used again.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    table: Vec<u32>,
    /// For each place in the window, the one before it that has the same hash.
    chains: Vec<u32>,
    sequences: Vec<Sequence>,
}

impl Matcher {
    /// What the last search found.
    pub(super) fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }

    /// How many bytes it found no repetition for.
    pub(super) fn literals(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.literals as usize).sum()
    }

    /// Takes a text apart.
    pub(super) fn search(&mut self, text: &[u8], search: Search) {
        self.sequences.clear();
        let end = match search {
            Search::Runs => self.runs(text),
            Search::Quick => self.quick(text),
            Search::Thorough => self.thorough(text),
        };
        push(&mut self.sequences, end..text.len(), 0, 0);
    }

    /// Returns where the last repetition ends, as the other two do.
    fn runs(&mut self, text: &[u8]) -> usize {
        let (mut end, mut at) = (0, 0);
        while let Some(bytes) = text[at..].first_chunk::<8>() {
            if *bytes != [0; 8] {
                at += 8;
                continue;
            }
            let before = text[end..at].iter().rev().take_while(|&&byte| byte == 0).count();
            let start = at - before;
            // The first zero is a literal, the others repeat it.
            let length = matching(text, start, start + 1);
            push(&mut self.sequences, end..start + 1, length, 1);
            end = start + 1 + length;
            at = end;
        }
        end
    }

    fn quick(&mut self, text: &[u8]) -> usize {
        let Self { table, sequences, .. } = self;
        table.clear();
        table.resize(1 << QUICK_BITS, 0);
        let (mut end, mut at, mut misses) = (0, 1, 0);
        while let Some(bytes) = two_pixels(text, at) {
            let slot = &mut table[hash(bytes, QUICK_BITS)];
            let earlier = *slot as usize;
            *slot = narrow(at);
            // A place that was never filled in reads as the first one, which is as good as any.
            if at - earlier > WINDOW || two_pixels(text, earlier) != Some(bytes) {
                misses += 1;
                at += 1 + misses / PATIENCE;
                continue;
            }
            let backwards = text[end..at].iter().rev().zip(text[..earlier].iter().rev());
            let before = backwards.take_while(|(byte, earlier)| byte == earlier).count();
            let length = before + QUICK_BYTES + matching(text, earlier + QUICK_BYTES, at + QUICK_BYTES);
            push(sequences, end..at - before, length, at - earlier);
            end = at - before + length;
            at = end;
            misses = 0;
            if let Some(bytes) = two_pixels(text, end - 2) {
                table[hash(bytes, QUICK_BITS)] = narrow(end - 2);
            }
        }
        end
    }

    fn thorough(&mut self, text: &[u8]) -> usize {
        self.table.clear();
        self.table.resize(1 << THOROUGH_BITS, NOWHERE);
        self.chains.resize(WINDOW, NOWHERE);
        let (mut end, mut at, mut known, mut last) = (0, 0, 0, 0);
        while at + LOOKAHEAD <= text.len() {
            self.remember(text, &mut known, at);
            let mut best = self.longest(text, at, last, SHORTEST_MATCH - 1);
            if best.length < SHORTEST_MATCH || (best.length == SHORTEST_MATCH && best.distance > NEAR) {
                at += 1;
                continue;
            }
            while best.length < BEST_MATCH && at + 1 + LOOKAHEAD <= text.len() {
                self.remember(text, &mut known, at + 1);
                let later = self.longest(text, at + 1, last, best.length);
                if later.length <= best.length {
                    break;
                }
                (best, at) = (later, at + 1);
            }
            push(&mut self.sequences, end..at, best.length, best.distance);
            end = at + best.length;
            (at, last) = (end, best.distance);
        }
        end
    }

    /// Takes the places before `until` into the chains.
    fn remember(&mut self, text: &[u8], known: &mut usize, until: usize) {
        while *known < until {
            let Some(head) = one_pixel(text, *known).map(|bytes| &mut self.table[hash(bytes, THOROUGH_BITS)]) else {
                return;
            };
            self.chains[*known % WINDOW] = *head;
            *head = narrow(*known);
            *known += 1;
        }
    }

    /// The longest repetition at a place that is longer than `beaten`; one of length 0 if there is none.
    fn longest(&self, text: &[u8], at: usize, last: usize, beaten: usize) -> Match {
        let mut best = Match { length: beaten, distance: 0 };
        // What repeats often does so at the same distance, which then has the shortest code.
        if let Some(earlier) = at.checked_sub(last).filter(|_| last > 0) {
            let length = matching(text, earlier, at);
            if length > beaten {
                best = Match { length, distance: last };
            }
        }
        let mut left = if beaten >= GOOD_MATCH { CHAIN / 4 } else { CHAIN };
        let mut place = one_pixel(text, at).map_or(NOWHERE, |bytes| self.table[hash(bytes, THOROUGH_BITS)]);
        while place != NOWHERE && left > 0 && best.length < BEST_MATCH {
            let earlier = place as usize;
            // A place that has left the window has been written over, so that its chain cannot be followed either.
            let Some(distance) = at.checked_sub(earlier).filter(|distance| (1..=WINDOW).contains(distance)) else {
                break;
            };
            let Some(byte) = text.get(at + best.length) else { break };
            if text[earlier + best.length] == *byte {
                let length = matching(text, earlier, at);
                if length > best.length {
                    best = Match { length, distance };
                }
            }
            place = self.chains[earlier % WINDOW];
            left -= 1;
        }
        if best.distance == 0 { Match { length: 0, distance: 0 } } else { best }
    }
}

/// A repetition.
#[derive(Clone, Copy, Debug)]
struct Match {
    length: usize,
    distance: usize,
}

/// Adds a sequence, or several where the repetition is longer than deflate can name.
fn push(sequences: &mut Vec<Sequence>, literals: std::ops::Range<usize>, mut length: usize, distance: usize) {
    let mut literals = narrow(literals.len());
    let distance = narrow(distance);
    // No rest may be shorter than the shortest.
    while length > LONGEST_MATCH {
        let now = LONGEST_MATCH.min(length - SHORTEST_MATCH);
        sequences.push(Sequence { literals, length: narrow(now), distance });
        (literals, length) = (0, length - now);
    }
    sequences.push(Sequence { literals, length: narrow(length), distance });
}

/// Places and lengths in a strip, which is a few hundred kilobytes long.
#[allow(clippy::cast_possible_truncation, reason = "a strip is far shorter than 2³² bytes")]
const fn narrow(value: usize) -> u32 {
    value as u32
}

/// The next six bytes; none near the end of the text, where nothing is looked for.
fn two_pixels(text: &[u8], at: usize) -> Option<u64> {
    eight(text, at).map(|bytes| bytes & 0xffff_ffff_ffff)
}

/// The next three bytes, likewise.
fn one_pixel(text: &[u8], at: usize) -> Option<u64> {
    eight(text, at).map(|bytes| bytes & 0xff_ffff)
}

fn eight(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u64::from_le_bytes(*bytes))
}

/// Multiplicative hashing by the golden ratio (Knuth, volume 3, 6.4).
#[allow(clippy::cast_possible_truncation, reason = "the shift leaves a few bits")]
const fn hash(bytes: u64, bits: u32) -> usize {
    (bytes.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - bits)) as usize
}

/// How many bytes from `earlier` on are the same as those from `later` on.
fn matching(text: &[u8], earlier: usize, later: usize) -> usize {
    let (first, second) = (&text[earlier..], &text[later..]);
    let mut length = 0;
    for (first, second) in first.as_chunks::<8>().0.iter().zip(second.as_chunks::<8>().0) {
        let difference = u64::from_le_bytes(*first) ^ u64::from_le_bytes(*second);
        if difference != 0 {
            return length + difference.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + first[length..].iter().zip(&second[length..]).take_while(|(first, second)| first == second).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEARCHES: [Search; 3] = [Search::Runs, Search::Quick, Search::Thorough];

    /// The text that the sequences stand for.
    fn put_together(text: &[u8], sequences: &[Sequence]) -> Vec<u8> {
        let mut made = Vec::new();
        for sequence in sequences {
            made.extend_from_slice(&text[made.len()..made.len() + sequence.literals as usize]);
            for _ in 0..sequence.length {
                made.push(made[made.len() - sequence.distance as usize]);
            }
        }
        made
    }

    fn assert_allowed(sequences: &[Sequence]) {
        let (last, others) = sequences.split_last().unwrap();
        assert_eq!(last.length, 0);
        for sequence in others {
            assert!((SHORTEST_MATCH..=LONGEST_MATCH).contains(&(sequence.length as usize)), "{sequence:?}");
            assert!((1..=WINDOW).contains(&(sequence.distance as usize)), "{sequence:?}");
        }
    }

    proptest! {
        #[test]
        fn the_sequences_are_the_text(
            pieces in proptest::collection::vec((proptest::collection::vec(0..4_u8, 0..40), 1..60_usize), 0..40),
        ) {
            let text: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
            let mut matcher = Matcher::default();
            for search in SEARCHES {
                matcher.search(&text, search);
                assert_allowed(matcher.sequences());
                prop_assert_eq!(&put_together(&text, matcher.sequences()), &text, "{:?}", search);
            }
        }
    }

    #[test]
    fn repetitions_longer_than_the_longest_and_farther_than_the_window_are_cut() {
        let noise: Vec<u8> = (0..WINDOW + 500).map(|n| hash(n as u64, 8).to_le_bytes()[0]).collect();
        let mut text = noise.clone();
        text.extend_from_slice(&noise);
        text.extend([0; 1000]);
        for length in [text.len(), text.len() - 1, text.len() - 257, 3, 2, 1, 0] {
            for search in SEARCHES {
                let mut matcher = Matcher::default();
                matcher.search(&text[..length], search);
                assert_allowed(matcher.sequences());
                assert_eq!(put_together(&text, matcher.sequences()), &text[..length]);
            }
        }
    }
}
