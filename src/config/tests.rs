use super::*;

fn file(text: &str) -> ServeArguments {
    toml::from_str(text).unwrap()
}

fn load(arguments: ServeArguments) -> Result<Settings, Fatal> {
    Settings::load(arguments, &Surroundings::default())
}

#[test]
fn what_is_absent_above_comes_from_below_and_the_rest_is_default() {
    let upper = file("xvfb = '1024x768'\nlisten = ['127.0.0.1:1']\nallow-host = ['upper']");
    let lower = file("xvfb = '800x600'\nlisten = ['127.0.0.1:2', 'stdio']\nlog = 'debug'\ncommand = ['openbox']");
    let settings = load(upper.or(lower)).unwrap();
    assert!(
        matches!(settings.display, DisplayChoice::Owned { size, number: None, xauthority: None } if size.width == 1024)
    );
    assert_eq!(settings.listen, ["127.0.0.1:1".parse().unwrap()], "lists are not mixed");
    assert_eq!((settings.log, settings.command), (LogLevel::Debug, vec!["openbox".to_owned()]));
    assert_eq!((settings.screen, settings.token), (ScreenFit::Native, TokenChoice::Generate));
    assert_eq!(load(file("xvfb = '800x600'")).unwrap().listen, [DEFAULT_LISTEN.parse().unwrap()]);
}

#[test]
fn a_token_named_above_hides_the_other_form_below() {
    let hash = "ab".repeat(32);
    let upper = file("xvfb = '800x600'\ntoken-file = '/t'");
    let lower = file(&format!("token-sha256 = '{hash}'"));
    assert_eq!(load(upper.clone().or(lower.clone())).unwrap().token, TokenChoice::File("/t".into()));
    assert!(matches!(load(file("xvfb = '800x600'").or(lower)).unwrap().token, TokenChoice::Sha256(_)));
    let both = file(&format!("xvfb = '800x600'\ntoken-file = '/t'\ntoken-sha256 = '{hash}'"));
    assert_eq!(load(both).unwrap_err().exit, Exit::Usage);
}

#[test]
fn the_notch_has_the_name_of_its_flag_and_of_the_contract() {
    for name in ["pixels-per-notch", "pixels_per_notch"] {
        let settings = load(file(&format!("xvfb = '800x600'\n{name} = 120"))).unwrap();
        assert_eq!(settings.pixels_per_notch.get(), 120, "{name}");
    }
    assert_eq!(load(file("xvfb = '800x600'")).unwrap().pixels_per_notch.get(), 53);
    assert!(toml::from_str::<ServeArguments>("pixels_per_notch = 0").is_err());
}

#[test]
fn only_the_host_needs_no_token() {
    assert_eq!(load(file("xvfb = '800x600'\nlisten = ['stdio']")).unwrap().token, TokenChoice::NotNeeded);
    assert_eq!(load(file("xvfb = '800x600'\nlisten = ['stdio', 'unix:/s']")).unwrap().token, TokenChoice::Generate);
}

#[test]
fn plain_text_over_the_network_must_be_asked_for() {
    let open = "xvfb = '800x600'\nlisten = ['0.0.0.0:0']\n";
    assert_eq!(load(file(open)).unwrap_err().exit, Exit::NotAllowed);
    assert!(load(file(&format!("{open}allow-plaintext = true"))).is_ok());
}

#[test]
fn attaching_follows_the_surroundings_where_nothing_is_named() {
    let home = tempfile::tempdir().unwrap();
    let cookie = home.path().join(".Xauthority");
    let mut surroundings = Surroundings {
        display: Some(":7.0".into()),
        home: home.path().to_str().map(str::to_owned),
        ..Surroundings::default()
    };
    let attached =
        |text: &str, surroundings: &Surroundings| match Settings::load(file(text), surroundings).unwrap().display {
            DisplayChoice::Attached { display, xauthority } => (display.get(), xauthority),
            DisplayChoice::Owned { .. } => panic!("nothing asked for an Xvfb"),
        };
    assert_eq!(attached("", &surroundings), (7, None));
    std::fs::write(&cookie, "").unwrap();
    assert_eq!(attached("", &surroundings), (7, Some(cookie)));
    surroundings.xauthority = Some("/x".into());
    assert_eq!(attached("", &surroundings), (7, Some("/x".into())));
    assert_eq!(attached("display = ':8'\nxauthority = '/y'", &surroundings), (8, Some("/y".into())));
    surroundings.display = Some("host:0".into());
    assert!(Settings::load(file(""), &surroundings).is_err_and(|fatal| fatal.message.starts_with("DISPLAY: ")));
}

#[test]
fn users_are_named_for_a_unix_socket() {
    let text = "xvfb = '800x600'\nallow-uid = [1000, 0]\n";
    assert_eq!(load(file(&format!("{text}listen = ['unix:/s']"))).unwrap().allow_uid, [1000, 0]);
    let lonely = load(file(text)).unwrap_err();
    assert!(lonely.exit == Exit::Usage && lonely.message.contains("unix:PATH"), "{}", lonely.message);
    for wrong in ["['root']", "[-1]", "[4294967296]"] {
        assert!(toml::from_str::<ServeArguments>(&format!("allow-uid = {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn probes_have_an_address_of_their_own() {
    let text = "xvfb = '800x600'\nlisten = ['127.0.0.1:7010']\n";
    assert_eq!(load(file(text)).unwrap().probe, None);
    let open = load(file(&format!("{text}probe-listen = '0.0.0.0:7011'"))).unwrap();
    assert_eq!(open.probe, Some("0.0.0.0:7011".parse().unwrap()), "it gives no control, so no risk is to be accepted");
    let both = load(file(&format!("{text}probe-listen = '127.0.0.1:7010'"))).unwrap_err();
    assert!(both.exit == Exit::Usage && both.message.contains("an address of its own"), "{}", both.message);
    for wrong in ["unix:/s", "stdio", "localhost:1", "7011"] {
        assert!(toml::from_str::<ServeArguments>(&format!("probe-listen = '{wrong}'")).is_err(), "{wrong}");
    }
}

#[test]
fn settings_reach_the_server_as_they_are() {
    let settings = load(file(
        "xvfb = '800x600'\ndisplay = ':9'\nxauthority = '/c'\nscreen = 'long-edge:1200'\npixels-per-notch = 120\nlisten = ['stdio', 'unix:/s', '[::1]:0']\nprobe-listen = '127.0.0.1:0'\n\
         token-sha256 = 'abababababababababababababababababababababababababababababababab'\nallow-host = ['Desk:1']\n\
         allow-origin = ['https://Desk']\nlog = 'off'\ncommand = ['a', 'b c']",
    ))
    .unwrap();
    let line = serde_json::to_string(&settings).unwrap();
    assert!(!line.contains('\n'));
    assert_eq!(serde_json::from_str::<Settings>(&line).unwrap(), settings);
}
