//! At most once, on the wire: what is recorded of an answer, and how a recorded one is given again.

use serde_json::Value;

use super::outcome::Reply;
use crate::{
    protocol::{
        answer::RequestStatus,
        answer_text,
        error::{ErrorKind, Failure},
        request::RequestId,
    },
    session::{journal::Recorded, registry::RequestState},
};

/// What is recorded of an answer.
pub fn record(answered: &Result<Reply, Failure>) -> Recorded {
    match answered {
        Ok(reply) => Recorded::Done(result(&reply.text.without_pictures())),
        Err(failure) => Recorded::Failed(failure.clone()),
    }
}

/// The result of an answer without its pictures, which are old when it is asked for again.
fn result(answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let result = answer.get_mut("result").map(Value::take).unwrap_or_default();
    without_images(result).to_string()
}

fn without_images(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.remove("image");
            members.values_mut().for_each(|member| *member = without_images(member.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = without_images(value.take())),
        _ => {}
    }
    value
}

/// A recorded outcome as the answer of another request.
pub fn answer(id: &RequestId, recorded: Recorded) -> Reply {
    match recorded {
        Recorded::Done(result) => {
            let mut result: Value = serde_json::from_str(&result).unwrap_or_default();
            if let Value::Object(members) = &mut result {
                members.insert("replayed".to_owned(), true.into());
            }
            Reply::text(answer_text::result(id, &result))
        }
        Recorded::Failed(failure) => Reply::failure(id, &failure.with(|detail| detail.replayed = Some(true))),
        Recorded::Running => {
            let message = "the request with this request_key is still running";
            Reply::failure(id, &Failure::new(ErrorKind::Conflict, message))
        }
    }
}

/// What `status` says of a request.
pub fn status(state: RequestState) -> RequestStatus {
    match state {
        RequestState::Known(Recorded::Running) => RequestStatus::Running,
        RequestState::Known(Recorded::Done(result)) => {
            RequestStatus::Done { result: serde_json::from_str(&result).ok(), error: None }
        }
        RequestState::Known(Recorded::Failed(failure)) => {
            RequestStatus::Done { result: None, error: Some(answer_text::error_value(&failure)) }
        }
        RequestState::NotStarted => RequestStatus::NotStarted,
        RequestState::Unknown => RequestStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_given_again_without_its_pictures_and_says_so() {
        let answered = r#"{"jsonrpc":"2.0","id":1,"result":{"image":{"data":""},"frame":"1-2","results":[{"result":{"image":{"data":""},"cursor":[1,2]}}]}}"#;
        let recorded = record(&Ok(Reply::text(answered.to_owned())));
        let given = answer(&RequestId::Number(2), recorded).text.into_string();
        let given: Value = serde_json::from_str(&given).expect("JSON");
        let result = json!({"frame": "1-2", "results": [{"result": {"cursor": [1, 2]}}], "replayed": true});
        assert_eq!(given, json!({"jsonrpc": "2.0", "id": 2, "result": result}));
    }

    #[test]
    fn a_failure_is_given_again_as_it_was() {
        let failure = Failure::new(ErrorKind::FocusLost, "lost").with(|detail| detail.typed = Some(3));
        let recorded = record(&Err(failure));
        let given = answer(&RequestId::Number(2), recorded).text.into_string();
        let given: Value = serde_json::from_str(&given).expect("JSON");
        assert_eq!(
            given["error"]["data"],
            json!({"kind": "focus_lost", "executed": "no", "typed": 3, "replayed": true})
        );
    }
}
