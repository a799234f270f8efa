//! Whether a tree has the shape of our types: known keys, right kinds of values.
//!
//! Works on the generated JSON schema, so that there is no second list of keys. Ranges
//! are not looked at here: [`vigia_core::config::check`] knows them, and more.

use schemars::SchemaGenerator;
use serde_json::Value as Json;
use vigia_core::config::raw;

use super::marks::{Node, Step, steps};
use super::report::Report;
use super::walk::Walk;

pub(super) struct Schema {
    json: Json,
}

/// What a setting may be.
pub(super) struct Shape<'s> {
    pub kind: Kind<'s>,
    pub is_nullable: bool,
    pub hint: Option<String>,
}

pub(super) enum Kind<'s> {
    /// Fixed keys.
    Map(&'s serde_json::Map<String, Json>),
    /// Any keys, all of one kind.
    Table(&'s Json),
    List(&'s Json),
    Choice(Vec<&'s str>),
    Text,
    Int,
    Float,
    Bool,
}

impl Schema {
    /// Of the board's and the site's file.
    pub(super) fn of_files() -> Self {
        let mut json = SchemaGenerator::default().into_root_schema_for::<raw::Config>().to_value();
        // Every layer may leave out anything: the one below has it. But not a stream's number.
        if let Some(Json::Object(types)) = json.get_mut("$defs") {
            for (_, of_type) in types.iter_mut().filter(|(name, _)| *name != "Stream") {
                remove(of_type, "required");
            }
        }
        remove(&mut json, "required");
        Self { json }
    }

    pub(super) fn of_secrets() -> Self {
        Self { json: SchemaGenerator::default().into_root_schema_for::<raw::Secrets>().to_value() }
    }

    pub(super) fn into_json(self) -> Json {
        self.json
    }

    /// The tree without what has the wrong shape, which is reported.
    pub(super) fn clean(&self, tree: Node, shows_values: bool, report: &mut Report) -> Option<Node> {
        let shape = self.shape_of(&self.json)?;
        Walk { schema: self, report, shows_values }.node(tree, &shape, "")
    }

    /// The same for the part of a tree at `path`.
    pub(super) fn clean_at(
        &self,
        node: Node,
        shape: &Shape<'_>,
        path: &str,
        report: &mut Report,
    ) -> Option<Node> {
        Walk { schema: self, report, shows_values: true }.node(node, shape, path)
    }

    pub(super) fn shape_at(&self, steps: &[Step<'_>]) -> Option<Shape<'_>> {
        let mut shape = self.shape_of(&self.json)?;
        for step in steps {
            let inner = match (step, &shape.kind) {
                (Step::Key(key), Kind::Map(keys)) => keys.get(*key)?,
                (Step::Index(_) | Step::Every, Kind::List(item)) => item,
                (Step::Key(_) | Step::Index(_) | Step::Every, _) => return None,
            };
            shape = self.shape_of(inner)?;
        }
        Some(shape)
    }

    /// What would be right at `path`: the first line of the field's documentation.
    pub(super) fn hint(&self, path: &str) -> Option<String> {
        self.shape_at(&steps(path))?.hint
    }

    pub(super) fn shape_of<'s>(&'s self, schema: &'s Json) -> Option<Shape<'s>> {
        let hint = schema.get("description").and_then(Json::as_str).map(as_hint);
        if let Some(any) = schema.get("anyOf").and_then(Json::as_array) {
            // Option<T> of a type with a name: T, or null.
            let inner = any.iter().find(|one| one.get("$ref").is_some())?;
            return Some(Shape { is_nullable: true, hint, ..self.shape_of(inner)? });
        }
        if let Some(words) = schema.get("oneOf").and_then(Json::as_array) {
            // An enum some of whose words have descriptions: these stand alone, the others in a list.
            let one = |one: &'s Json| match (one.get("const"), one.get("enum")) {
                (Some(word), _) => Some(vec![word.as_str()?]),
                (None, Some(words)) => words.as_array()?.iter().map(Json::as_str).collect(),
                (None, None) => None,
            };
            let words: Vec<Vec<&str>> = words.iter().map(one).collect::<Option<_>>()?;
            return Some(Shape { kind: Kind::Choice(words.concat()), is_nullable: false, hint });
        }
        if let Some(name) = schema.get("$ref").and_then(Json::as_str) {
            let named = self.json.pointer(name.strip_prefix('#')?)?;
            let shape = self.shape_of(named)?;
            return Some(Shape { hint: hint.or(shape.hint), ..shape });
        }
        let names = type_names(schema);
        let is_nullable = names.contains(&"null");
        let name = names.into_iter().find(|name| *name != "null")?;
        Some(Shape { kind: kind_of(name, schema)?, is_nullable, hint })
    }
}

fn remove(schema: &mut Json, key: &str) {
    if let Json::Object(fields) = schema {
        fields.remove(key);
    }
}

fn type_names(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn kind_of<'s>(name: &str, schema: &'s Json) -> Option<Kind<'s>> {
    Some(match name {
        "object" => match schema.get("properties") {
            Some(Json::Object(keys)) => Kind::Map(keys),
            _ => Kind::Table(schema.get("additionalProperties")?),
        },
        "array" => Kind::List(schema.get("items")?),
        "string" => match schema.get("enum").and_then(Json::as_array) {
            Some(words) => Kind::Choice(words.iter().filter_map(Json::as_str).collect()),
            None => Kind::Text,
        },
        "integer" => Kind::Int,
        "number" => Kind::Float,
        "boolean" => Kind::Bool,
        _ => return None,
    })
}

/// `Frames per second, e.g. 0.5.` as it reads inside a sentence.
fn as_hint(description: &str) -> String {
    let line = description.lines().next().unwrap_or("").trim_end_matches('.');
    let mut chars = line.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            let rest = line.get(first.len_utf8()..).unwrap_or("");
            format!("{}{rest}", first.to_lowercase())
        }
        (Some(_) | None, _) => line.to_owned(),
    }
}
