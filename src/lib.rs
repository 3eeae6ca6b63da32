//! Deskhand: the hands and eyes inside a sandboxed desktop.
//!
//! One small static binary next to an X display carries out what a remote loop asks (screenshot, click, type, key, scroll,
//! zoom) and answers over a WebSocket. Data goes one way:
//!
//! ```text
//! transport ─► protocol ─► session ─► plan ─► desktop ─► image ─► outbox ─► transport
//! (tcp, unix,  (JSON-RPC,  (who,      (pure:  (input     (pixels  (one bounded
//!  stdio)       types,      lease,     keys    thread,    to       writer per
//!               limits)     admission) moves)  capture)   bytes)   connection)
//! ```
//!
//! Before the first byte of a stranger is read, the server confines itself: [`sandbox`].
//!
//! [`engine`] is the only orchestrator and runs each request through the whole of it; [`supervisor`] is the process above
//! the server's, which owns the X server and COMMAND; [`config`] turns what the user typed into settings; [`cli`] has a file
//! for each verb; [`observe`] takes what is written down about all of it.
pub mod cli;
pub mod config;
pub mod desktop;
pub mod engine;
pub mod exit;
pub mod image;
pub mod observe;
pub mod plan;
pub mod protocol;
pub mod sandbox;
pub mod session;
pub mod supervisor;
pub mod transport;
