//! What makes the record of one change seen: each line carries a head that follows, under a key that changes with every line,
//! from its own bytes and from the head before it.
//!
//! ```text
//! key of a start  = HMAC(root, "deskhand audit start" ‖ boot)
//! head n          = HMAC(key n, head n−1 ‖ line n without its head)
//! key n+1         = HMAC(key n, "deskhand audit next")
//! ```
//!
//! The server forgets the root key when it has started and each key when it has used it: whoever takes the server over finds no
//! key with which an earlier line could be written anew. Without a root key the heads are only a hash chain: anybody can make
//! one, and only a head that was kept elsewhere tells.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::protocol::audit::Head;

/// What stands between a record and its head in a line.
const HEAD_BEGINS: &str = r#","head":""#;
/// What ends a line, without its newline.
const LINE_ENDS: &str = r#""}"#;
/// The length of a head as it stands in a line.
const HEAD_CHARACTERS: usize = 64;

/// A key of 32 bytes that leaves no copy behind.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Key([u8; 32]);

impl Key {
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A key shorter than a block is filled up with zeros (RFC 2104, 2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new((&block).into());
        block.zeroize();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// What all keys of a file come from. Whoever verifies has it; the guest forgets it after its start.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RootKey(Key);

impl RootKey {
    /// Anybody's: the heads are a plain hash chain.
    pub const fn none() -> Self {
        Self(Key([0; 32]))
    }

    /// From 64 lower-case hexadecimal characters, with or without a newline behind them.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut bytes = data_encoding::HEXLOWER.decode(text).ok()?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).ok();
        bytes.zeroize();
        key.map(|key| Self(Key(key)))
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RootKey")
    }
}

/// The chain at one place: what it takes to write the next line.
#[derive(Clone)]
pub struct Chain {
    key: Key,
    head: Head,
    seq: u64,
}

impl Chain {
    /// A start of the server goes on behind this record.
    pub fn start(root: &RootKey, boot: &str, seq: u64, head: Head) -> Self {
        let key = Key(root.0.mac(&[b"deskhand audit start", boot.as_bytes()]));
        Self { key, head, seq }
    }

    /// The number of the last record.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Its head.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The number of the next record.
    pub const fn next(&self) -> u64 {
        self.seq + 1
    }

    /// Makes a line of a record's JSON object, which must have at least one member, and goes on.
    pub fn append(&mut self, record: &str, line: &mut String) {
        let open = record.strip_suffix('}').unwrap_or(record);
        let head = self.advance(open.as_bytes());
        line.push_str(open);
        line.push_str(HEAD_BEGINS);
        line.push_str(&head.to_string());
        line.push_str(LINE_ENDS);
        line.push('\n');
    }

    /// Goes on behind a record, given without its head and closing brace. What its head must be.
    pub fn advance(&mut self, open: &[u8]) -> Head {
        self.head = Head(self.key.mac(&[&self.head.0, open]));
        self.seq += 1;
        self.forget();
        self.head
    }

    /// Takes the next key, as after a record that is not there to be looked at.
    pub fn skip_to(&mut self, seq: u64, head: Head) {
        while self.seq < seq {
            self.seq += 1;
            self.forget();
        }
        self.head = head;
    }

    fn forget(&mut self) {
        self.key = Key(self.key.mac(&[b"deskhand audit next"]));
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Chain").field("seq", &self.seq).field("head", &self.head).finish_non_exhaustive()
    }
}

/// Splits a line, without its newline, into its record without closing brace, and its head.
pub fn split(line: &str) -> Option<(&str, Head)> {
    let open_and_head = line.strip_suffix(LINE_ENDS)?;
    let (rest, head) = open_and_head.split_at_checked(open_and_head.len().checked_sub(HEAD_CHARACTERS)?)?;
    Some((rest.strip_suffix(HEAD_BEGINS)?, head.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(chain: &mut Chain, record: &str) -> String {
        let mut line = String::new();
        chain.append(record, &mut line);
        line
    }

    #[test]
    fn a_line_is_json_and_splits_into_what_its_head_is_over() {
        let mut chain = Chain::start(&RootKey::none(), "boot", 0, Head::NONE);
        let text = line(&mut chain, r#"{"seq":1,"details":{"head":"x"}}"#);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["head"], chain.head().to_string());
        let (open, head) = split(text.trim_end()).expect("a line");
        assert_eq!((open, head), (r#"{"seq":1,"details":{"head":"x"}"#, chain.head()));
        assert_eq!(split(r#"{"seq":1}"#), None);
        assert_eq!(split(""), None);
        assert_eq!(split("ü\"}"), None);
    }

    #[test]
    fn the_same_record_has_another_head_at_another_place_in_another_start_and_under_another_key() {
        let root = RootKey::read("ab".repeat(32).as_bytes()).expect("a key");
        let head = |root: &RootKey, boot: &str, before: Head| {
            let mut chain = Chain::start(root, boot, 0, before);
            chain.advance(b"{\"a\":1")
        };
        let first = head(&root, "boot", Head::NONE);
        assert_ne!(first, head(&RootKey::none(), "boot", Head::NONE));
        assert_ne!(first, head(&root, "toob", Head::NONE));
        assert_ne!(first, head(&root, "boot", Head([1; 32])));
        let mut chain = Chain::start(&root, "boot", 0, Head::NONE);
        chain.advance(b"{\"a\":1");
        chain.skip_to(1, Head::NONE);
        assert_ne!(first, chain.advance(b"{\"a\":1"), "its key has changed");
    }

    #[test]
    fn a_key_is_64_hexadecimal_characters() {
        for text in ["", "ab", &"AB".repeat(32), &format!("{}\n\n", "ab".repeat(32))] {
            assert!(RootKey::read(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(RootKey::read(format!("{}\n", "ab".repeat(32)).as_bytes()).is_some());
    }
}
