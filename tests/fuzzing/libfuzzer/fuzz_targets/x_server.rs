#![no_main]
#[path = "../../x_server.rs"]
mod x_server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| x_server::target(bytes));
