//! What the command line, the environment and the configuration file promise.

mod support;

use std::{fs, os::unix::fs::PermissionsExt};

use support::desk::{Desk, command, run};

#[test]
fn a_flag_goes_before_its_variable_and_that_before_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deskhand.toml");
    fs::write(&path, "xvfb = \"320x240\"\ndisplay = \":720\"\nlisten = [\"127.0.0.1:0\"]\n").unwrap();
    let display = |flag: Option<&str>, variable: Option<&str>| {
        let mut arguments = vec!["serve", "--config", path.to_str().unwrap()];
        arguments.extend(flag.map(|flag| ["--display", flag]).into_iter().flatten());
        let mut command = command(&arguments);
        command.envs(variable.map(|variable| ("DESKHAND_DISPLAY", variable)));
        // DISPLAY only counts for attaching.
        command.env("DISPLAY", ":723");
        Desk::start_command(command).event("ready")["display"].as_str().unwrap().to_owned()
    };
    assert_eq!(display(Some(":722"), Some(":721")), ":722");
    assert_eq!(display(None, Some(":721")), ":721");
    assert_eq!(display(None, None), ":720");
}

#[test]
fn every_wrong_value_has_its_message_and_its_exit_code() {
    let rows: &[(&[&str], i32, &str)] = &[
        (&["--xvfb", "100x100"], 2, "100x100 is outside 320x240..3840x2160"),
        (&["--xvfb", "1024x768x16"], 2, "depth is always 24"),
        (&["--display", "host:0"], 2, "a display is `:N` on this machine"),
        (&["--xvfb", "320x240", "--display", ":60000"], 2, "N from 0 to 59535"),
        (&["--xvfb", "320x240", "--screen", "huge"], 2, "long-edge:N"),
        (&["--xvfb", "320x240", "--listen", "localhost:1"], 2, "is it a host name?"),
        (&["--xvfb", "320x240", "--listen", "vsock:0"], 2, "a port from 1 to"),
        (&["--xvfb", "320x240", "--listen", "virtio:"], 2, "needs the path of the port"),
        (&["--xvfb", "320x240", "--listen", "dial:ws://x"], 2, "wss://HOST"),
        (&["--xvfb", "320x240", "--listen", "stdio", "--listen", "stdio"], 2, "given twice"),
        (&["--xvfb", "320x240", "--listen", "0.0.0.0:0"], 4, "--allow-plaintext"),
        (&["--xvfb", "320x240", "--listen", "0.0.0.0:0", "--allow-plaintext=false"], 4, "--allow-plaintext"),
        (&["--xvfb", "320x240", "--token-sha256", "abc"], 2, "64 lower-case hexadecimal"),
        (&["--xvfb", "320x240", "--token-file", "/nonexistent/token"], 2, "cannot read the token file"),
        (&["--xvfb", "320x240", "--allow-host", "a/b"], 2, "a host is a name"),
        (&["--xvfb", "320x240", "--allow-origin", "*"], 2, "never *"),
        (&["--xvfb", "320x240", "--config", "/nonexistent/toml"], 2, "cannot read the configuration file"),
        (&["--xvfb", "320x240", "--log", "loud"], 2, "possible values"),
        (&["--xvfb", "320x240", "--no-such-flag"], 2, "--no-such-flag"),
        (&[], 3, "start one with --xvfb"),
    ];
    for (arguments, expected, message) in rows {
        let arguments: Vec<&str> = std::iter::once("serve").chain(arguments.iter().copied()).collect();
        let (code, output, errors) = run(command(&arguments));
        assert_eq!(code, *expected, "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
        assert!(output.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_error_in_the_file_names_its_line_and_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deskhand.toml");
    let rows = [
        ("xvfb = \"320x240\"\nlissten = [\"stdio\"]\n", ["line 2", "lissten"]),
        ("xvfb = \"320x240\"\n\nlisten = [\"nowhere\"]\n", ["line 3", "an address is IP:PORT"]),
        ("xvfb = \"32x24\"\n", ["line 1", "outside 320x240"]),
        ("allow-plaintext = \"yes\"\n", ["line 1", "allow-plaintext"]),
        ("config = \"other.toml\"\n", ["line 1", "config"]),
        ("xvfb = \n", ["line 1", "xvfb"]),
    ];
    for (text, parts) in rows {
        fs::write(&path, text).unwrap();
        let (code, _, errors) = run(command(&["serve", "--config", path.to_str().unwrap()]));
        assert_eq!(code, 2, "{text}: {errors}");
        for part in parts {
            assert!(errors.contains(part), "{text}: {errors}");
        }
    }
}

#[test]
fn a_token_file_that_others_can_read_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "a".repeat(64)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, errors) = run(command(&["serve", "--xvfb", "320x240", "--token-file", path.to_str().unwrap()]));
    assert_eq!(code, 4);
    assert!(errors.contains("chmod 600") && !errors.contains("Xvfb"), "{errors}");
}

#[test]
fn token_new_writes_a_private_file_prints_only_its_hash_and_never_writes_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let arguments = ["token", "new", path.to_str().unwrap()];
    let (code, output, errors) = run(command(&arguments));
    assert_eq!((code, errors.as_str()), (0, ""));
    let token = fs::read_to_string(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(token.trim_end().len() == 64 && output.trim_end().len() == 64 && token != output);

    let (code, output, errors) = run(command(&arguments));
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(errors.contains("never written over"), "{errors}");
    assert_eq!(fs::read_to_string(&path).unwrap(), token);
}

#[test]
fn help_is_on_standard_output_and_teaches_with_examples() {
    let (code, output, _) = run(command(&["--help"]));
    assert_eq!(code, 0);
    assert!(output.contains("Examples:") && output.contains("Exit codes:") && !output.contains("serve-child"));
    let (code, output, _) = run(command(&["serve", "--help"]));
    assert_eq!(code, 0);
    assert!(output.contains("DESKHAND_LISTEN") && output.contains("deskhand serve --xvfb"));
}
