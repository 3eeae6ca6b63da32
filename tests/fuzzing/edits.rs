//! Bytes that were right once: bits turned, parts removed, doubled and moved. proptest makes what fails small.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// Values at the edges of what lengths and counts are made of.
const EDGES: [&[u8]; 8] = [
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80, 0],
    &[0xff, 0xff],
    &[0, 0, 0, 0x80],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
];

#[derive(Clone, Debug)]
enum Edit {
    Turn(Index, u8),
    Set(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Double(Index, Index, usize),
    End(Index),
}

/// One of the seeds after some edits.
pub fn edited(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let bytes = || prop_oneof![vec(any::<u8>(), 1..9), select(EDGES.to_vec()).prop_map(<[u8]>::to_vec)];
    let edit = prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Edit::Turn(at, bit)),
        4 => (any::<Index>(), bytes()).prop_map(|(at, bytes)| Edit::Set(at, bytes)),
        2 => (any::<Index>(), bytes()).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (any::<Index>(), 1..64_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (any::<Index>(), any::<Index>(), 1..256_usize).prop_map(|(from, to, length)| Edit::Double(from, to, length)),
        1 => any::<Index>().prop_map(Edit::End),
    ];
    (select(seeds), vec(edit, 0..10)).prop_map(|(seed, edits)| edits.into_iter().fold(seed, apply))
}

fn apply(mut bytes: Vec<u8>, edit: Edit) -> Vec<u8> {
    let length = bytes.len();
    let place = |at: Index| if length == 0 { 0 } else { at.index(length) };
    match edit {
        Edit::Turn(at, bit) => {
            if let Some(byte) = bytes.get_mut(place(at)) {
                *byte ^= 1 << bit;
            }
        }
        Edit::Set(at, new) => {
            let at = place(at);
            let end = (at + new.len()).min(length);
            bytes.splice(at..end, new);
        }
        Edit::Insert(at, new) => drop(bytes.splice(place(at)..place(at), new)),
        Edit::Remove(at, count) => {
            let at = place(at);
            bytes.drain(at..(at + count).min(length));
        }
        Edit::Double(from, to, count) => {
            let (from, to) = (place(from), place(to));
            let part = bytes[from..(from + count).min(length)].to_vec();
            bytes.splice(to..to, part);
        }
        Edit::End(at) => bytes.truncate(place(at)),
    }
    bytes
}
