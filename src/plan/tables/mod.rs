//! Large tables of X11 facts, one a file; the modules that use them have the tests over them.
pub(in crate::plan) mod key_aliases;
pub(in crate::plan) mod keysym_names;
pub(in crate::plan) mod keysym_values;
pub(in crate::plan) mod legacy_characters;
pub mod wide_characters;
