//! Lines as JSON-RPC requests, and why they are none: the codes of the specification, and one for each exit code.

use serde_json::{Map, Value, json};

use super::lines::{Line, MAX_LINE_BYTES};
use crate::failure::Failure;

/// A call.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// What the answer carries; none for a notification, which gets no answer.
    pub(crate) id: Option<Id>,
    pub(crate) method: String,
    /// By name; empty where there are none.
    pub(crate) params: Map<String, Value>,
}

/// The caller's name for a call: a string, an integer or null.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Id(Value);

/// Why a call is not answered with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: i64,
    message: String,
    /// `secchatctl`'s own word and exit code, for what the daemon says.
    failure: Option<(&'static str, u8)>,
}

impl Id {
    fn of(value: &Value) -> Option<Self> {
        let fits = match value {
            Value::Null => true,
            Value::String(text) => text.len() <= MAX_ID_BYTES,
            Value::Number(number) => number.is_i64() || number.is_u64(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        fits.then(|| Self(value.clone()))
    }

    /// As the caller gave it.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }
}

impl Refusal {
    /// The parameters do not fit the method.
    pub(crate) fn params(why: impl std::fmt::Display) -> Self {
        Self { code: INVALID_PARAMS, message: format!("Invalid params: {why}"), failure: None }
    }

    /// There is no such method.
    pub(crate) fn method(name: &str) -> Self {
        Self { code: METHOD_NOT_FOUND, message: format!("Method not found: {name:?}"), failure: None }
    }

    /// What `secchatctl` would exit with.
    pub(crate) fn of(failure: &Failure) -> Self {
        let exit = failure.exit.code();
        let code = DAEMON_ERRORS.saturating_sub(i64::from(exit));
        Self { code, message: failure.message.clone(), failure: Some((failure.code, exit)) }
    }

    /// The error as the specification wants it.
    pub(crate) fn object(&self) -> Value {
        let mut object = json!({ "code": self.code, "message": self.message });
        if let (Some((code, exit)), Some(object)) = (self.failure, object.as_object_mut()) {
            object.insert("data".to_owned(), json!({ "code": code, "exit": exit }));
        }
        object
    }

    fn line(why: impl std::fmt::Display) -> Self {
        Self { code: PARSE_ERROR, message: format!("Parse error: {why}"), failure: None }
    }

    fn request(why: &str) -> Self {
        Self { code: INVALID_REQUEST, message: format!("Invalid Request: {why}"), failure: None }
    }
}

/// The call in a line; none in a blank one. What cannot be read is answered under the id null.
pub(crate) fn parse(line: &Line) -> Result<Option<Request>, (Id, Refusal)> {
    let nobody = || Id(Value::Null);
    let Line::Text(bytes) = line else {
        let why = format!("a line has more than {MAX_LINE_BYTES} bytes");
        return Err((nobody(), Refusal::line(why)));
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| (nobody(), Refusal::line(error)))?;
    let Value::Object(mut object) = value else {
        return Err((nobody(), Refusal::request("a line holds one object, and no batch")));
    };
    let id = match object.remove("id") {
        None => None,
        Some(id) => match Id::of(&id) {
            Some(id) => Some(id),
            None => return Err((nobody(), Refusal::request("an id is a string, an integer or null"))),
        },
    };
    let invalid = |why| Err((id.clone().unwrap_or_else(nobody), Refusal::request(why)));
    if object.remove("jsonrpc") != Some(Value::from("2.0")) {
        return invalid("jsonrpc must be \"2.0\"");
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return invalid("method must be a string");
    };
    let params = match object.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return invalid("params are given by name, in an object"),
    };
    if let Some(name) = object.keys().next() {
        let why = format!("{name:?} is not known");
        return invalid(&why);
    }
    Ok(Some(Request { id, method, params }))
}

const PARSE_ERROR: i64 = -32_700;
const INVALID_REQUEST: i64 = -32_600;
const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;

/// Minus the exit code: the daemon's errors are -32001 to -32010.
const DAEMON_ERRORS: i64 = -32_000;

/// Bytes of an id at most: it is kept until the answer.
const MAX_ID_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Request>, (Id, Refusal)> {
        parse(&Line::Text(line.as_bytes().to_owned()))
    }

    fn refused(line: &str) -> (Value, i64) {
        let (id, refusal) = parsed(line).unwrap_err();
        (id.0, refusal.code)
    }

    #[test]
    fn what_is_no_request_gets_the_code_that_it_should() {
        for (line, id, code) in [
            ("{", Value::Null, PARSE_ERROR),
            ("{\"a\":1}{}", Value::Null, PARSE_ERROR),
            ("nonsense", Value::Null, PARSE_ERROR),
            ("[]", Value::Null, INVALID_REQUEST),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"status"}]"#, Value::Null, INVALID_REQUEST),
            ("1", Value::Null, INVALID_REQUEST),
            ("{}", Value::Null, INVALID_REQUEST),
            (r#"{"id":7,"method":"status"}"#, 7.into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"1.0","id":"x","method":"status"}"#, "x".into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":7,"method":1}"#, 7.into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":7}"#, 7.into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":7,"method":"send","params":["bob","hi"]}"#, 7.into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":7,"method":"send","params":null}"#, 7.into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":7,"method":"status","parms":{}}"#, 7.into(), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"status"}"#, Value::Null, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":{},"method":"status"}"#, Value::Null, INVALID_REQUEST),
        ] {
            assert_eq!(refused(line), (id, code), "{line}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(refused(&deep), (Value::Null, PARSE_ERROR));
        let id = "x".repeat(MAX_ID_BYTES + 1);
        let line = format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"status"}}"#);
        assert_eq!(refused(&line), (Value::Null, INVALID_REQUEST));
        assert_eq!(parse(&Line::Text(b"\"\xff\"".to_vec())).unwrap_err().1.code, PARSE_ERROR);
        assert_eq!(parse(&Line::TooLong).unwrap_err().1.code, PARSE_ERROR);
    }

    #[test]
    fn ids_come_back_as_they_were() {
        for id in ["7", "-1", "18446744073709551615", r#""x""#, "null"] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"status"}}"#);
            let request = parsed(&line).unwrap().unwrap();
            assert_eq!(request.id.unwrap().value().to_string(), id);
        }
        let notification = parsed(r#"{"jsonrpc":"2.0","method":"status"}"#).unwrap().unwrap();
        assert_eq!(notification.id, None);
        assert_eq!(parsed(" \r").unwrap(), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_parser(bytes: Vec<u8>) {
            let _ = parse(&Line::Text(bytes));
        }
    }
}
