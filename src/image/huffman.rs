//! Huffman codes as deflate has them (RFC 1951, 3.2.2): a length for each symbol from how often it occurs, bits from the lengths.

/// No code of deflate is longer.
pub(super) const LONGEST_CODE: u8 = 15;

/// A tree over frequencies that sum to less than 2³² has, by the Fibonacci numbers, at most 46 levels.
const DEPTHS: usize = 47;

/// A symbol's bits, in the order in which they are written, and how many they are: none for a symbol that never occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u8,
}

/// Makes codes one after the other in the same memory.
#[derive(Debug, Default)]
pub(super) struct CodeMaker {
    /// Frequency and symbol of what occurs, the rarest first.
    leaves: Vec<(u32, u16)>,
    /// The weights of the inner nodes in the order of their making, which is that of their weights.
    weights: Vec<u32>,
    /// For the leaves, then for the inner nodes: which inner node is above it.
    parents: Vec<u16>,
    depths: Vec<u8>,
}

impl CodeMaker {
    /// Fills `codes` with a shortest code for symbols of these frequencies in which none is longer than `longest`. Where it
    /// would be longer, the lengths are evened out, which costs a few bits against the best such code.
    pub(super) fn make(&mut self, frequencies: &[u32], longest: u8, codes: &mut [Code]) {
        codes.fill(Code::default());
        self.leaves.clear();
        let used = frequencies.iter().zip(0_u16..).filter(|(frequency, _)| **frequency > 0);
        self.leaves.extend(used.map(|(&frequency, symbol)| (frequency, symbol)));
        self.leaves.sort_unstable();
        let mut counts = self.depths();
        shorten(&mut counts, longest.into());
        let mut leaves = self.leaves.iter();
        for length in (1..=longest).rev() {
            for &(_, symbol) in leaves.by_ref().take(counts[usize::from(length)]) {
                codes[usize::from(symbol)].length = length;
            }
        }
        number(&counts, codes);
    }

    /// How many leaves of a Huffman tree stand at each depth.
    fn depths(&mut self) -> [usize; DEPTHS] {
        let Self { leaves, weights, parents, depths } = self;
        let mut counts = [0; DEPTHS];
        let count = leaves.len();
        if count < 2 {
            // A code of one symbol has one bit, as decoders want it.
            counts[1] = count;
            return counts;
        }
        weights.clear();
        parents.clear();
        parents.resize(2 * count, 0);
        // The two lightest of what has no parent yet get one, again and again. New nodes are never lighter than earlier
        // ones, so two queues that are both sorted already hold all that waits.
        let (mut leaf, mut inner) = (0, 0);
        for (made, parent) in (0..count - 1).zip(0_u16..) {
            let mut weight = 0;
            for _ in 0..2 {
                let takes_leaf = leaf < count && (inner == made || leaves[leaf].0 <= weights[inner]);
                let node = if takes_leaf {
                    weight += leaves[leaf].0;
                    leaf += 1;
                    leaf - 1
                } else {
                    weight += weights[inner];
                    inner += 1;
                    count + inner - 1
                };
                parents[node] = parent;
            }
            weights.push(weight);
        }
        depths.clear();
        depths.resize(count - 1, 0);
        for node in (0..count - 2).rev() {
            depths[node] = depths[usize::from(parents[count + node])] + 1;
        }
        for &parent in &parents[..count] {
            counts[usize::from(depths[usize::from(parent)]) + 1] += 1;
        }
        counts
    }
}

/// Moves what is deeper than `longest` up, and as much else down as makes room for it: a code has room when the sum of 2⁻ˡᵉⁿᵍᵗʰ
/// is 1 at most.
fn shorten(counts: &mut [usize; DEPTHS], longest: usize) {
    let deeper: usize = counts[longest + 1..].iter().sum();
    if deeper == 0 {
        return;
    }
    counts[longest + 1..].fill(0);
    counts[longest] += deeper;
    let mut used: usize = (1..=longest).map(|length| counts[length] << (longest - length)).sum();
    while used > 1 << longest {
        // A leaf goes down one level and takes one of the deepest as its sibling.
        let Some(length) = (1..longest).rev().find(|&length| counts[length] > 0) else { break };
        counts[length] -= 1;
        counts[length + 1] += 2;
        counts[longest] -= 1;
        used -= 1;
    }
}

/// Gives the symbols of each length consecutive bits, in the order of the symbols.
fn number(counts: &[usize; DEPTHS], codes: &mut [Code]) {
    let mut next = [0_u16; LONGEST_CODE as usize + 2];
    for length in 1..=usize::from(LONGEST_CODE) {
        // Complete codes end at 2^length, which the shift turns into 0 in the one place that nobody reads.
        let count = u16::try_from(counts[length]).unwrap_or_default();
        next[length + 1] = next[length].wrapping_add(count) << 1;
    }
    for code in codes.iter_mut().filter(|code| code.length > 0) {
        let next = &mut next[usize::from(code.length)];
        // Codes are written from their highest bit on, everything else from its lowest.
        code.bits = next.reverse_bits() >> (u16::BITS - u32::from(code.length));
        *next = next.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn make(frequencies: &[u32], longest: u8) -> Vec<Code> {
        let mut codes = vec![Code::default(); frequencies.len()];
        CodeMaker::default().make(frequencies, longest, &mut codes);
        codes
    }

    #[test]
    fn rare_symbols_have_long_codes() {
        let lengths: Vec<u8> = make(&[8, 0, 4, 2, 1, 1], 15).iter().map(|code| code.length).collect();
        assert_eq!(lengths, [1, 0, 2, 3, 4, 4]);
        assert_eq!(make(&[0, 7], 15)[1], Code { bits: 0, length: 1 });
        assert!(make(&[0, 0], 15).iter().all(|code| code.length == 0));
    }

    #[test]
    fn a_tree_that_is_too_deep_is_evened_out() {
        let fibonacci: Vec<u32> = std::iter::successors(Some((1_u32, 1_u32)), |&(a, b)| Some((b, a + b)))
            .map(|pair| pair.0)
            .take(40)
            .collect();
        for longest in [7, 15] {
            let codes = make(&fibonacci, longest);
            assert_eq!(codes.iter().map(|code| code.length).max(), Some(longest));
            let used: u32 = codes.iter().map(|code| 1_u32 << (longest - code.length)).sum();
            assert_eq!(used, 1 << longest, "complete");
        }
    }

    proptest! {
        #[test]
        fn no_code_is_the_beginning_of_another(
            frequencies in proptest::collection::vec(prop_oneof![Just(0), 1..20_u32, 1..1_000_000_u32], 2..286),
        ) {
            let codes = make(&frequencies, LONGEST_CODE);
            let used: Vec<&Code> = codes.iter().filter(|code| code.length > 0).collect();
            prop_assert_eq!(used.len(), frequencies.iter().filter(|&&frequency| frequency > 0).count());
            for (index, code) in used.iter().enumerate() {
                for other in &used[index + 1..] {
                    let common = code.length.min(other.length);
                    prop_assert_ne!(code.bits & ((1 << common) - 1), other.bits & ((1 << common) - 1));
                }
            }
        }
    }
}
