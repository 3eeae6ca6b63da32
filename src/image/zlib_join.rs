//! Two zlib streams of fdeflate's become one, without compressing anything again.
//!
//! A zlib stream is a header of two bytes, deflate blocks, and an Adler-32 (RFC 1950). fdeflate writes one block, marked as the
//! last, whose end code ends in a 1 bit. So the first stream's end is found from its last 1 bit; an empty stored block
//! brings it to a byte boundary (RFC 1951, 3.2.4), where the second stream's block can follow.

/// The header of a zlib stream.
const HEADER_BYTES: usize = 2;
/// The checksum at its end.
const CHECKSUM_BYTES: usize = 4;
/// The bits of a stored block's head before the alignment: not the last block (0), stored (00).
const STORED_HEAD_BITS: u32 = 3;
/// Length and inverted length of an empty stored block.
const EMPTY_STORED: [u8; 4] = [0, 0, 0xff, 0xff];
/// The modulus of Adler-32 (RFC 1950, 8.2).
const ADLER_MODULUS: u64 = 65_521;

/// Appends a stream to the one that fills `output` from `start` on. `second_bytes` is how many bytes the second decompresses to.
pub(super) fn append(output: &mut Vec<u8>, start: usize, second: &[u8], second_bytes: usize) {
    let first_checksum = take_checksum(output);
    let (blocks, second_checksum) = second.split_at(second.len() - CHECKSUM_BYTES);
    // BFINAL is the first bit of a block.
    output[start + HEADER_BYTES] &= !1;
    if output.last().is_some_and(|last| last.leading_zeros() < STORED_HEAD_BITS) {
        output.push(0);
    }
    output.extend_from_slice(&EMPTY_STORED);
    output.extend_from_slice(&blocks[HEADER_BYTES..]);
    let second_checksum = second_checksum.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
    output.extend_from_slice(&adler_of_both(first_checksum, second_checksum, second_bytes).to_be_bytes());
}

fn take_checksum(stream: &mut Vec<u8>) -> u32 {
    let checksum = stream.split_off(stream.len() - CHECKSUM_BYTES);
    checksum.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// The Adler-32 of two texts one after the other: the low half is 1 plus the sum of the bytes, the high half the sum of the
/// low halves after each byte, so each byte of the second text adds the first's low half less 1 once more.
fn adler_of_both(first: u32, second: u32, second_bytes: usize) -> u32 {
    let halves = |checksum: u32| (u64::from(checksum & 0xffff), u64::from(checksum >> 16));
    let ((low_1, high_1), (low_2, high_2)) = (halves(first), halves(second));
    let carried = (low_1 + ADLER_MODULUS - 1) % ADLER_MODULUS;
    let low = (carried + low_2) % ADLER_MODULUS;
    let high = (high_1 + high_2 + carried * (second_bytes as u64 % ADLER_MODULUS)) % ADLER_MODULUS;
    // Both are below 65,521.
    u32::try_from(high << 16 | low).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(data: &[u8]) -> Vec<u8> {
        fdeflate::compress_to_vec(data)
    }

    proptest! {
        #[test]
        fn two_joined_streams_decompress_to_both_texts(
            first in proptest::collection::vec(any::<u8>(), 0..400),
            second in proptest::collection::vec(0_u8..3, 0..3000),
        ) {
            let mut joined = b"before".to_vec();
            joined.extend(stream(&first));
            append(&mut joined, 6, &stream(&second), second.len());
            let both = fdeflate::decompress_to_vec(&joined[6..]);
            prop_assert_eq!(both.map_err(|error| format!("{error:?}")), Ok([first, second].concat()));
        }
    }
}
