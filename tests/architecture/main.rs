//! The architecture as a test: who may import whom, where foreign crates, I/O and `unsafe` may stand, how long a file may be.
//!
//! The sources are read as text, with comments and literals blanked out. The checker is checked below: it is fed one
//! source for each violation.

#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

mod lexer;
mod the_checker_catches;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use lexer::{named_paths, without_comments_and_literals, words};

/// Which modules of ours each module may name: only such as stand above it, so that the imports have no cycle. A module may
/// always name itself.
const DIRECTION: &[(&str, &[&str])] = &[
    // How programs of ours end: numbers and wording, for every module that runs before or around the server.
    ("exit", &[]),
    ("protocol", &[]),
    ("adapters", &["protocol"]),
    ("plan", &["protocol"]),
    ("session", &["protocol", "plan"]),
    ("image", &["protocol"]),
    ("desktop", &["protocol", "plan", "image"]),
    ("transport", &["protocol"]),
    ("observe", &["protocol"]),
    ("config", &["exit", "protocol"]),
    // Nothing of ours: whoever confines itself says to what.
    ("sandbox", &[]),
    ("supervisor", &["config", "exit", "protocol", "sandbox"]),
    (
        "engine",
        &[
            "exit",
            "protocol",
            "adapters",
            "plan",
            "session",
            "image",
            "desktop",
            "transport",
            "observe",
            "sandbox",
            "supervisor",
            "config",
        ],
    ),
    (
        "cli",
        &[
            "exit",
            "protocol",
            "adapters",
            "plan",
            "session",
            "image",
            "desktop",
            "transport",
            "observe",
            "sandbox",
            "supervisor",
            "config",
            "engine",
        ],
    ),
    ("main", &["cli", "config", "engine", "exit"]),
];

/// Paths that may be named in some modules only. What a crate drags in stays where it can be replaced.
const CONFINED: &[(&str, &[&str])] = &[
    ("x11rb", &["desktop"]),
    ("axum", &["transport"]),
    ("http_body_util", &["transport"]),
    ("hyper", &["transport"]),
    ("hyper_util", &["transport"]),
    ("tokio_tungstenite", &["transport"]),
    ("tower", &["transport"]),
    ("clap", &["cli", "config"]),
    ("prometheus_client", &["observe"]),
    ("seccompiler", &["sandbox"]),
    ("landlock", &["sandbox"]),
    ("libc", &["sandbox"]),
    // One place reads the environment, so that what a flag, a variable and the file say is settled there.
    ("std::env", &["config", "main"]),
    // Deskhand offers no shell: one module starts processes.
    ("std::process::Command", &["supervisor"]),
    // A thread is no I/O, and a large picture is encoded by two; the other pure modules decide, which needs none. A disk that is
    // slow must not keep the server's one thread, so the audit has its own.
    ("std::thread", &["cli", "desktop", "image", "observe", "transport"]),
];

/// Modules that do no I/O and take the time as an argument.
const PURE: &[&str] = &["protocol", "adapters", "plan", "session", "image"];

/// What a pure module must not name.
const IMPURE_PATHS: &[&str] = &[
    // Addresses are data; sockets are not.
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::os",
    "std::process",
    "std::env",
    "std::time::Instant::now",
    "std::time::SystemTime",
    "tokio",
    "rustix",
];

/// Reading the clock, however the type was imported.
const IMPURE_CALLS: &[&str] = &["Instant::now", "SystemTime::now"];

/// The files that must have `unsafe`, each block with its reason.
const UNSAFE_FILES: &[&str] = &["desktop/shm.rs", "supervisor/inherited.rs"];

/// A longer file holds more than one thing.
const LONGEST_FILE: usize = 500;
/// Tables are data, however long.
const TABLES: &str = "plan/tables/";

#[test]
fn sources_follow_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 3, "found only {} source files under {}", files.len(), root.display());
    let mut report = String::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        for violation in violations(&name, &fs::read_to_string(&file).unwrap()) {
            writeln!(report, "src/{name}: {violation}").unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn the_directions_have_no_cycle() {
    for (at, (module, allowed)) in DIRECTION.iter().enumerate() {
        for named in *allowed {
            let above = DIRECTION[..at].iter().any(|(earlier, _)| earlier == named);
            assert!(above, "`{module}` may name `{named}`, which does not stand above it");
        }
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Everything in one file that breaks a rule. `name` is its path under `src/`.
fn violations(name: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.lines().count();
    if lines > LONGEST_FILE && !name.starts_with(TABLES) {
        found.push(format!("{lines} lines; the limit is {LONGEST_FILE}, split it by what it does"));
    }
    let code = without_comments_and_literals(source);
    if words(&code).any(|word| word == "unsafe") && !UNSAFE_FILES.contains(&name) {
        found.push(format!("`unsafe`; only {UNSAFE_FILES:?} may have it"));
    }
    let top = name.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if top == "lib" {
        return found; // the list of modules
    }
    let Some((_, allowed)) = DIRECTION.iter().find(|(module, _)| *module == top) else {
        found.push(format!("module `{top}` is not in the table of directions"));
        return found;
    };
    let paths = named_paths(&code, module_depth(name));
    for path in &paths {
        let mut segments = path.split("::");
        if let (Some("crate" | "deskhand"), Some(module)) = (segments.next(), segments.next())
            && module != top
            && DIRECTION.iter().any(|(known, _)| *known == module)
            && !allowed.contains(&module)
        {
            found.push(format!("names `{path}`; `{top}` may name only {allowed:?}"));
        }
    }
    // Unit tests may read a file or the clock; what ships may not.
    let tests_only = name.ends_with("/tests.rs");
    let end = if tests_only { Some(0) } else { code.find("#[cfg(test)]") };
    let shipped = end.map_or(code.as_str(), |end| &code[..end]);
    let shipped_paths = named_paths(shipped, module_depth(name));
    for (confined, modules) in CONFINED {
        if !modules.contains(&top)
            && let Some(path) = shipped_paths.iter().find(|path| is_under(path, confined))
        {
            found.push(format!("names `{path}`; `{confined}` belongs in {modules:?}"));
        }
    }
    if PURE.contains(&top) {
        for impure in IMPURE_PATHS {
            if let Some(path) = shipped_paths.iter().find(|path| is_under(path, impure)) {
                found.push(format!("names `{path}`; `{top}` does no I/O and takes the time as an argument"));
            }
        }
        for call in IMPURE_CALLS.iter().filter(|call| shipped.contains(**call)) {
            found.push(format!("calls `{call}`; `{top}` takes the time as an argument"));
        }
    }
    found
}

fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// How many modules deep a file stands: `plan/mod.rs` and `plan.rs` 1, `plan/keys.rs` 2.
fn module_depth(name: &str) -> usize {
    name.split('/').filter(|part| *part != "mod.rs").count()
}
