//! Any bytes: what comes from outside is read without a panic and answered truly, whatever it is.
//!
//! `targets.rs` has a function for each reader, which `libfuzzer/` runs for as long as one likes (`tests/fuzzing/run`). Here each
//! is run a bounded number of times, with what is known to be right or wrong as the seed and edits of it.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod edits;
mod network;
mod seeds;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod x_server;

use proptest::test_runner::{Config, TestRunner};

/// How often each reader is run in the ordinary run: a few seconds together.
const SHORT: u32 = 20_000;
/// How often in the soak: some minutes.
const LONG: u32 = 2_000_000;
/// How often less where each run is a connection or a file.
const SLOWER: u32 = 10;

fn run(cases: u32, seeds: Vec<Vec<u8>>, target: fn(&[u8])) {
    for seed in &seeds {
        target(seed);
    }
    // What failed once is a seed from then on; nothing is written beside the sources.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&edits::edited(seeds), |bytes| {
        target(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A reader as a test of its ordinary and of its long form.
macro_rules! reader {
    ($name:ident, $long:ident, $slower:expr, $seeds:expr, $target:path) => {
        #[test]
        fn $name() {
            run(SHORT / $slower, $seeds, $target);
        }

        #[test]
        #[ignore = "soak: a hundred times as many bytes"]
        fn $long() {
            run(LONG / $slower, $seeds, $target);
        }
    };
}

reader!(messages, messages_for_long, 1, seeds::messages(), targets::message);
reader!(policy_files, policy_files_for_long, 1, seeds::policies(), targets::policy);
reader!(tokens_files, tokens_files_for_long, 1, seeds::tokens(), targets::tokens);
reader!(secrets, secrets_for_long, 1, seeds::secrets(), targets::secret);
reader!(audit_files, audit_files_for_long, SLOWER, seeds::audits(), targets::audit);
reader!(cookie_files, cookie_files_for_long, SLOWER, seeds::cookies(), targets::cookie);
reader!(pictures, pictures_for_long, SLOWER, seeds::pictures(), targets::picture);
reader!(an_x_server, an_x_server_for_long, SLOWER, seeds::x_server(), x_server::target);
reader!(handshakes, handshakes_for_long, SLOWER, seeds::handshakes(), network::handshake);
reader!(frames, frames_for_long, SLOWER, seeds::frames(), network::frames);

/// What makes the seeds of a reader.
type Seeds = fn() -> Vec<Vec<u8>>;

/// Writes the seeds to where `tests/fuzzing/run` wants them.
#[test]
#[ignore = "soak: for tests/fuzzing/run, which names the place"]
fn the_seeds_of_libfuzzer() {
    let Ok(place) = std::env::var("DESKHAND_FUZZING_SEEDS") else { return };
    let readers: [(&str, Seeds); 10] = [
        ("message", seeds::messages),
        ("policy", seeds::policies),
        ("tokens", seeds::tokens),
        ("secret", seeds::secrets),
        ("audit", seeds::audits),
        ("cookie", seeds::cookies),
        ("picture", seeds::pictures),
        ("x_server", seeds::x_server),
        ("handshake", seeds::handshakes),
        ("frames", seeds::frames),
    ];
    for (name, seeds) in readers {
        let folder = std::path::Path::new(&place).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:04}")), seed).unwrap();
        }
    }
}
