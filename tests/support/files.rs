//! Waiting for what an application writes into a file.

use std::{fs, path::Path, time::Instant};

use rustix::{
    fs::inotify,
    io::{Errno, read},
};

use super::{PATIENCE, process::readable};

/// Waits until `wanted` says yes to the file's content, and returns the content. Looks again whenever something in the
/// file's folder changes, so it also sees editors that write beside the file and rename.
pub fn wait_for_content(path: &Path, mut wanted: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    let changes = inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::CREATE
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::CLOSE_WRITE;
    inotify::add_watch(&watch, path.parent().unwrap(), changes).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let content = fs::read(path).unwrap_or_default();
        if wanted(&content) {
            return content;
        }
        assert!(
            readable(&watch, deadline),
            "{} does not come to hold what is expected; it has {} bytes: {:?}",
            path.display(),
            content.len(),
            String::from_utf8_lossy(&content)
        );
        let mut events = [0; 4096];
        match read(&watch, &mut events) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("inotify: {error}"),
        }
    }
}
