//! Secrets on the wire: what `secret.put` takes, and what is told of a secret, which is all but its text.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Map;
use zeroize::Zeroizing;

use super::{
    error::{ErrorKind, Failure},
    json, limits,
    secret::{Clearing, Confinement, Secret, SecretCall, SecretName, SecretRule, SecretText, Taint},
    window::WindowMatch,
    wire::{self, Object, Whole},
};

/// A text that is wiped, and that no error message repeats.
#[derive(JsonSchema)]
#[schemars(with = "String")]
pub struct Value(Zeroizing<String>);

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// What is said of a value that is none.
const NO_TEXT: &str = "value must be a text in quotes";

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Of any kind first: serde's own readers repeat what they did not expect.
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(Zeroizing::new(text))),
            _ => Err(de::Error::custom(NO_TEXT)),
        }
    }
}

/// The parameters of `secret.put`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPutParams {
    /// The name by which controllers have it typed.
    pub name: String,
    /// The text: 1 to 4,096 characters up to U+FFFF.
    pub value: Value,
    /// Where it may be typed, and what follows.
    pub rule: Object<SecretRuleParams>,
    /// For how many seconds it is kept; until the server ends when absent.
    pub ttl_s: Option<Whole>,
    /// How often it may be typed; any number of times when absent.
    pub uses: Option<Whole>,
}

/// Where a secret may be typed: everything that is given must hold, and something must be given. What is told of a secret has
/// the same form, with the defaults filled in.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRuleParams {
    /// Equal to the instance or class of the window's `WM_CLASS`, case ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Contained in its title, which the application chooses, and a web page in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The path of the executable of its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Types also while other programs are connected to the display, all of which can read the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_unconfined: Option<bool>,
    /// What becomes of pictures afterwards; `refuse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<Taint>,
    /// Until when; until the window is gone when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear: Option<Object<ClearParams>>,
}

/// When pictures come again: at the first of what is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearParams {
    /// So many seconds after the secret was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_s: Option<Whole>,
    /// When the window that it was typed into is no longer there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_gone: Option<bool>,
}

/// The parameters of `secret.forget`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretForgetParams {
    /// Which one.
    pub name: String,
}

impl SecretPutParams {
    /// # Errors
    /// `invalid_params` and `out_of_range`, naming the parameter and never the value.
    pub fn check(self) -> Result<SecretCall, Failure> {
        let Self { name, value: Value(value), rule: Object(rule), ttl_s, uses } = self;
        // Not even a name that is none: it may be the value.
        let name = SecretName::try_from(name).map_err(|_| {
            let most = limits::SECRET_NAME_CHARACTERS;
            let message = format!("name is not 1 to {most} of the characters A-Z a-z 0-9 _ . -");
            Failure::new(ErrorKind::InvalidParams, message)
        })?;
        let lifetime = ttl_s.map(|seconds| seconds_of("ttl_s", seconds, limits::SECRET_SECONDS_MAX)).transpose()?;
        let uses = uses.map(|Whole(uses)| {
            let checked = u32::try_from(uses).ok().filter(|uses| (1..=limits::SECRET_USES_MAX).contains(uses));
            checked.ok_or_else(|| wire::out_of_range("uses", uses, &format!("1..={}", limits::SECRET_USES_MAX)))
        });
        let (uses, rule) = (uses.transpose()?, rule.check()?);
        let text = Arc::new(SecretText::new(&value)?);
        Ok(SecretCall::Put(name, Box::new(Secret { text, rule, lifetime, uses })))
    }
}

impl SecretRuleParams {
    fn check(self) -> Result<SecretRule, Failure> {
        let Self { class, title, executable, allow_unconfined, taint, clear } = self;
        if class.is_none() && title.is_none() && executable.is_none() {
            let message =
                "rule names no window, so the secret could be typed anywhere; give class, title or executable";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        if executable.as_deref().is_some_and(|path| !path.starts_with('/')) {
            let message = "rule.executable is no whole path; give the one that /proc/PID/exe shows";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        let window = (class.is_some() || title.is_some()).then(|| WindowMatch::new("rule", class, title));
        let clear = clear.map_or(ClearParams { after_s: None, window_gone: None }, |Object(clear)| clear);
        let after = clear.after_s.map(|seconds| seconds_of("rule.clear.after_s", seconds, limits::SECRET_SECONDS_MAX));
        let after = after.transpose()?;
        if after.is_none() && clear.window_gone == Some(false) {
            let message = "rule.clear never clears; give after_s, window_gone or both";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        let window_gone = clear.window_gone.unwrap_or(after.is_none());
        let confinement = if allow_unconfined == Some(true) { Confinement::NotRequired } else { Confinement::Required };
        Ok(SecretRule {
            window: window.transpose()?,
            executable,
            confinement,
            taint: taint.unwrap_or_default(),
            clearing: Clearing { after, window_gone },
        })
    }
}

impl SecretForgetParams {
    /// # Errors
    /// `invalid_params`.
    pub fn check(self) -> Result<SecretCall, Failure> {
        SecretName::check("name", self.name).map(SecretCall::Forget)
    }
}

fn seconds_of(name: &str, Whole(seconds): Whole, most: u64) -> Result<Duration, Failure> {
    let checked = u64::try_from(seconds).ok().filter(|seconds| (1..=most).contains(seconds));
    checked.map(Duration::from_secs).ok_or_else(|| wire::out_of_range(name, seconds, &format!("1..={most}")))
}

/// Reads the parameters of `secret.put`. Of what is wrong with them only our own words and names are told: a value may stand in the
/// place of another, and serde repeats what it did not expect.
///
/// # Errors
/// `invalid_params`, `out_of_range`.
pub(super) fn read_put(params: Map<String, serde_json::Value>) -> Result<SecretCall, Failure> {
    let read = serde_json::from_value::<SecretPutParams>(serde_json::Value::Object(params));
    let params = read.map_err(|error| {
        let inner = error.to_string();
        let message = if inner.starts_with("missing field `") || inner == NO_TEXT {
            inner
        } else {
            "a parameter is unknown or of another type; `deskhand schema` has them".to_owned()
        };
        Failure::new(ErrorKind::InvalidParams, message)
    })?;
    params.check()
}

/// Reads a line of what is read at the start (`--secrets-fd`): the parameters of one `secret.put`.
///
/// # Errors
/// What is wrong with it; nothing of the line is repeated.
pub fn read_line(line: &str) -> Result<SecretCall, String> {
    match json::parse(line) {
        Ok(serde_json::Value::Object(params)) => read_put(params).map_err(|failure| failure.message),
        _ => Err("it is no JSON object".to_owned()),
    }
}

/// `secret.put` and `secret.forget`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecretsResult {
    /// How many secrets there are now.
    pub secrets: usize,
}

/// `secret.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecretListResult {
    /// By name.
    pub secrets: Vec<SecretListed>,
}

/// A secret as it is told about: everything but its text.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SecretListed {
    /// Its name.
    pub name: SecretName,
    /// Where it may be typed, and what follows.
    pub rule: SecretRuleParams,
    /// How long it is still kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// How often it may still be typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
}

impl From<&SecretRule> for SecretRuleParams {
    fn from(rule: &SecretRule) -> Self {
        let SecretRule { window, executable, confinement, taint, clearing } = rule;
        let of_window = |part: fn(&WindowMatch) -> Option<&str>| window.as_ref().and_then(part).map(str::to_owned);
        // Put in as whole seconds, of which there are not too many.
        let seconds = |time: Duration| Whole(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        Self {
            class: of_window(WindowMatch::class),
            title: of_window(WindowMatch::title),
            executable: executable.clone(),
            allow_unconfined: Some(*confinement == Confinement::NotRequired),
            taint: Some(*taint),
            clear: Some(Object(ClearParams {
                after_s: clearing.after.map(seconds),
                window_gone: Some(clearing.window_gone),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(line: &str) -> Result<(SecretName, Secret), String> {
        match read_line(line)? {
            SecretCall::Put(name, secret) => Ok((name, *secret)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_secret_is_read_with_its_rule_and_the_safe_defaults() {
        let (name, secret) =
            put(r#"{"name":"bank.pin","value":"pä\"\n1","rule":{"class":"Login"}}"#).expect("a secret");
        assert_eq!((name.as_str(), secret.text.expose()), ("bank.pin", "pä\"\n1"));
        let SecretRule { confinement, taint, clearing, .. } = secret.rule;
        assert_eq!((confinement, taint), (Confinement::Required, Taint::Refuse));
        assert_eq!(clearing, Clearing { after: None, window_gone: true });
        assert_eq!((secret.lifetime, secret.uses), (None, None));
        let timed = r#"{"name":"a","value":"b","rule":{"executable":"/bin/x","taint":"mask","clear":{"after_s":5}},"ttl_s":60,"uses":2}"#;
        let (_, secret) = put(timed).expect("a secret");
        assert_eq!(secret.rule.clearing, Clearing { after: Some(Duration::from_secs(5)), window_gone: false });
        assert_eq!((secret.lifetime, secret.uses), (Some(Duration::from_secs(60)), Some(2)));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        let long = "hunter2".repeat(limits::SECRET_CHARACTERS);
        for (line, said) in [
            (r#"{"name":"a","value":"hunter2","rule":{}}"#.to_owned(), "anywhere"),
            (r#"{"name":"a","value":"hunter2"}"#.to_owned(), "rule"),
            (r#"{"name":"a b","value":"hunter2","rule":{"class":"x"}}"#.to_owned(), "name"),
            (r#"{"name":"a","value":"hunter2","rule":{"class":"x"},"uses":0}"#.to_owned(), "uses"),
            (r#"{"name":"a","value":"hunter2","rule":{"class":"x"},"ttl_s":0}"#.to_owned(), "ttl_s"),
            (
                r#"{"name":"a","value":"hunter2","rule":{"class":"x","clear":{"window_gone":false}}}"#.to_owned(),
                "clears",
            ),
            (r#"{"name":"a","value":"hunter2","rule":{"executable":"x"}}"#.to_owned(), "path"),
            (r#"{"name":"a","value":["hunter2"],"rule":{"class":"x"}}"#.to_owned(), "quotes"),
            (r#"{"name":"a","value":{"hunter2":1},"rule":{"class":"x"}}"#.to_owned(), "quotes"),
            (r#"{"name":"a","value":"hunter2\u0000","rule":{"class":"x"}}"#.to_owned(), "U+0000"),
            (r#"{"name":"a","value":"hunter2😀","rule":{"class":"x"}}"#.to_owned(), "U+FFFF"),
            (format!(r#"{{"name":"a","value":"{long}","rule":{{"class":"x"}}}}"#), "characters in value"),
            (r#"{"name":"a","value":"hunter2"#.to_owned(), "no JSON"),
            (r#"{"name":"hunter2!","value":"a","rule":{"class":"x"}}"#.to_owned(), "name"),
            (r#"{"name":"a","value":"b","rule":{"class":"x"},"ttl_s":"hunter2"}"#.to_owned(), "of another type"),
            (r#"{"name":"a","value":"b","rule":{"class":"x","taint":"hunter2"}}"#.to_owned(), "of another type"),
            (r#"{"name":"a","value":"b","rule":{"class":"x","hunter2":1}}"#.to_owned(), "unknown"),
            (r#"{"name":"a","value":"b","rule":"hunter2"}"#.to_owned(), "of another type"),
            (r#"["hunter2"]"#.to_owned(), "no JSON object"),
        ] {
            let error = put(&line).expect_err(said);
            assert!(error.contains(said) && !error.contains("hunter2"), "{said} in {error}");
        }
        let number = put(r#"{"name":"a","value":4711,"rule":{"class":"x"}}"#).expect_err("a number");
        assert!(number.contains("value") && !number.contains("4711"), "{number}");
    }
}
