//! The policy file: what may be done on this desktop, whoever asks and whatever a model was talked into.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::token::{TokenError, read_guarded};
use crate::{
    exit::{Exit, Fatal},
    protocol::{
        method,
        policy::{Access, ConfirmRule, Policy, Visibility, WindowRule, WindowRules, can_wait},
        units::NativeRegion,
        window::WindowMatch,
    },
};

/// The largest policy file, as that of tokens.
const POLICY_FILE_BYTES: u64 = 64 * 1024;
/// The permission bits that let anybody but the owner change a file. Reading it tells what is forbidden, which is no secret.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// How long consent is waited for where a rule does not say. Whether it is not 0 is known when this is compiled.
const CONFIRM_SECONDS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// The longest that consent can be waited for: as long as a request may take at all.
const CONFIRM_SECONDS_MAX: u32 = 600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    deny_chords: Vec<String>,
    regions: Option<Vec<[u16; 4]>>,
    #[serde(default)]
    window: Vec<WindowEntry>,
    #[serde(default)]
    confirm: Vec<ConfirmEntry>,
    clipboard: Option<bool>,
    resize: Option<bool>,
    #[serde(default)]
    navigate: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowEntry {
    class: Option<String>,
    title: Option<String>,
    executable: Option<String>,
    allow: Option<bool>,
    mask: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmEntry {
    method: Option<String>,
    class: Option<String>,
    deadline_s: Option<NonZeroU32>,
}

/// Reads the text of a policy file.
///
/// # Errors
/// What is wrong with it; the file is used as a whole or not at all.
pub fn parse(text: &str) -> Result<Policy, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let methods = file.methods.iter().map(|name| listed(name)).collect::<Result<BTreeSet<_>, _>>()?;
    if !file.confirm.is_empty() && !methods.contains("subscribe") {
        return Err(
            "[[confirm]] asks the admins who have subscribed to `confirm`; add \"subscribe\" to methods".to_owned()
        );
    }
    Ok(Policy {
        sha256: HEXLOWER.encode(&Sha256::digest(text.as_bytes())),
        methods,
        deny_chords: file.deny_chords,
        regions: regions(file.regions)?,
        windows: Arc::new(WindowRules(numbered(file.window, WindowEntry::rule)?)),
        confirm: numbered(file.confirm, ConfirmEntry::rule)?,
        clipboard: file.clipboard.into(),
        resize: file.resize.into(),
        navigate: file.navigate,
    })
}

/// Checks entries, each with its number from 1.
fn numbered<E, R>(entries: Vec<E>, check: impl Fn(E, usize) -> Result<R, String>) -> Result<Vec<R>, String> {
    entries.into_iter().zip(1..).map(|(entry, number)| check(entry, number)).collect()
}

fn listed(name: &str) -> Result<&'static str, String> {
    method::named(name).map_err(|nearest| {
        format!("methods: there is no method `{}`; nearest: {}", name.escape_debug(), nearest.join(", "))
    })
}

fn regions(given: Option<Vec<[u16; 4]>>) -> Result<Vec<NativeRegion>, String> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if given.is_empty() {
        return Err(
            "regions is empty, so nothing could be pointed at; name a region, or leave it out for the whole screen"
                .to_owned(),
        );
    }
    let region = |[x0, y0, x1, y1]: [u16; 4]| match (x1.checked_sub(x0), y1.checked_sub(y0)) {
        (Some(width @ 1..), Some(height @ 1..)) => Ok(NativeRegion { x: x0, y: y0, width, height }),
        _ => {
            Err(format!("regions: [{x0}, {y0}, {x1}, {y1}] is empty; write [x0, y0, x1, y1] with x0 < x1 and y0 < y1"))
        }
    };
    given.into_iter().map(region).collect()
}

impl WindowEntry {
    fn rule(self, number: usize) -> Result<WindowRule, String> {
        let Self { class, title, executable, allow, mask } = self;
        let name = format!("[[window]] {number}");
        if allow.is_none() && mask.is_none() {
            return Err(format!("{name} says nothing; give allow, mask or both"));
        }
        if class.is_none() && title.is_none() && executable.is_none() {
            return Err(format!("{name} names no window; give class, title or executable"));
        }
        if let Some(path) = executable.as_deref().filter(|path| !path.starts_with('/')) {
            let path = path.escape_debug();
            return Err(format!(
                "{name}: executable = \"{path}\" is no whole path; write it from the root, as /proc/PID/exe shows it"
            ));
        }
        let parts = [("class", &class), ("title", &title), ("executable", &executable)];
        let said = parts.into_iter().filter_map(|(key, value)| Some(format!("{key} = {:?}", value.as_deref()?)));
        let text = format!("[[window]] {number} ({})", said.collect::<Vec<_>>().join(", "));
        let window = match (&class, &title) {
            (None, None) => None,
            _ => Some(WindowMatch::new(&name, class, title).map_err(|failure| failure.message)?),
        };
        let access = allow.map(|allow| if allow { Access::Allowed } else { Access::Denied });
        let visibility = mask.map(|mask| if mask { Visibility::Masked } else { Visibility::Shown });
        Ok(WindowRule { window, executable, access, visibility, text })
    }
}

impl ConfirmEntry {
    fn rule(self, number: usize) -> Result<ConfirmRule, String> {
        let name = format!("[[confirm]] {number}");
        if self.method.is_none() && self.class.is_none() {
            return Err(format!("{name} names nothing; give method, class or both"));
        }
        let seconds = self.deadline_s.unwrap_or(CONFIRM_SECONDS).get();
        if seconds > CONFIRM_SECONDS_MAX {
            return Err(format!("{name}: deadline_s = {seconds} is above {CONFIRM_SECONDS_MAX}; give a shorter time"));
        }
        let method = self.method.as_deref().map(listed).transpose().map_err(|error| format!("{name}: {error}"))?;
        if let Some(method) = method.filter(|method| !can_wait(method)) {
            let why = "it is answered at once, or is only another name; name the actions that are to wait";
            return Err(format!("{name}: {method} cannot wait for consent: {why}"));
        }
        let class = |class| WindowMatch::new(&name, Some(class), None).map_err(|failure| failure.message);
        let window = self.class.map(class).transpose()?;
        Ok(ConfirmRule { method, window, deadline: Duration::from_secs(seconds.into()) })
    }
}

/// Reads a policy file and checks that it says what it should. One that others can write is refused: they would write themselves
/// whatever they like.
///
/// # Errors
/// Why it cannot be used.
pub fn read(path: &Path) -> Result<String, PolicyError> {
    let wrong = |problem: String| PolicyError::Wrong { path: path.to_owned(), problem };
    let text = read_guarded(path, POLICY_FILE_BYTES, WRITABLE_BY_OTHERS).map_err(|error| match error {
        TokenError::Readable { mode, .. } => PolicyError::Writable { path: path.to_owned(), mode },
        TokenError::Read { error, .. } => wrong(error.to_string()),
        _ => wrong(format!("it is not a plain file of at most {POLICY_FILE_BYTES} bytes of UTF-8")),
    })?;
    parse(&text).map_err(wrong)?;
    Ok(text)
}

/// Why a policy file is no good.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Others may change it.
    #[error("the policy file {} has mode {mode:04o} and others can change it; run chmod go-w on it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be read, or does not say what it should.
    #[error("the policy file {} cannot be used: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl From<PolicyError> for Fatal {
    fn from(error: PolicyError) -> Self {
        let exit = match error {
            PolicyError::Writable { .. } => Exit::NotAllowed,
            PolicyError::Wrong { .. } => Exit::Usage,
        };
        Self::new(exit, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::protocol::policy::Permission;

    const WHOLE: &str = r#"
        methods = ["screenshot", "left_click", "subscribe", "display.reset"]
        deny_chords = ["ctrl+alt+*"]
        regions = [[0, 0, 640, 480]]
        clipboard = true
        navigate = ["example.org"]
        [[window]]
        class = "xterm"
        executable = "/usr/bin/xterm"
        allow = true
        [[window]]
        title = "Bank"
        mask = true
        [[confirm]]
        method = "left_click"
        class = "Mail"
        deadline_s = 5
        [[confirm]]
        class = "Shop"
    "#;

    #[test]
    fn a_file_says_everything_and_what_it_does_not_say_is_denied() {
        let policy = parse(WHOLE).unwrap();
        assert!(policy.lists("screenshot") && policy.lists("display.reset") && !policy.lists("type"));
        assert_eq!(policy.regions, [NativeRegion { x: 0, y: 0, width: 640, height: 480 }]);
        assert_eq!((policy.clipboard, policy.resize), (Permission::Granted, Permission::Denied));
        assert_eq!(policy.windows.0[0].text, "[[window]] 1 (class = \"xterm\", executable = \"/usr/bin/xterm\")");
        assert!(policy.windows.restrict_input() && policy.windows.mask_anything());
        assert_eq!(policy.confirm.iter().map(|rule| rule.deadline.as_secs()).collect::<Vec<_>>(), [5, 60]);
        assert_eq!(policy.navigate, ["example.org"]);
        // sha256sum of nothing.
        assert_eq!(parse("").unwrap().sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_wrong_file_is_refused_as_a_whole_and_says_what_is_wrong() {
        for (text, said) in [
            ("methods = ['left_clik']", "left_click"),
            ("method = ['left_click']", "method"),
            ("regions = []", "empty"),
            ("regions = [[5, 0, 5, 9]]", "x0 < x1"),
            ("regions = [[-1, 0, 5, 9]]", "-1"),
            ("[[window]]\nclass = 'a'", "allow, mask"),
            ("[[window]]\nallow = true", "class, title or executable"),
            ("[[window]]\nclass = ''\nallow = true", "empty"),
            ("[[window]]\nexecutable = 'xterm'\nallow = true", "from the root"),
            ("[[window]]\nclass = 'a'\ncolor = 1\nallow = true", "color"),
            ("methods = ['subscribe']\n[[confirm]]\ndeadline_s = 5", "method, class"),
            ("methods = ['subscribe']\n[[confirm]]\nmethod = 'clik'", "click"),
            ("methods = ['subscribe']\n[[confirm]]\nmethod = 'click'\ndeadline_s = 601", "601"),
            ("methods = ['subscribe']\n[[confirm]]\nmethod = 'computer'", "cannot wait"),
            ("methods = ['click']\n[[confirm]]\nmethod = 'click'", "subscribe"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{said} in {error}");
        }
    }

    #[test]
    fn a_file_that_others_can_change_is_refused_and_one_that_they_can_read_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        fs::write(&path, WHOLE).unwrap();
        for (mode, is_good) in [(0o600, true), (0o444, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok(), is_good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, format!("#{}", "x".repeat(65 * 1024))).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("65536"));
        assert!(matches!(read(&directory.path().join("none")), Err(PolicyError::Wrong { .. })));
    }
}
