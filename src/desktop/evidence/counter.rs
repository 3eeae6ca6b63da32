//! Numbers that the kernel counts up in small files, read again and again.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

/// The files that are read here have a few short lines.
const FILE: usize = 1024;

/// An open file with numbers in it. Reading it again asks the kernel again.
#[derive(Debug)]
pub struct Counter {
    file: File,
    /// What stands before the number.
    key: &'static str,
}

impl Counter {
    /// The number behind `key` in the file; the first one where the key is empty. Fails where it cannot be read.
    pub fn open(path: impl AsRef<Path>, key: &'static str) -> io::Result<Self> {
        let counter = Self { file: File::open(path)?, key };
        counter.read().map(|_| counter)
    }

    /// The number now.
    pub fn read(&self) -> io::Result<u64> {
        let mut buffer = [0; FILE];
        let length = self.file.read_at(&mut buffer, 0)?;
        let text = buffer.get(..length).unwrap_or_default();
        number(text, self.key, 0).ok_or_else(|| io::Error::other("there is no number in it"))
    }

    /// The number now and the one behind it.
    pub fn read_pair(&self) -> io::Result<[u64; 2]> {
        let mut buffer = [0; FILE];
        let length = self.file.read_at(&mut buffer, 0)?;
        let text = buffer.get(..length).unwrap_or_default();
        let pair = number(text, self.key, 0).zip(number(text, self.key, 1));
        pair.map(|(first, second)| [first, second]).ok_or_else(|| io::Error::other("there are no two numbers in it"))
    }
}

/// The number at this place among the words behind the key.
fn number(text: &[u8], key: &str, place: usize) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, behind) = text.split_at_checked(text.find(key)? + key.len())?;
    behind.split_ascii_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_behind_its_key() {
        let stat = b"usage_usec 1234\nuser_usec 1000\n";
        assert_eq!(number(stat, "usage_usec ", 0), Some(1234));
        assert_eq!(number(b"some avg10=0.00 avg60=0.00 total=99\nfull total=1\n", "total=", 0), Some(99));
        assert_eq!([0, 1, 2].map(|place| number(b"10 20 30\n", "", place)), [Some(10), Some(20), Some(30)]);
        for broken in [b"".as_slice(), b"usage_usec x", b"usage_usec", b"\xff usage_usec 1"] {
            assert_eq!(number(broken, "usage_usec ", 0), None);
        }
    }

    #[test]
    fn it_is_read_anew_each_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Counter::open(file.path(), "").is_err(), "nothing is in it");
        std::fs::write(file.path(), "7 8\n").unwrap();
        let counter = Counter::open(file.path(), "").unwrap();
        std::fs::write(file.path(), "9 10\n").unwrap();
        assert_eq!((counter.read().unwrap(), counter.read_pair().unwrap()), (9, [9, 10]));
    }
}
