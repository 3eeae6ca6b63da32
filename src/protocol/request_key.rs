//! `_meta.request_key`: what makes a request run at most once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::limits;

/// A name that a client gives to one request, unique among its user's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct RequestKey(String);

impl TryFrom<String> for RequestKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let characters = text.chars().count();
        if (1..=limits::REQUEST_KEY_CHARACTERS).contains(&characters) {
            return Ok(Self(text));
        }
        Err(format!("request_key has {characters} characters; it may have 1..={}", limits::REQUEST_KEY_CHARACTERS))
    }
}

impl From<RequestKey> for String {
    fn from(key: RequestKey) -> Self {
        key.0
    }
}

/// What tells whether two requests are the same: method and parameters, whatever the order of their members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a method and its parameters, `_meta` left out: how a picture is sent may differ when a request is repeated.
    pub fn of(method: &str, params: &Map<String, Value>) -> Self {
        let mut hash = Sha256::new();
        hash.update(method);
        // No name of a method holds it, so that no two pairs can run together.
        hash.update([0]);
        for (name, value) in params.iter().filter(|(name, _)| *name != "_meta") {
            // serde_json's map is sorted without its feature `preserve_order`; compact JSON of it is canonical.
            hash.update(Value::from(name.as_str()).to_string());
            hash.update(value.to_string());
            hash.update([0]);
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(method: &str, params: Value) -> Fingerprint {
        Fingerprint::of(method, &serde_json::from_value(params).expect("an object"))
    }

    #[test]
    fn the_order_of_members_and_meta_do_not_count_and_everything_else_does() {
        let one = of("click", json!({"coordinate": [1, 2], "text": "shift"}));
        assert_eq!(one, of("click", json!({"text": "shift", "coordinate": [1, 2]})));
        assert_eq!(one, of("click", json!({"text": "shift", "coordinate": [1, 2], "_meta": {"request_key": "k"}})));
        for other in [
            of("left_click", json!({"coordinate": [1, 2], "text": "shift"})),
            of("click", json!({"coordinate": [2, 1], "text": "shift"})),
            of("click", json!({"coordinate": [1, 2]})),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_key_has_one_to_128_characters() {
        for (count, accepted) in [(0, false), (1, true), (128, true), (129, false)] {
            assert_eq!(RequestKey::try_from("é".repeat(count)).is_ok(), accepted, "{count}");
        }
    }
}
