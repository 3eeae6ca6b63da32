//! The contract as JSON Schema, generated from the types: `deskhand schema`.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    answer::{ActionResult, DisplayInfoResult, ImageResult, InitializeResult, StatusResult},
    audit::AuditPlace,
    control::{ControlResult, LeaseResult},
    error::{ErrorDetail, ErrorKind, Executed},
    initialize::PROTOCOL,
    limits,
    meta::MetaParams,
    method::{Kind, METHODS},
    secret_params::{SecretListResult, SecretsResult},
    subscription::{EventParams, SubscribeResult},
    task::{TaskBeginResult, TaskEndResult},
    usage::{UsageCheckResult, UsageResult},
    wait_for::WaitForResult,
    window::WindowsResult,
};

/// Every named limit with its value, for `initialize` and the schema.
pub fn limits() -> Map<String, Value> {
    let milliseconds = |duration: std::time::Duration| Value::from(duration.as_secs() * 1000);
    let rows = [
        ("message_bytes", limits::MESSAGE_BYTES.into()),
        ("json_depth", limits::JSON_DEPTH.into()),
        ("id_characters", limits::ID_CHARACTERS.into()),
        ("text_characters", limits::TEXT_CHARACTERS.into()),
        ("secret_characters", limits::SECRET_CHARACTERS.into()),
        ("secrets", limits::SECRETS_MAX.into()),
        ("chord_keys", limits::CHORD_KEYS.into()),
        ("drag_points", limits::DRAG_POINTS_MAX.into()),
        ("scroll_notches", limits::SCROLL_NOTCHES_MAX.into()),
        ("key_repeat", limits::KEY_REPEAT_MAX.into()),
        ("duration_seconds", limits::DURATION_SECONDS_MAX.into()),
        ("quality", limits::QUALITY_MAX.into()),
        ("click_count", limits::CLICK_COUNT_MAX.into()),
        ("batch_actions", limits::BATCH_ACTIONS.into()),
        ("request_key_characters", limits::REQUEST_KEY_CHARACTERS.into()),
        ("record_characters", limits::RECORD_CHARACTERS.into()),
        ("task_turns", limits::TASK_TURNS.into()),
        ("task_ms", milliseconds(limits::TASK_TIME)),
        ("requests_in_flight", limits::REQUESTS_IN_FLIGHT.into()),
        ("deadline_ms", limits::DEADLINE_MS_MAX.into()),
        ("pace_ms", limits::PACE_MS_MAX.into()),
        ("wait_for_ms", limits::WAIT_FOR_MS_MAX.into()),
        ("handshake_ms", milliseconds(limits::HANDSHAKE_TIME)),
        ("header_bytes", limits::HEADER_BYTES.into()),
        ("header_lines", limits::HEADER_LINES.into()),
        ("message_ms", milliseconds(limits::MESSAGE_TIME)),
        ("ping_ms", milliseconds(limits::PING_INTERVAL)),
        ("dead_ms", milliseconds(limits::PEER_DEAD_AFTER)),
        ("outbound_bytes", limits::OUTBOUND_BYTES.into()),
        ("outbound_reply_bytes", limits::OUTBOUND_REPLY_BYTES.into()),
        ("subscriptions", limits::SUBSCRIPTIONS.into()),
        ("frames_unacknowledged", limits::FRAMES_UNACKNOWLEDGED.into()),
        ("connections", limits::CONNECTIONS_AUTHENTICATED.into()),
        ("connections_unauthenticated", limits::CONNECTIONS_UNAUTHENTICATED.into()),
    ];
    rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The whole contract as one JSON Schema document: parameters by method, results, `_meta`, errors, limits.
pub fn document() -> Value {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let methods: Map<String, Value> = METHODS
        .iter()
        .map(|method| {
            let params = (method.schema)(&mut generator).to_value();
            let supported = !matches!(method.kind, Kind::Later);
            let result = match (method.name, &method.kind) {
                ("initialize", _) => generator.subschema_for::<InitializeResult>().to_value(),
                ("lease.acquire" | "lease.release", _) => generator.subschema_for::<LeaseResult>().to_value(),
                ("session.pause" | "session.resume" | "session.halt", _) => {
                    generator.subschema_for::<ControlResult>().to_value()
                }
                ("task.begin", _) => generator.subschema_for::<TaskBeginResult>().to_value(),
                ("task.end", _) => generator.subschema_for::<TaskEndResult>().to_value(),
                ("usage.check", _) => generator.subschema_for::<UsageCheckResult>().to_value(),
                ("usage.report" | "usage.get", _) => generator.subschema_for::<UsageResult>().to_value(),
                ("secret.put" | "secret.forget", _) => generator.subschema_for::<SecretsResult>().to_value(),
                ("secret.list", _) => generator.subschema_for::<SecretListResult>().to_value(),
                ("status", _) => generator.subschema_for::<StatusResult>().to_value(),
                ("subscribe", _) => generator.subschema_for::<SubscribeResult>().to_value(),
                ("display.info", _) => generator.subschema_for::<DisplayInfoResult>().to_value(),
                ("windows.list", _) => generator.subschema_for::<WindowsResult>().to_value(),
                ("wait_for", _) => generator.subschema_for::<WaitForResult>().to_value(),
                (_, Kind::Action(_)) | ("computer", _) => generator.subschema_for::<ActionResult>().to_value(),
                _ => json!({ "type": "object" }),
            };
            (method.name.to_owned(), json!({ "supported": supported, "params": params, "result": result }))
        })
        .collect();
    let mut parts = Map::new();
    parts.insert("meta".to_owned(), generator.subschema_for::<MetaParams>().to_value());
    parts.insert("image".to_owned(), generator.subschema_for::<ImageResult>().to_value());
    // Where a server keeps an audit, every result of a tool call has it as its member `audit`.
    parts.insert("audit".to_owned(), generator.subschema_for::<AuditPlace>().to_value());
    parts.insert("event".to_owned(), generator.subschema_for::<EventParams>().to_value());
    parts.insert("error_kind".to_owned(), generator.subschema_for::<ErrorKind>().to_value());
    parts.insert("executed".to_owned(), generator.subschema_for::<Executed>().to_value());
    parts.insert("error_detail".to_owned(), generator.subschema_for::<ErrorDetail>().to_value());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": PROTOCOL,
        "description": "method = tool name, params = the model's tool input; `_meta` inside params carries what is Deskhand's own",
        "methods": methods,
        "parts": parts,
        "limits": limits(),
        "$defs": generator.take_definitions(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        fn walk(value: &Value, root: &Value, seen: &mut usize) {
            match value {
                Value::Object(object) => {
                    if let Some(Value::String(reference)) = object.get("$ref") {
                        let pointer = reference.strip_prefix('#').expect("local");
                        assert!(root.pointer(pointer).is_some(), "{reference} leads nowhere");
                        *seen += 1;
                    }
                    object.values().for_each(|value| walk(value, root, seen));
                }
                Value::Array(list) => list.iter().for_each(|value| walk(value, root, seen)),
                _ => {}
            }
        }

        let document = document();
        let mut seen = 0;
        walk(&document, &document, &mut seen);
        assert!(seen > METHODS.len() / 2, "most methods refer to a definition");
        assert_eq!(document["methods"].as_object().map(Map::len), Some(METHODS.len()));
    }
}
