//! The names that selections are spoken about with.

x11rb::atom_manager! {
    /// Every atom that the clipboard uses, interned once.
    pub(super) Atoms: AtomsCookie {
        CLIPBOARD,
        TARGETS,
        TIMESTAMP,
        MULTIPLE,
        ATOM_PAIR,
        INCR,
        UTF8_STRING,
        TEXT,
        TEXT_PLAIN: b"text/plain",
        TEXT_PLAIN_UTF_8: b"text/plain;charset=utf-8",
        TEXT_HTML: b"text/html",
        TEXT_URI_LIST: b"text/uri-list",
        COPIED_FILES: b"x-special/gnome-copied-files",
        IMAGE_PNG: b"image/png",
        // The property of our window that other owners write to.
        _DESKHAND_SELECTION,
    }
}
