//! Who may do what, now: sessions, the lease and the rules of admission. Pure: time and display facts are passed in.
//!
//! [`registry::Sessions`] is the state. The engine asks it before anything runs ([`registry::Sessions::admit`]) and tells it
//! how a request ended ([`registry::Sessions::complete`]). [`pacing::Pacing`] is the state of one stream of frames.
pub mod allowance;
pub mod audit;
pub mod control;
pub mod journal;
pub mod lease;
pub mod pacing;
pub mod policy;
pub mod registry;
pub mod secrets;
pub mod sliding_log;
pub mod summary;
pub mod tasks;
pub mod tickets;
pub mod usage;
