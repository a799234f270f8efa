//! The commands in words, made from the table: for docs/mqtt.md and for the command line.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::ack::{Ack, Effect};
use super::command::Command;
use super::params::Param;
use super::refusal::{Code, Refusal};
use super::spec::{Capability, Class, Spec};
use super::status::Status;
use super::table::COMMANDS;

/// A field of the envelope: name, type, meaning.
pub(super) const ENVELOPE: [(&str, &str, &str); 6] = [
    ("command", "string", "what to do; capital letters don't matter"),
    ("params", "object", "as the command's table says; may be left out where nothing is required"),
    (
        "target_instances",
        "list of strings",
        "who is meant, by exact name; left out, empty or with `\"*\"` in it: everybody",
    ),
    (
        "request_id",
        "string",
        "up to 128 bytes, repeated in every answer; sent again, it is answered again and not done again",
    ),
    (
        "issued_at",
        "string or number",
        "RFC 3339 with an offset, or seconds since 1970; from the future it is refused",
    ),
    ("expires_at", "string or number", "from then on it is refused"),
];

/// The chapter on commands in docs/mqtt.md, without its first heading.
#[must_use]
pub fn markdown(command_topic: &str, status_topic: &str) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = chapter(&mut out, command_topic, status_topic);
    out
}

fn chapter(out: &mut String, command_topic: &str, status_topic: &str) -> core::fmt::Result {
    writeln!(
        out,
        "A command is a JSON object on `{command_topic}`, QoS 1, not retained (retained ones are ignored)."
    )?;
    writeln!(out, "Other fields are ignored, as are parameters of commands that take none.\n")?;
    writeln!(out, "| field | type | meaning |\n|---|---|---|")?;
    for (name, kind, meaning) in ENVELOPE {
        writeln!(out, "| `{name}` | {kind} | {meaning} |")?;
    }
    writeln!(
        out,
        "\nA signed command is the same object as text inside another, so that the signature covers exact"
    )?;
    writeln!(out, "bytes; it needs `request_id` and `issued_at`:\n")?;
    writeln!(
        out,
        "```json\n{{ \"signed\": \"{{\\\"command\\\":\\\"stop\\\",…}}\", \"key_id\": \"tech-1\", \
         \"signature\": \"<hex>\" }}\n```\n"
    )?;
    writeln!(
        out,
        "Answers come on `{status_topic}/{{instance_id}}/ack`: `received` at once, then exactly one"
    )?;
    writeln!(
        out,
        "`completed` or `error`. `completed` says what is so on the wire: no detection from before the"
    )?;
    writeln!(out, "command follows it. `effect` is the evidence.\n")?;
    writeln!(out, "| field of the answer | meaning |\n|---|---|")?;
    fields::<Ack>(out)?;
    writeln!(out, "\n| field of `effect` | meaning |\n|---|---|")?;
    fields::<Effect>(out)?;
    writeln!(out)?;
    writeln!(out, "| command | what it does | least role | served |\n|---|---|---|---|")?;
    for spec in COMMANDS {
        let served = match spec.class {
            Class::Query | Class::Gate => "at once",
            Class::Change => "one at a time",
        };
        let row =
            [code(spec.name), spec.summary.to_string(), spec.role.name().to_string(), served.to_string()];
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    for spec in COMMANDS {
        writeln!(out)?;
        section(out, spec, command_topic)?;
    }
    writeln!(out, "\n### Codes\n\n| `code` | meaning |\n|---|---|")?;
    for one in Code::ALL {
        writeln!(out, "| `{}` | {} |", one.name(), one.meaning())?;
    }
    writeln!(out, "\n### Status\n\n| `status` | published when |\n|---|---|")?;
    Status::ALL.iter().try_for_each(|s| writeln!(out, "| `{}` | {} |", s.name(), s.meaning()))
}

/// A row for each field that has a description.
fn fields<T: JsonSchema>(out: &mut String) -> core::fmt::Result {
    let schema = schemars::schema_for!(T);
    let fields = schema.get("properties").and_then(Value::as_object);
    fields.into_iter().flatten().try_for_each(|(name, field)| {
        let meaning = field.get("description").and_then(Value::as_str).unwrap_or_default();
        writeln!(out, "| `{name}` | {} |", meaning.replace('\n', " "))
    })
}

fn section(out: &mut String, spec: &Spec, command_topic: &str) -> core::fmt::Result {
    writeln!(out, "### {}\n\n{}", spec.name, spec.summary)?;
    if let Some(needed) = spec.needs {
        writeln!(out, "{}", needed.words())?;
    }
    writeln!(out)?;
    if !spec.params.is_empty() {
        writeln!(out, "| parameter | type | range | left out | meaning |\n|---|---|---|---|---|")?;
        for param in spec.params {
            writeln!(out, "| {} |", cells(param).join(" | "))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "```sh\n{}\n```", mosquitto_pub(spec, "localhost", command_topic))
}

fn cells(param: &Param) -> [String; 5] {
    [
        code(param.name),
        param.kind.type_text().to_string(),
        param.kind.range(),
        param.default.unwrap_or("not possible").to_string(),
        param.meaning.to_string(),
    ]
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

/// A line for the shell that sends the command's example.
#[must_use]
pub fn mosquitto_pub(spec: &Spec, host: &str, command_topic: &str) -> String {
    format!("mosquitto_pub -h {host} -q 1 -t {command_topic} -m '{}'", example(spec))
}

/// The example as a payload.
#[must_use]
pub fn example(spec: &Spec) -> Value {
    match serde_json::from_str::<Value>(spec.example) {
        Ok(params) => json!({ "command": spec.name, "params": params }),
        Err(_) => json!({ "command": spec.name }),
    }
}

/// The example, parsed.
pub fn example_command(spec: &Spec) -> Result<Command, Refusal> {
    let params: Map<String, Value> = serde_json::from_str(spec.example).unwrap_or_default();
    Command::parse(spec.name, &params, spec.needs.as_slice())
}

/// Help for one command, as plain text.
#[must_use]
pub fn help(spec: &Spec) -> String {
    let mut out = format!("{}\n{}\n\nLeast role: {}\n", spec.name, spec.summary, spec.role.name());
    let width = spec.params.iter().map(|param| param.name.len()).max().unwrap_or(0);
    for param in spec.params {
        let default = param.default.map_or("required".into(), |default| format!("left out: {default}"));
        let (kind, range) = (param.kind.type_text(), param.kind.range());
        let lines =
            [format!("\n  {:width$}  {}", param.name, param.meaning), format!("{kind}, {range}; {default}")];
        out.push_str(&lines.join(&format!("\n  {:width$}  ", "")));
    }
    if !spec.params.is_empty() {
        out.push('\n');
    }
    out
}

/// One line per available command, aligned: the first sentence of each.
#[must_use]
pub fn overview(active: &[Capability]) -> String {
    let specs: Vec<&Spec> = super::table::available(active).collect();
    let width = specs.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
    let first = |spec: &Spec| spec.summary.split_inclusive(". ").next().unwrap_or_default().trim_end();
    specs.iter().map(|spec| format!("{:width$}  {}\n", spec.name, first(spec))).collect()
}
