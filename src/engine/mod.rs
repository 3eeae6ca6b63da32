//! The orchestrator: wires transport, protocol, session, plan, desktop and image into a server.
//!
//! One request's life: [`connection`] reads it, the session admits it, [`lane`] gives it its turn, [`run`] records its
//! intent, [`action`] lets [`act`] or [`look`] carry it out, [`run`] records its outcome, and the outbox takes the answer. [`streaming`] sends
//! what was subscribed to.
pub mod act;
pub mod action;
pub mod batch;
pub mod client;
pub mod confirm;
pub mod connection;
pub mod context;
pub mod control;
pub mod display;
mod egress;
pub mod happenings;
pub mod information;
pub mod lane;
pub mod look;
pub mod observation;
pub mod outcome;
pub mod picture_quota;
pub mod readiness;
pub mod recording;
pub mod replay;
pub mod roster;
pub mod run;
mod sandbox;
pub mod secrets;
mod secrets_source;
pub mod seen;
pub mod server;
pub mod service;
pub mod state;
pub mod streaming;
mod studio;
pub mod tickets;
pub mod wait_for;
