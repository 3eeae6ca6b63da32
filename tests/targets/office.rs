//! Menus of the office suite, which draws its own.

use std::{fs, path::PathBuf, process::Command};

use serde_json::json;
use tempfile::TempDir;
use x11rb::protocol::xproto::Window;

use super::{
    program::Desk,
    support::{Process, applications::start, files::wait_for_content},
};

const EMPTY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text><text:p/></office:text></office:body></office:document>
"#;

/// Without what asks or tips at the first start.
const SETTINGS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="ShowTipOfTheDay" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="FirstRun" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Setup/Office"><prop oor:name="ooSetupInstCompleted" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Setup/Office"><prop oor:name="LastCompatibilityCheckID" oor:op="fuse"><value></value></prop></item>
</oor:items>
"#;

struct Writer {
    file: PathBuf,
    window: Window,
    _process: Process,
    _home: TempDir,
}

impl Writer {
    fn open(desk: &Desk) -> Self {
        let home = tempfile::tempdir().unwrap();
        let profile = home.path().join("profile");
        fs::create_dir_all(profile.join("user")).unwrap();
        fs::write(profile.join("user/registrymodifications.xcu"), SETTINGS).unwrap();
        let file = home.path().join("note.fodt");
        fs::write(&file, EMPTY).unwrap();
        let mut command = Command::new("soffice");
        command
            .arg(format!("-env:UserInstallation=file://{}", profile.display()))
            .args(["--norestore", "--nologo", "--nofirststartwizard"])
            .arg(&file)
            // What there is without recommended packages.
            .env("SAL_USE_VCLPLUGIN", "gen");
        let process = start(&desk.server.display, &mut command, home.path());
        let window = desk.windows.wait_for_class("libreoffice-writer");
        desk.windows.wait_for_focus(window);
        Self { file, window, _process: process, _home: home }
    }

    /// Saves until the file is as wanted: what is still starting does not take every key.
    fn save_until(&self, desk: &mut Desk, wanted: impl Fn(&str) -> bool) -> String {
        desk.controller.must("key", json!({"text": "ctrl+s"}));
        let content = wait_for_content(&self.file, |content| wanted(&String::from_utf8_lossy(content)));
        String::from_utf8(content).unwrap()
    }
}

#[test]
fn clicks_reach_a_menu_of_the_office_suite_and_the_menu_inside_it() {
    let mut desk = Desk::managed();
    let writer = Writer::open(&desk);
    desk.controller.must("type", json!({"text": "Plain "}));
    writer.save_until(&mut desk, |text| text.contains("Plain"));
    // Where the menu is in its bar is told by where it opens.
    let before = desk.windows.popups();
    desk.controller.must("key", json!({"text": "alt+o"}));
    let (menu, [x, y, ..]) = desk.windows.wait_for_popup(&before);
    desk.controller.must("key", json!({"text": "Escape Escape"}));
    desk.windows.wait_until_hidden(menu);
    desk.click([i64::from(x) + 10, i64::from(y) - 8]);
    let (_, [again_x, again_y, ..]) = desk.windows.wait_for_popup(&before);
    assert_eq!([again_x, again_y], [x, y]);
    // The first entry of Format is Text, whose first entry is Bold.
    let opened = desk.windows.popups();
    let first = |[x, y]: [i32; 2]| [i64::from(x) + 60, i64::from(y) + 14];
    let meta = json!({"expect_window": {"id": writer.window, "title": "note.fodt"}});
    desk.controller.must("left_click", json!({"coordinate": first([x, y]), "_meta": meta}));
    let (inner, [x, y, ..]) = desk.windows.wait_for_popup(&opened);
    desk.controller.must("left_click", json!({"coordinate": first([x, y]), "_meta": meta}));
    desk.windows.wait_until_hidden(inner);
    desk.controller.must("type", json!({"text": "bold"}));
    let saved = writer.save_until(&mut desk, |text| text.contains("bold</text"));
    assert!(saved.contains(r#"fo:font-weight="bold""#), "what was typed after the click on Bold is not bold");
}
