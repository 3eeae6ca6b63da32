#![no_main]
#[allow(dead_code, reason = "the other reader")]
#[path = "../../network.rs"]
mod network;
#[allow(dead_code, reason = "what the tests of the transport use")]
#[path = "../../../support"]
mod support {
    pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(45);

    pub mod in_process;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| network::frames(bytes));
