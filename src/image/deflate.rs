//! Deflate (RFC 1951): a text as one block with codes of its own, which ends at a whole byte and is not the last, so that any other
//! block can follow.

use super::{
    huffman::{Code, CodeMaker, LONGEST_CODE},
    matches::{LONGEST_MATCH, Matcher, Search, Sequence},
};

/// Literals, the end of a block, and lengths (RFC 1951, 3.2.5).
const SYMBOLS: usize = 286;
const END_OF_BLOCK: usize = 256;
const DISTANCES: usize = 30;
/// The lengths of codes, and three ways to repeat one (3.2.7).
const LENGTHS: usize = 19;
/// No code for the lengths of codes is longer.
const LONGEST_LENGTH_CODE: u8 = 7;
/// The order in which the lengths of the codes for lengths are written (3.2.7).
const LENGTH_ORDER: [usize; LENGTHS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// More than the head of a block can need: 316 lengths of at most 14 bits each, and 74 bits.
const HEAD_BYTES: usize = 600;
/// Length and inverted length of an empty stored block (3.2.4).
const EMPTY_STORED: [u8; 4] = [0, 0, 0xff, 0xff];

/// Compresses texts one after the other in the same memory.
#[derive(Debug, Default)]
pub(super) struct Deflater {
    matcher: Matcher,
    maker: CodeMaker,
    codes: Codes,
    head: Head,
}

/// What the symbols of a text are written as.
#[derive(Debug)]
struct Codes {
    frequencies: [u32; SYMBOLS],
    distance_frequencies: [u32; DISTANCES],
    symbols: [Code; SYMBOLS],
    distances: [Code; DISTANCES],
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            frequencies: [0; SYMBOLS],
            distance_frequencies: [0; DISTANCES],
            symbols: [Code::default(); SYMBOLS],
            distances: [Code::default(); DISTANCES],
        }
    }
}

impl Deflater {
    /// Takes a text apart and returns how many bytes [`Deflater::write`] will append, but for the block's head.
    pub(super) fn plan(&mut self, text: &[u8], search: Search) -> usize {
        let Self { matcher, maker, codes, .. } = self;
        matcher.search(text, search);
        codes.count(text, matcher.sequences());
        maker.make(&codes.frequencies, LONGEST_CODE, &mut codes.symbols);
        maker.make(&codes.distance_frequencies, LONGEST_CODE, &mut codes.distances);
        codes.bytes()
    }

    /// How many bytes of the text no repetition was found for.
    pub(super) fn literals(&self) -> usize {
        self.matcher.literals()
    }

    /// Appends the text, which must be the one that was planned and not empty: some decoders refuse a code of one symbol.
    pub(super) fn write(&mut self, text: &[u8], output: &mut Vec<u8>) {
        let Self { matcher, maker, codes, head } = self;
        let begin = output.len();
        output.resize(begin + codes.bytes() + HEAD_BYTES, 0);
        let mut bits = BitWriter { output: &mut output[begin..], at: 0, waiting: 0, count: 0 };
        head.write(codes, maker, &mut bits);
        codes.write(text, matcher.sequences(), &mut bits);
        // The head of a stored block: not the last (0), stored (00), and up to the next byte.
        bits.push(0, 3);
        let length = bits.finish();
        output.truncate(begin + length);
        output.extend_from_slice(&EMPTY_STORED);
    }
}

impl Codes {
    fn count(&mut self, text: &[u8], sequences: &[Sequence]) {
        self.frequencies.fill(0);
        self.distance_frequencies.fill(0);
        self.frequencies[END_OF_BLOCK] = 1;
        // Four counters for each literal: equal bytes often follow each other, and a counter that was just written is slow to read.
        // A tenth of the whole time on photographs.
        let mut counters = [[0_u32; 256]; 4];
        let mut rest = text;
        for sequence in sequences {
            let (literals, after) = rest.split_at(sequence.literals as usize);
            let (fours, single) = literals.as_chunks::<4>();
            for four in fours {
                for (counter, &byte) in counters.iter_mut().zip(four) {
                    counter[usize::from(byte)] += 1;
                }
            }
            for (counter, &byte) in counters.iter_mut().zip(single) {
                counter[usize::from(byte)] += 1;
            }
            rest = &after[sequence.length as usize..];
            if sequence.length > 0 {
                self.frequencies[Extended::length(sequence.length).symbol] += 1;
                self.distance_frequencies[Extended::distance(sequence.distance).symbol] += 1;
            }
        }
        for (byte, frequency) in self.frequencies[..END_OF_BLOCK].iter_mut().enumerate() {
            *frequency = counters.iter().map(|counter| counter[byte]).sum();
        }
    }

    /// How long the text is with these codes.
    fn bytes(&self) -> usize {
        let bits = |frequency: &u32, code: &Code, extra: u32| {
            u64::from(*frequency) * (u64::from(code.length) + u64::from(extra))
        };
        let symbols = self.frequencies.iter().zip(&self.symbols).zip(0_u32..);
        let symbols: u64 = symbols.map(|((frequency, code), symbol)| bits(frequency, code, length_extra(symbol))).sum();
        let distances = self.distance_frequencies.iter().zip(&self.distances).zip(0_u32..);
        let distances: u64 =
            distances.map(|((frequency, code), symbol)| bits(frequency, code, (symbol / 2).saturating_sub(1))).sum();
        usize::try_from((symbols + distances).div_ceil(8)).unwrap_or(usize::MAX)
    }

    fn write(&self, text: &[u8], sequences: &[Sequence], bits: &mut BitWriter<'_>) {
        let mut rest = text;
        for sequence in sequences {
            let (literals, after) = rest.split_at(sequence.literals as usize);
            // Three codes of at most 15 bits go into one word.
            let (threes, single) = literals.as_chunks::<3>();
            for three in threes {
                let [first, second, third] = three.map(|byte| self.symbols[usize::from(byte)]);
                let count = u32::from(first.length) + u32::from(second.length);
                let word =
                    u64::from(first.bits) | u64::from(second.bits) << first.length | u64::from(third.bits) << count;
                bits.push(word, count + u32::from(third.length));
            }
            for &byte in single {
                bits.push_code(self.symbols[usize::from(byte)]);
            }
            rest = &after[sequence.length as usize..];
            if sequence.length > 0 {
                Extended::length(sequence.length).write(&self.symbols, bits);
                Extended::distance(sequence.distance).write(&self.distances, bits);
            }
        }
        bits.push_code(self.symbols[END_OF_BLOCK]);
    }
}

/// A length or a distance: a symbol, and a number of some bits after it (3.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extended {
    symbol: usize,
    extra: u32,
    extra_bits: u32,
}

impl Extended {
    /// Eight lengths have a symbol each, then each power of two is divided into four; the longest has its own.
    #[inline]
    const fn length(length: u32) -> Self {
        /// The first symbol that is a length.
        const FIRST: u32 = 257;
        /// What it stands for.
        const SHORTEST: u32 = 3;
        if length as usize == LONGEST_MATCH {
            return Self { symbol: SYMBOLS - 1, extra: 0, extra_bits: 0 };
        }
        let value = length.wrapping_sub(SHORTEST);
        if value < 8 {
            return Self { symbol: (FIRST + value) as usize, extra: 0, extra_bits: 0 };
        }
        let power = value.ilog2();
        let extra_bits = power - 2;
        let symbol = FIRST + 4 * (power - 1) + (value >> extra_bits & 3);
        Self { symbol: symbol as usize, extra: value & ((1 << extra_bits) - 1), extra_bits }
    }

    /// Four distances have a symbol each, then each power of two is divided into two.
    #[inline]
    const fn distance(distance: u32) -> Self {
        let value = distance.wrapping_sub(1);
        if value < 4 {
            return Self { symbol: value as usize, extra: 0, extra_bits: 0 };
        }
        let power = value.ilog2();
        let extra_bits = power - 1;
        let symbol = 2 * power + (value >> extra_bits & 1);
        Self { symbol: symbol as usize, extra: value & ((1 << extra_bits) - 1), extra_bits }
    }

    #[inline]
    fn write(self, codes: &[Code], bits: &mut BitWriter<'_>) {
        let code = codes[self.symbol];
        bits.push(
            u64::from(code.bits) | u64::from(self.extra) << code.length,
            u32::from(code.length) + self.extra_bits,
        );
    }
}

/// How many bits follow the symbol of a length.
const fn length_extra(symbol: u32) -> u32 {
    match symbol {
        265..285 => (symbol - 261) / 4,
        _ => 0,
    }
}

/// The head of a block: which codes it has (3.2.7). Its lists are used again.
#[derive(Debug, Default)]
struct Head {
    lengths: Vec<u8>,
    /// Symbol, extra number, bits of that.
    runs: Vec<(u8, u8, u8)>,
}

impl Head {
    fn write(&mut self, codes: &Codes, maker: &mut CodeMaker, bits: &mut BitWriter<'_>) {
        let used = |codes: &[Code], least: usize| {
            codes.iter().rposition(|code| code.length > 0).map_or(least, |last| (last + 1).max(least))
        };
        let (symbols, distances) = (used(&codes.symbols, END_OF_BLOCK + 1), used(&codes.distances, 1));
        self.lengths.clear();
        let both = codes.symbols[..symbols].iter().chain(&codes.distances[..distances]);
        self.lengths.extend(both.map(|code| code.length));
        self.find_runs();
        let mut frequencies = [0; LENGTHS];
        for (symbol, ..) in &self.runs {
            frequencies[usize::from(*symbol)] += 1;
        }
        let mut length_codes = [Code::default(); LENGTHS];
        maker.make(&frequencies, LONGEST_LENGTH_CODE, &mut length_codes);
        let ordered = LENGTH_ORDER.map(|symbol| length_codes[symbol]);
        let count = used(&ordered, 4);
        // Not the last block (0), with codes of its own (10, from the lowest bit on).
        bits.push(0b100, 3);
        bits.push((symbols - END_OF_BLOCK - 1) as u64, 5);
        bits.push((distances - 1) as u64, 5);
        bits.push((count - 4) as u64, 4);
        for code in &ordered[..count] {
            bits.push(code.length.into(), 3);
        }
        for &(symbol, extra, extra_bits) in &self.runs {
            bits.push_code(length_codes[usize::from(symbol)]);
            bits.push(extra.into(), extra_bits.into());
        }
    }

    /// Lengths that are equal one after the other: 16 repeats the last 3 to 6 times, 17 and 18 are 3 to 10 and 11 to 138 zeros.
    fn find_runs(&mut self) {
        let Self { lengths, runs } = self;
        runs.clear();
        for run in lengths.chunk_by(u8::eq) {
            let length = run[0];
            let mut left = run.len();
            if length > 0 {
                runs.push((length, 0, 0));
                left -= 1;
            }
            while left >= 3 {
                let (symbol, now, least, extra_bits) = match (length, left) {
                    (0, 3..=10) => (17, left, 3, 3),
                    (0, _) => (18, left.min(138), 11, 7),
                    _ => (16, left.min(6), 3, 2),
                };
                // At most 127.
                runs.push((symbol, u8::try_from(now - least).unwrap_or_default(), extra_bits));
                left -= now;
            }
            runs.extend(std::iter::repeat_n((length, 0, 0), left));
        }
    }
}

/// Writes bits from the lowest of each byte on.
struct BitWriter<'a> {
    output: &'a mut [u8],
    at: usize,
    waiting: u64,
    /// Of those that wait: at most seven between calls.
    count: u32,
}

impl BitWriter<'_> {
    /// At most 57 bits.
    #[inline]
    fn push(&mut self, bits: u64, count: u32) {
        self.waiting |= bits << self.count;
        self.count += count;
        // A whole word each time, of which the whole bytes count: no branch, and the next word overwrites the rest.
        if let Some(target) = self.output.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut::<8>) {
            *target = self.waiting.to_le_bytes();
        }
        self.at += (self.count / 8) as usize;
        self.waiting >>= self.count & !7;
        self.count &= 7;
    }

    #[inline]
    fn push_code(&mut self, code: Code) {
        self.push(code.bits.into(), code.length.into());
    }

    /// How many bytes were written, the last one filled up with zero bits.
    fn finish(self) -> usize {
        self.at + usize::from(self.count > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_and_distances_are_those_of_the_tables_in_the_rfc() {
        let length = |length, symbol, extra, extra_bits| {
            assert_eq!(Extended::length(length), Extended { symbol, extra, extra_bits }, "length {length}");
            assert_eq!(length_extra(u32::try_from(symbol).unwrap()), extra_bits);
        };
        length(3, 257, 0, 0);
        length(10, 264, 0, 0);
        length(11, 265, 0, 1);
        length(12, 265, 1, 1);
        length(66, 276, 7, 3);
        length(115, 280, 0, 4);
        length(131, 281, 0, 5);
        length(257, 284, 30, 5);
        length(258, 285, 0, 0);
        let distance = |distance, symbol, extra, extra_bits| {
            assert_eq!(Extended::distance(distance), Extended { symbol, extra, extra_bits }, "distance {distance}");
        };
        distance(1, 0, 0, 0);
        distance(4, 3, 0, 0);
        distance(5, 4, 0, 1);
        distance(8, 5, 1, 1);
        distance(24_577, 29, 0, 13);
        distance(32_768, 29, 8191, 13);
    }

    /// What a decoder makes of these blocks.
    fn inflate(blocks: &[u8]) -> Vec<u8> {
        let mut zlib = vec![0x78, 0x01];
        zlib.extend_from_slice(blocks);
        zlib.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
        let mut decoder = fdeflate::Decompressor::new();
        decoder.ignore_adler32();
        let mut text = vec![0; 1 << 20];
        let (_, length) = decoder.read(&zlib, &mut text, 0, true).unwrap();
        assert!(decoder.is_done());
        text.truncate(length);
        text
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..30), 1..50_usize), 1..60),
        ) {
            let text: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
            let mut deflater = Deflater::default();
            let mut blocks = Vec::new();
            let mut expected = Vec::new();
            for search in [Search::Runs, Search::Quick, Search::Thorough] {
                let planned = deflater.plan(&text, search);
                let before = blocks.len();
                deflater.write(&text, &mut blocks);
                expected.extend_from_slice(&text);
                prop_assert!((planned..planned + HEAD_BYTES).contains(&(blocks.len() - before)));
            }
            prop_assert_eq!(inflate(&blocks), expected);
        }
    }

    #[test]
    fn the_shortest_texts_and_the_widest_alphabets_are_blocks_too() {
        let every_byte: Vec<u8> = (0..=255).collect();
        // Frequencies by the Fibonacci numbers make the deepest codes.
        let mut deep = Vec::new();
        let (mut count, mut next) = (1, 1);
        for byte in 0..22 {
            deep.extend(std::iter::repeat_n([byte, byte ^ 0x55], count).flatten());
            (count, next) = (next, count + next);
        }
        for text in [&b"a"[..], b"aaaa", &[0; 9], &[0; 300], &every_byte, &deep] {
            for search in [Search::Runs, Search::Quick, Search::Thorough] {
                let mut deflater = Deflater::default();
                let mut blocks = Vec::new();
                deflater.plan(text, search);
                deflater.write(text, &mut blocks);
                assert_eq!(inflate(&blocks), text);
            }
        }
    }
}
