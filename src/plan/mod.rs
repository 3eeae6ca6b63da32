//! Actions become steps here; pure: action × geometry × keymap → steps.
pub mod bounds;
pub mod chord;
pub mod chord_pattern;
mod chords;
mod drag;
pub mod fit;
pub mod gesture;
pub mod held;
mod hosts;
pub mod key_names;
pub mod keymap;
pub mod keysyms;
mod levels;
pub mod notches;
pub mod pace;
mod pages;
pub mod resolve;
#[cfg(test)]
mod simulator;
pub mod step;
pub mod steps;
#[allow(clippy::unreadable_literal, reason = "keysyms are written as in the X headers: 0xffe1")]
pub mod tables;
#[cfg(test)]
mod tests;
mod typing;
pub mod wide;
