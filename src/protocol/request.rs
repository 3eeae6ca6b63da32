//! The envelope of a request: JSON-RPC 2.0, one object a message.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    error::{ErrorKind, Failure},
    json, limits,
};

/// The id of a request: the answer carries the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// A whole number.
    Number(i64),
    /// A whole number above the range of [`RequestId::Number`].
    Large(u64),
    /// At most [`limits::ID_CHARACTERS`] characters.
    Text(String),
}

impl RequestId {
    /// Reads an id; `None` when the value cannot be one.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Number).or_else(|| number.as_u64().map(Self::Large)),
            Value::String(text) if text.chars().count() <= limits::ID_CHARACTERS => Some(Self::Text(text.clone())),
            _ => None,
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Large(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A request whose envelope is right. Method and parameters are still text.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Comes back with the answer.
    pub id: RequestId,
    /// The name of the method.
    pub method: String,
    /// The parameters; empty when absent.
    pub params: Map<String, Value>,
}

/// A message that cannot be executed, with the id to answer under where one could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// `null` on the wire when absent.
    pub id: Option<RequestId>,
    /// Why.
    pub failure: Failure,
}

/// Reads the envelope of a message.
///
/// # Errors
/// `invalid_json`, `invalid_request` when the envelope is wrong, `invalid_params` when `params` is not an object.
pub fn read(text: &str) -> Result<Request, Rejected> {
    let value = json::parse(text).map_err(|failure| Rejected { id: None, failure })?;
    let Value::Object(mut object) = value else {
        return Err(Rejected {
            id: None,
            failure: invalid("a message is one JSON object, not an array or a plain value"),
        });
    };
    let id = object.get("id").and_then(RequestId::read);
    let reject = |failure| Rejected { id: id.clone(), failure };
    if let Some(name) = object.keys().find(|key| !["jsonrpc", "id", "method", "params"].contains(&key.as_str())) {
        let name = json::clipped(name);
        return Err(reject(invalid(format!("unknown member `{name}`; a request has jsonrpc, id, method and params"))));
    }
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(reject(invalid("`jsonrpc` must be \"2.0\"")));
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return Err(reject(invalid("`method` must be a string")));
    };
    let Some(id) = id else {
        return Err(Rejected {
            id: None,
            failure: invalid(format!(
                "`id` must be an integer or a string of at most {} characters; nothing is executed without one",
                limits::ID_CHARACTERS
            )),
        });
    };
    match object.remove("params") {
        None | Some(Value::Null) => Ok(Request { id, method, params: Map::new() }),
        Some(Value::Object(params)) => Ok(Request { id, method, params }),
        Some(_) => Err(Rejected {
            id: Some(id),
            failure: Failure::new(ErrorKind::InvalidParams, "`params` must be a JSON object with named parameters"),
        }),
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_integers_and_short_strings() {
        let id =
            |text: &str| read(&format!(r#"{{"jsonrpc":"2.0","id":{text},"method":"ping"}}"#)).map(|request| request.id);
        assert_eq!(id("7"), Ok(RequestId::Number(7)));
        assert_eq!(id("-7"), Ok(RequestId::Number(-7)));
        assert_eq!(id("18446744073709551615"), Ok(RequestId::Large(u64::MAX)));
        assert_eq!(id(&format!("\"{}\"", "é".repeat(128))), Ok(RequestId::Text("é".repeat(128))));
        for wrong in ["1.5", "1.0", "null", "{}", "[]", "true", "1e30", &format!("\"{}\"", "é".repeat(129))] {
            let rejected = id(wrong).expect_err(wrong);
            assert_eq!((rejected.id, rejected.failure.kind), (None, ErrorKind::InvalidRequest), "{wrong}");
        }
    }

    #[test]
    fn errors_after_a_valid_id_carry_it() {
        for (text, kind) in [
            (r#"{"jsonrpc":"1.0","id":4,"method":"ping"}"#, ErrorKind::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":4,"method":"ping","extra":1}"#, ErrorKind::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":4}"#, ErrorKind::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":4,"method":"ping","params":[1]}"#, ErrorKind::InvalidParams),
            (r#"{"jsonrpc":"2.0","id":4,"method":"ping","params":"x"}"#, ErrorKind::InvalidParams),
        ] {
            let rejected = read(text).expect_err(text);
            assert_eq!((rejected.id, rejected.failure.kind), (Some(RequestId::Number(4)), kind), "{text}");
        }
    }
}
