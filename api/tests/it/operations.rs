//! Every operation of the four documents, and the table of who may do what (`api/tests/matrix.txt`).

use crate::{client::Client, world::World};
use api::{core::token::Service, services};
use contract::account::Role;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use uuid::Uuid;

pub(crate) const ROLES: [Role; 5] = [Role::Customer, Role::Supplier, Role::Employee, Role::Operator, Role::Auditor];

pub(crate) fn word(role: Role) -> String {
    serde_json::to_value(role).unwrap().as_str().unwrap().to_owned()
}

/// One operation as its document describes it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// `*` everyone, `+` anyone who is signed in, else the roles.
    pub(crate) who: String,
    /// The schema of its body, if it takes one.
    pub(crate) body: Option<Value>,
    /// Names of its query's parameters.
    pub(crate) query: Vec<String>,
}

/// All of them, by `METHOD path`.
pub(crate) fn all() -> BTreeMap<String, Operation> {
    let mut found = BTreeMap::new();
    for service in Service::ALL {
        let document = serde_json::to_value(services::openapi(service)).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let who = match operation["security"].as_array() {
                    None => "*".to_owned(),
                    Some(security) => {
                        let roles: Vec<&str> = security[0]["session"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                        if roles.is_empty() { "+".to_owned() } else { roles.join(" ") }
                    }
                };
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let body = match schema["$ref"].as_str() {
                    Some(name) => Some(document["components"]["schemas"][name.rsplit('/').next().unwrap()].clone()),
                    None => (!schema.is_null()).then(|| schema.clone()),
                };
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
                let query = query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
                let method: Method = method.to_uppercase().parse().unwrap();
                found.insert(format!("{method} {path}"), Operation { method, path: path.clone(), who, body, query });
            }
        }
    }
    found
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// As in the documents.
    pub(crate) who: String,
    /// Whose thing the path names: `-` for nobody's, else the role or `account`.
    pub(crate) owner: String,
    /// `yes` where one who still has to set up a second factor may do it.
    pub(crate) enrolling: bool,
}

/// The table, by `METHOD path`.
pub(crate) fn table() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [operation, who, owner, enrolling] = parts[..] else { panic!("not a row: {line}") };
        assert!(["yes", "no"].contains(&enrolling), "{line}");
        let row = Row { who: who.to_owned(), owner: owner.to_owned(), enrolling: enrolling == "yes" };
        assert!(rows.insert(operation.to_owned(), row).is_none(), "twice: {line}");
    }
    rows
}

impl Operation {
    /// The path with made-up ids.
    pub(crate) fn somewhere(&self) -> String {
        self.path
            .split('/')
            .map(|part| match part {
                "{stream_type}" => "launch".to_owned(),
                part if part.starts_with('{') => Uuid::new_v4().to_string(),
                part => part.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Asks for it at `path`, with this body where it changes something.
    pub(crate) fn ask(&self, client: &Client, path: &str, body: &Value) -> RequestBuilder {
        match self.method {
            Method::GET => client.request(Method::GET, path),
            _ if self.body.is_some() => client.command(self.method.clone(), Uuid::new_v4(), path, body),
            _ => client.request(self.method.clone(), path).header("idempotency-key", Uuid::new_v4().to_string()),
        }
    }

    /// A body its schema may accept, made of whatever the types allow.
    pub(crate) fn some_body(&self) -> Value {
        let Some(properties) = self.body.as_ref().and_then(|schema| schema["properties"].as_object()) else { return json!({}) };
        properties
            .iter()
            .map(|(name, schema)| {
                let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("string");
                let value = match kind {
                    "integer" | "number" => json!(1),
                    "boolean" => json!(true),
                    "array" => json!([]),
                    "object" => json!({}),
                    _ => json!("x"),
                };
                (name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// One who may do it.
    pub(crate) async fn one_who_may(&self, world: &World) -> Client {
        match self.who.split(' ').next().unwrap() {
            "*" => world.visitor(),
            "+" => world.with_role(Role::Customer, None).await,
            "supplier" => world.supplier().await,
            role => world.with_role(serde_json::from_value(json!(role)).unwrap(), None).await,
        }
    }
}
