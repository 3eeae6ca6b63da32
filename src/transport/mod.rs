//! From bytes to messages and back: listeners, the HTTP handshake, WebSocket connections and their writers.
//!
//! The only importer of the HTTP and WebSocket crates. What messages mean is the business of whoever implements
//! [`service::Service`].
pub mod bridge;
pub mod client;
mod dial;
pub mod dialler;
pub mod endpoint;
mod frame_socket;
mod frame_writer;
pub mod guard;
pub mod http;
pub mod listener;
mod message_clock;
pub mod outbox;
pub mod service;
pub mod stream;
mod sync_line;
pub mod tls;
mod tls_pin;
mod unix_socket;
mod upgrade;
mod virtio;
mod websocket;
