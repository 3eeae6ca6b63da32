#![no_main]
#[allow(dead_code, reason = "the other readers")]
#[path = "../../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::audit(bytes));
