//! Whether the screen has settled after an action: by evidence, not by sleeping.
//!
//! ```text
//! capture (a look: what changed) ─► area (where it counts) ─► ambient (not what moves by itself) ─► judge ◄─ evidence (a sample)
//! ```
//!
//! All but [`settling`] is pure: time and pixels are passed in. The algorithm and its figures are from 1,415 recorded trials
//! (DESIGN, "Settle").
pub mod ambient;
pub mod area;
pub mod history;
pub mod judge;
pub mod settling;
