//! Pixels become bytes here; pure: no I/O, no X11, no clock.
//!
//! Everything stays in the X server's own layout, four bytes a pixel in the order blue, green, red, unused ("BGRX", the
//! little-endian `ZPixmap` of depth 24), until rows are handed to an encoder.
pub mod cursor;
mod deflate;
mod huffman;
pub mod jpeg;
mod matches;
pub mod pixels;
pub mod png;
pub mod rectangles;
pub mod resize;
mod rows;
mod strip;
pub mod tiles;
pub mod webp;
