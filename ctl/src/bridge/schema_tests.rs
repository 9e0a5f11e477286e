//! Holds the code to `docs/bridge.schema.json`, both ways: what it says goes in is taken and nothing else, what comes
//! out is as it says and nothing more.

use clap::ValueEnum as _;
use jsonschema::Validator;
use secchat_ipc::types::QuietChange;
use secchat_ipc::{Command, CommandError};
use serde_json::{Map, Value, json};

use super::lines::Line;
use super::method::{self, Call, METHODS};
use super::reply;
use super::request::{self, Refusal};
use super::samples::{events, replies};
use crate::cli::EventKind;
use crate::event_view;
use crate::exit_code::Exit;
use crate::failure::Failure;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/bridge.schema.json")).unwrap()
}

/// The part of this name, as a schema of its own; with `strict`, it allows no field that it does not name.
fn part(name: &str, strict: bool) -> Validator {
    let mut schema = schema();
    if strict {
        forbid_more(&mut schema["$defs"]);
    }
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn forbid_more(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), false.into());
            }
            object.values_mut().for_each(forbid_more);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_more),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_as_described(name: &str, value: &Value) {
    if let Err(error) = part(name, true).validate(value) {
        panic!("{name}: {error} in {value:#}");
    }
}

fn is_taken(method: &str, params: &Value) -> bool {
    let line = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let request = request::parse(&Line::Text(line.into_bytes())).unwrap().unwrap();
    method::parse(&request.method, request.params).is_ok()
}

/// Values that are likely to be of the wrong type or form somewhere.
fn wrong() -> [Value; 12] {
    [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(70_000),
        json!(5_000_000_000_u64),
        json!(1.5),
        json!(""),
        json!("No Name"),
        json!([]),
        json!({ "unknown": 1 }),
        json!({ "history_days": "x" }),
    ]
}

#[test]
fn every_method_takes_what_the_schema_says_and_nothing_else() {
    let schema = schema();
    for method in METHODS {
        let name = format!("{method}.params");
        let described = part(&name, false);
        let examples = schema["$defs"][&name]["examples"].as_array().unwrap_or_else(|| panic!("{name}"));
        for example in examples {
            let mut variants = vec![example.clone()];
            let mut more = example.clone();
            more["unknown"] = json!(1);
            variants.push(more);
            let properties = schema["$defs"][&name]["properties"].as_object().unwrap();
            for property in properties.keys() {
                let mut less = example.clone();
                less.as_object_mut().unwrap().remove(property);
                variants.push(less);
                for wrong in wrong() {
                    let mut other = example.clone();
                    other[property] = wrong;
                    variants.push(other);
                }
            }
            assert!(described.is_valid(example), "{method} {example}");
            for params in variants {
                assert_eq!(is_taken(method, &params), described.is_valid(&params), "{method} {params}");
            }
        }
    }
}

#[test]
fn the_schema_has_no_method_and_no_event_more() {
    let schema = schema();
    let of = |kind: &str| {
        let names = schema["$defs"].as_object().unwrap().keys();
        let names = names.filter_map(|name| name.strip_suffix(kind)).map(str::to_owned);
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    };
    let mut methods = METHODS.map(str::to_owned);
    methods.sort_unstable();
    assert_eq!(of(".params"), methods);
    assert_eq!(of(".result"), methods);
    let kinds = EventKind::value_variants().iter().map(|kind| kind.to_possible_value().unwrap());
    let mut kinds: Vec<String> = kinds.map(|kind| kind.get_name().to_owned()).collect();
    kinds.sort_unstable();
    assert_eq!(of(".event"), kinds);
    assert_eq!(schema["$defs"]["request"]["oneOf"].as_array().unwrap().len(), METHODS.len());
    assert_eq!(
        schema["$defs"]["event"]["properties"]["params"]["oneOf"].as_array().unwrap().len(),
        kinds.len()
    );
    assert_eq!(schema["$id"], format!("urn:secchat:bridge:{}", super::VERSION));
}

/// The method of a command; a new command does not compile until somebody decides.
fn name_of(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Status => "status",
        Command::Subscribe => "subscribe",
        // A passphrase does not travel as JSON.
        Command::Unlock { .. } => return None,
        Command::Lock | Command::LockKeepSession => "lock",
        Command::Login => "login",
        Command::Logout => "logout",
        Command::List => "list",
        Command::Rtt { .. } => "rtt",
        Command::Withdraw { .. } => "withdraw",
        Command::Requests => "requests",
        Command::Accept { .. } | Command::AcceptStanding { .. } => "accept",
        Command::Refuse { .. } => "refuse",
        Command::Later { .. } => "later",
        Command::Send { .. } => "send",
        Command::Read { .. } => "read",
        Command::Close { .. } => "close",
        Command::SetReachability { .. } => "set_reachability",
        Command::SetPolicy { .. } => "set_policy",
        Command::SetBlocked { .. } => "set_blocked",
        Command::Peers => "peers",
        Command::AddPeer { .. } => "add_peer",
        Command::SafetyNumber { .. } => "safety_number",
        Command::ConfirmSafetyNumber { .. } => "confirm_safety_number",
        Command::Forget { .. } => "forget",
        Command::Chats => "chats",
        Command::MarkRead { .. } => "mark_read",
        Command::Consents => "consents",
        Command::DoNotDisturb => "do_not_disturb",
        Command::SetDoNotDisturb(QuietChange::On { .. } | QuietChange::Off) => "set_do_not_disturb",
        Command::SetDoNotDisturb(_) => "set_quiet_hours",
        Command::Revoke { .. } => "revoke",
        Command::Queue { .. } => "queue",
        Command::Outbox => "outbox",
        Command::CancelQueued { .. } => "cancel_queued",
        Command::Consume { .. } => "consume",
        Command::ForgetConsumer { .. } => "forget_consumer",
        Command::Consumers => "consumers",
        Command::History(_) => "history",
        Command::HistoryKept => "history_kept",
        Command::SetHistory { .. } => "set_history",
        Command::EraseHistory { .. } => "erase_history",
    })
}

#[test]
fn a_method_is_the_command_of_its_name() {
    let schema = schema();
    for method in METHODS {
        for example in schema["$defs"][format!("{method}.params")]["examples"].as_array().unwrap() {
            let params = example.as_object().unwrap().clone();
            match method::parse(method, params).unwrap() {
                Call::Version => assert_eq!(method, "version"),
                Call::Command(command) => assert_eq!(name_of(&command), Some(method)),
            }
        }
    }
    assert!(method::parse("unlock", Map::new()).is_err());
}

#[test]
fn results_are_as_the_schema_says() {
    for (method, reply) in replies() {
        is_as_described(&format!("{method}.result"), &reply::object(&reply));
    }
}

#[test]
fn events_are_as_the_schema_says() {
    let mut seen = Vec::new();
    for event in events() {
        let params = event_view::object(7, &event);
        let kind = event_view::kind(&event);
        let name = kind.to_possible_value().unwrap().get_name().to_owned();
        is_as_described(&format!("{name}.event"), &params);
        is_as_described("event", &json!({ "jsonrpc": "2.0", "method": "event", "params": params }));
        seen.push(kind);
    }
    assert!(EventKind::value_variants().iter().all(|kind| seen.contains(kind)), "{seen:?}");
}

#[test]
fn errors_are_as_the_schema_says() {
    let described = |refusal: Refusal| {
        is_as_described("error", &json!({ "jsonrpc": "2.0", "id": null, "error": refusal.object() }));
    };
    for line in ["{", "[]", "{}"] {
        described(request::parse(&Line::Text(line.into())).unwrap_err().1);
    }
    described(Refusal::method("x"));
    described(Refusal::params("x"));
    for exit in Exit::ALL.into_iter().filter(|exit| !matches!(exit, Exit::Done | Exit::Interrupted)) {
        described(Refusal::of(&Failure { exit, code: "code", message: "message".to_owned() }));
    }
    let object = Refusal::of(&Failure::from(CommandError::Locked)).object();
    assert_eq!((&object["code"], &object["data"]["code"]), (&json!(-32_004), &json!("locked")));
}
