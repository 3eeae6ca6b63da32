//! `deskhand call`: one request, its result as readable JSON, its picture in a file.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cli::client::{CallError, ServerArguments, block_on},
    transport::endpoint::Endpoint,
};

/// The id of the one request.
const ID: u64 = 1;

/// The arguments of `deskhand call`.
#[derive(Args, Clone, Debug)]
pub struct CallArguments {
    /// Name of the method, such as `screenshot` or `left_click`
    pub method: String,
    /// Params as a JSON object, or `-` to read them from standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    pub params: String,
    /// Where the server is
    #[command(flatten)]
    pub server: ServerArguments,
    /// File that holds the token
    #[arg(long, value_name = "FILE", env = "DESKHAND_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Write the picture of the result to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Makes the request, prints the result to standard output, and saves the picture where asked.
pub fn run(arguments: &CallArguments) -> Result<(), CallError> {
    let endpoint = arguments.server.endpoint()?;
    let params = params(&arguments.params)?;
    let token = arguments.token_file.as_deref().map(read_token).transpose()?;
    let answer = block_on(ask(&endpoint, token.as_deref(), &arguments.method, &params))??;
    let mut result = answer.into_result()?;
    let picture = elide_pictures(&mut result, arguments.output.as_deref());
    if let Some(path) = &arguments.output {
        let picture = picture.ok_or_else(|| {
            CallError::Usage(format!(
                "the result of {} has no picture to write to {}",
                arguments.method,
                path.display()
            ))
        })?;
        std::fs::write(path, picture)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display())))?;
    }
    let mut output = io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, &result).map_err(io::Error::from)?;
    output.write_all(b"\n")?;
    Ok(())
}

/// An answer as far as this verb looks into it.
#[derive(Deserialize)]
struct Answer {
    id: Option<Value>,
    result: Option<Value>,
    error: Option<AnsweredError>,
}

#[derive(Deserialize)]
struct AnsweredError {
    message: String,
    data: Option<ErrorData>,
}

#[derive(Deserialize)]
struct ErrorData {
    kind: Option<String>,
    names: Option<Vec<String>>,
    hint: Option<String>,
}

impl Answer {
    fn into_result(self) -> Result<Value, CallError> {
        let Some(error) = self.error else { return Ok(self.result.unwrap_or(Value::Null)) };
        let data = error.data.unwrap_or(ErrorData { kind: None, names: None, hint: None });
        let mut text = match data.kind {
            Some(kind) => format!("{kind}: {}", error.message),
            None => error.message,
        };
        if let Some(names) = data.names.filter(|names| !names.is_empty()) {
            text.extend(["\nnames: ", &names.join(", ")]);
        }
        if let Some(hint) = data.hint {
            text.extend(["\nhint: ", &hint]);
        }
        Err(CallError::Answered(text))
    }
}

async fn ask(endpoint: &Endpoint, token: Option<&str>, method: &str, params: &Value) -> Result<Answer, CallError> {
    let request = json!({"jsonrpc": "2.0", "id": ID, "method": method, "params": params});
    let read = |text: &str| serde_json::from_str::<Answer>(text);
    // Events have no id; an answer to what could not be read has a null one, and an error.
    let is_answer =
        |text: &str| read(text).map_or(true, |answer| answer.id == Some(ID.into()) || answer.error.is_some());
    let text = endpoint.exchange(token, request.to_string(), is_answer).await?;
    read(&text).map_err(|error| CallError::NoAnswer(format!("the answer is not JSON-RPC: {error}")))
}

fn params(argument: &str) -> Result<Value, CallError> {
    let mut text = argument.to_owned();
    if argument == "-" {
        text.clear();
        io::stdin().lock().read_to_string(&mut text)?;
    }
    match serde_json::from_str(&text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => {
            Err(CallError::Usage("the params must be a JSON object such as '{\"coordinate\":[10,20]}'".to_owned()))
        }
        Err(error) => Err(CallError::Usage(format!("the params are not JSON: {error}"))),
    }
}

fn read_token(path: &Path) -> Result<String, CallError> {
    match std::fs::read_to_string(path) {
        Ok(token) => Ok(token.trim().to_owned()),
        Err(error) => Err(CallError::Usage(format!("cannot read the token file {}: {error}", path.display()))),
    }
}

/// Replaces the data of every picture by its size, or by where it went, and returns the last one: in a batch, the
/// picture of how it ended.
fn elide_pictures(value: &mut Value, output: Option<&Path>) -> Option<Vec<u8>> {
    let mut last = None;
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => {
            let picture = fields.get("mime").and_then(Value::as_str).is_some_and(|mime| mime.starts_with("image/"));
            if picture
                && let Some(data) = fields.get_mut("data")
                && let Some(decoded) = data.as_str().and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok())
            {
                let told = match output {
                    Some(path) => format!("{} bytes, in {}", decoded.len(), path.display()),
                    None => format!("{} bytes; -o FILE saves them", decoded.len()),
                };
                *data = Value::String(told);
                last = Some(decoded);
            }
            fields.values_mut().collect()
        }
        _ => Vec::new(),
    };
    for child in children {
        last = elide_pictures(child, output).or(last);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{Exit, Fatal};

    #[test]
    fn pictures_give_way_to_their_size_and_the_last_one_is_kept() {
        let image = |data: &str| json!({"mime": "image/png", "width": 1, "data": data});
        let mut result = json!({"results": [{"result": {"image": image("Zmlyc3Q=")}}, {"result": {"image": image("bGFzdCBvbmU=")}}], "frame": "1-2"});
        assert_eq!(elide_pictures(&mut result, None), Some(b"last one".to_vec()));
        assert_eq!(result["results"][0]["result"]["image"]["data"], "5 bytes; -o FILE saves them");
        assert_eq!(result["frame"], "1-2");
    }

    #[test]
    fn text_of_a_clipboard_is_not_a_picture() {
        let mut result = json!({"mime": "application/octet-stream", "data": "Zmlyc3Q="});
        let before = result.clone();
        assert_eq!(elide_pictures(&mut result, None), None);
        assert_eq!(result, before);
    }

    #[test]
    fn an_error_reads_kind_message_names_and_hint() {
        let answer: Answer = serde_json::from_value(json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601,
            "message": "no method is called `clik`", "data": {"kind": "unknown_method", "executed": "no",
            "names": ["click"], "hint": "deskhand schema lists them"}}}))
        .unwrap();
        let error = answer.into_result().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown_method: no method is called `clik`\nnames: click\nhint: deskhand schema lists them"
        );
        assert_eq!(Fatal::from(error).exit, Exit::Failed);
    }

    #[test]
    fn params_are_an_object_or_nothing_is_sent() {
        assert_eq!(params(r#"{"a":1}"#).unwrap(), json!({"a": 1}));
        for wrong in ["[]", "1", "", "{", "null"] {
            assert_eq!(Fatal::from(params(wrong).unwrap_err()).exit, Exit::Usage, "{wrong}");
        }
    }
}
