//! The parameters of the methods around the actions: batches, the older tools, questions about requests.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{request_key::RequestKey, wire::Object};

/// The parameters of `cancel`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The id of a request of this connection.
    #[schemars(with = "RequestIdShape")]
    pub id: Value,
}

/// The shape of an id in the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the shape of RequestId in the schema")]
enum RequestIdShape {
    Number(i64),
    Text(String),
}

/// The parameters of `status`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusParams {
    /// The key of a request to look up.
    pub request_key: Option<RequestKey>,
}

/// The parameters of `batch`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchParams {
    /// 1 to 100 actions, in order.
    pub actions: Vec<Object<BatchEntry>>,
}

/// One action of a batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchEntry {
    /// The method.
    pub name: String,
    /// Its parameters, without `_meta`.
    #[serde(default)]
    pub input: Map<String, Value>,
}

/// The parameters of `computer`: `action`, and what that member of the toolset takes.
#[derive(Debug, JsonSchema)]
#[allow(dead_code, reason = "describes the shape in the schema; the fields are read as those of the named action")]
pub struct ComputerParams {
    /// The name of a toolset member.
    action: String,
    /// The parameters of that member, beside `action`.
    #[schemars(flatten)]
    fields: Map<String, Value>,
}
