//! The same contract for programs: an AsyncAPI 3.0 document, made from the table and the
//! types that are sent.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::ack::Ack;
use super::docs;
use super::docs::ENVELOPE;
use super::envelope::REQUEST_ID_BYTES_MAX;
use super::params::Kind;
use super::spec::Spec;
use super::status::Status;
use super::table::COMMANDS;

/// `version`: of the firmware.
#[must_use]
pub fn document(version: &str, command_topic: &str, status_topic: &str) -> Value {
    let mut types = generator();
    let ack = types.subschema_for::<Ack>();
    let status = types.subschema_for::<Status>();
    let commands: Map<String, Value> = COMMANDS.iter().copied().map(message).collect();
    let mut messages = commands.clone();
    messages.insert("ack".into(), json!({ "summary": "Answer to a command.", "payload": ack }));
    // `status` is a command.
    messages.insert("state".into(), status_message(&status));
    json!({
        "asyncapi": "3.0.0",
        "info": { "title": "vigia control plane", "version": version },
        "defaultContentType": "application/json",
        "channels": {
            "commands": {
                "address": command_topic,
                "messages": references(commands.keys()),
            },
            "ack": {
                "address": format!("{status_topic}/{{instance_id}}/ack"),
                "parameters": { "instance_id": {} },
                "messages": references([&String::from("ack")]),
            },
            "status": {
                "address": format!("{status_topic}/{{instance_id}}"),
                "parameters": { "instance_id": {} },
                "messages": references([&String::from("state")]),
            },
        },
        "operations": {
            "obey": {
                "action": "receive",
                "channel": { "$ref": "#/channels/commands" },
                "reply": { "channel": { "$ref": "#/channels/ack" } },
            },
            "answer": { "action": "send", "channel": { "$ref": "#/channels/ack" } },
            "tell": { "action": "send", "channel": { "$ref": "#/channels/status" } },
        },
        "components": { "messages": messages, "schemas": types.take_definitions(false) },
    })
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft07().for_serialize();
    settings.with(|s| s.definitions_path = "/components/schemas".into()).into_generator()
}

fn references<'n>(names: impl IntoIterator<Item = &'n String>) -> Value {
    let one = |name: &String| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
    Value::Object(names.into_iter().map(one).collect())
}

fn message(spec: &Spec) -> (String, Value) {
    let message = json!({
        "summary": spec.summary,
        "payload": payload(spec),
        "examples": [{ "payload": docs::example(spec) }],
    });
    (spec.name.into(), message)
}

fn payload(spec: &Spec) -> Value {
    let required: Vec<&str> = spec.params.iter().filter(|p| p.default.is_none()).map(|p| p.name).collect();
    let properties: Map<String, Value> = spec
        .params
        .iter()
        .map(|param| (param.name.into(), described(param.kind.schema(), param.meaning)))
        .collect();
    let mut params = json!({ "type": "object", "properties": properties });
    if let Some(params) = params.as_object_mut().filter(|_| !spec.params.is_empty()) {
        params.insert("additionalProperties".into(), Value::Bool(false));
        params.insert("required".into(), json!(required));
    }
    let needed: &[&str] = if required.is_empty() { &["command"] } else { &["command", "params"] };
    let mut fields: Map<String, Value> = ENVELOPE
        .iter()
        .map(|(name, _, meaning)| ((*name).into(), described(envelope_field(name), meaning)))
        .collect();
    fields.insert("command".into(), json!({ "const": spec.name }));
    fields.insert("params".into(), params);
    json!({ "type": "object", "properties": fields, "required": needed })
}

fn envelope_field(name: &str) -> Value {
    match name {
        "target_instances" => json!({ "type": "array", "items": { "type": "string" } }),
        "request_id" => json!({ "type": "string", "minLength": 1, "maxLength": REQUEST_ID_BYTES_MAX }),
        "issued_at" | "expires_at" => Kind::Time.schema(),
        _ => json!({}),
    }
}

fn described(mut schema: Value, meaning: &str) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".into(), meaning.into());
    }
    schema
}

fn status_message(status: &schemars::Schema) -> Value {
    let payload = json!({
        "type": "object",
        "properties": {
            "instance_id": { "type": "string" },
            "status": status,
            "timestamp": { "type": "string", "format": "date-time" },
            "client_id": { "type": "string" },
        },
        "required": ["instance_id", "status", "timestamp", "client_id"],
    });
    json!({ "summary": "State of the instance, retained.", "payload": payload })
}
