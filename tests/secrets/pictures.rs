//! Pictures that are taken after a secret was typed, read as a person would read them.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::support::{Controller, Deskhand, Windows, files::wait_for_content};

const SECRET: &str = "HIDDENWORD";

/// What stands in a picture (tesseract).
fn read(result: &Value) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("picture.png");
    let png = data_encoding::BASE64.decode(result["image"]["data"].as_str().unwrap().as_bytes()).unwrap();
    fs::write(&file, png).unwrap();
    let output = Command::new("tesseract").arg(&file).args(["stdout", "--psm", "11"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_secret_in_a_window_that_is_painted_over_cannot_be_read() {
    let place = tempfile::tempdir().unwrap();
    // Two terminals that say what they were given: by then it is on the screen as well.
    let terminal = |class: &str, geometry: &str| {
        let file = place.path().join(class);
        format!(
            "xterm -class {class} -geometry {geometry} -fa 'DejaVu Sans Mono' -fs 20 -e sh -c 'while read -r line; do echo \"$line.\" >> {}; done'",
            file.display()
        )
    };
    let script = format!("{} & exec {}", terminal("Vault", "40x6+0+0"), terminal("Notes", "40x6+0+350"));
    let server = Deskhand::owned_with("800x600", &["--", "sh", "-c", &script]);
    let windows = Windows::new(&server.display);
    let [vault, notes] = ["Vault", "Notes"].map(|class| windows.wait_for_class(class));
    let mut controller = Controller::connect(&server);
    let rule = json!({"class": "Vault", "taint": "mask", "allow_unconfined": true});
    controller.must("secret.put", json!({"name": "word", "value": format!("{SECRET}\n"), "rule": rule}));
    let arrives = |class: &str, word: &str| {
        let ending = format!("{word}.\n");
        wait_for_content(&place.path().join(class), |content| content.ends_with(ending.as_bytes()));
    };
    windows.focus(notes);
    controller.must("type", json!({"text": "PLAINWORD\n"}));
    arrives("Notes", "PLAINWORD");
    windows.focus(vault);
    controller.must("type", json!({"secret": "word"}));
    arrives("Vault", SECRET);
    let picture = |controller: &mut Controller| read(&controller.must("screenshot", json!({})));
    let seen = picture(&mut controller);
    assert!(seen.contains("PLAINWORD") && !seen.contains(SECRET), "{seen}");
    // It is the paint, and not bad eyes.
    windows.focus(notes);
    controller.must("type", json!({"text": format!("{SECRET}\n")}));
    arrives("Notes", SECRET);
    let seen = picture(&mut controller);
    assert!(seen.contains(SECRET), "{seen}");
}
