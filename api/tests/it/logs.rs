//! The log: names of fields, the name of a request, what operators find, and what must never be found.

use crate::{
    accounts::sign_in,
    client::Client,
    world::{PASSWORD, World},
};
use api::logs::{self, Shown, fields, line::Line, ship::Lines};
use contract::account::Role;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use mongodb::bson::doc;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::Duration,
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};
use uuid::Uuid;

/// The lines of the whole process: there is one subscriber, whoever asks first has them.
fn lines() -> Option<Lines> {
    static LINES: OnceLock<Mutex<Option<Lines>>> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let (writer, lines) = logs::layer(Shown::Nowhere);
        let filter = EnvFilter::new("info,sqlx=warn,async_nats=warn,dioxus_server=error");
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(writer)).unwrap();
        Mutex::new(Some(lines))
    });
    lines.lock().unwrap().take()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// The names of fields in the calls of `tracing` in a source.
fn named(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for (at, call) in source.match_indices(&format!("tracing::{level}!(")) {
            let rest = &source[at + call.len()..];
            // Up to the message; fields hold no texts of their own but in calls, which are cut off with their brackets.
            let head = rest.split('"').next().unwrap();
            let mut depth = 0;
            let flat: String = head
                .chars()
                .filter(|c| {
                    depth += i32::from(*c == '(');
                    let inside = depth > 0;
                    depth -= i32::from(*c == ')');
                    !inside && !matches!(*c, '{' | '}' | '\n')
                })
                .collect();
            for field in flat.split(',').map(str::trim).filter(|field| !field.is_empty() && !field.starts_with("target:")) {
                let name = field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn every_field_has_a_name_of_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let known: BTreeSet<&str> = fields::NAMES.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for part in ["domain/src", "nats/src", "commands/src", "projections/src", "scheduler/src", "vault/src", "api/src"] {
        sources(&root.join(part), &mut found);
    }
    let (mut used, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for path in found {
        for name in named(&fs::read_to_string(&path).unwrap()) {
            if !known.contains(name.as_str()) {
                unknown.insert(format!("{name} in {}", path.display()));
            }
            used.insert(name);
        }
    }
    assert!(unknown.is_empty(), "not in api/src/logs/fields.rs: {unknown:#?}");
    assert!(used.len() > 15, "the sources are read: {used:?}");
    assert!(fields::NAMES.is_sorted_by_key(|(name, _)| *name), "in order");
}

#[test]
fn the_reader_of_sources_finds_names() {
    let source = "tracing::info!(target: X, { a.b = call(1, 2), %c }, \"text {d}\"); tracing::warn!(\n  ?e,\n f = %g.h(), \"x\");";
    assert_eq!(named(source), ["a.b", "c", "e", "f"].map(str::to_owned).into());
}

async fn until_found(client: &Client, query: &str, enough: impl Fn(&Value) -> bool) -> Value {
    client.until(&format!("/api/core/logs?{query}"), enough).await
}

/// Asks for `path` until its line is kept: of requests that went well so many a second are, and other tests ask, too. Gives the line's
/// fields and the answer.
async fn line_of(operator: &Client, client: &Client, path: &str) -> (Value, Value) {
    for _ in 0..50 {
        let reply = client.get(path).await;
        let request = reply.headers["request-id"].to_str().unwrap().to_owned();
        for _ in 0..20 {
            let page = operator.get(&format!("/api/core/logs?request={request}")).await.ok();
            if page["total"] == 1 {
                return (page["items"][0]["fields"].clone(), reply.body);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    panic!("no line of {path} was kept");
}

fn line(level: &'static str, message: &str, fields: &[(&str, &str)]) -> Line {
    let fields: Map<String, Value> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Line { at: Timestamp::now(), level, target: "test".to_owned(), message: message.to_owned(), fields }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_lines_by_what_they_say() {
    let world = World::start().await;
    let operator = world.with_role(Role::Operator, None).await;
    let (account, request) = (Uuid::new_v4(), Uuid::new_v4());
    let old = Line { at: Timestamp::now() - SignedDuration::from_hours(2), ..line("warn", "an old worry", &[]) };
    let stored = [
        line("info", "Held 2 seats", &[("service", "customer"), ("account.id", &account.to_string())]),
        line("error", "It broke (.*)", &[("request.id", &request.to_string()), ("launch.id", "atlas-v")]),
        old,
    ];
    let logs = world.app.system.collection("logs");
    logs.insert_many(stored.map(Line::document)).await.unwrap();

    let of =
        |page: Value| page["items"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let ask = async |query: &str| of(operator.get(&format!("/api/core/logs?{query}")).await.ok());
    assert_eq!(ask("").await, ["It broke (.*)", "Held 2 seats", "an old worry"], "newest first");
    assert_eq!(ask("level=warn").await, ["It broke (.*)", "an old worry"]);
    assert_eq!(ask("level=error").await, ["It broke (.*)"]);
    assert_eq!(ask("service=customer").await, ["Held 2 seats"]);
    assert_eq!(ask(&format!("account={account}")).await, ["Held 2 seats"]);
    assert_eq!(ask(&format!("request={request}")).await, ["It broke (.*)"]);
    assert_eq!(ask("search=BROKE%20atlas-v").await, ["It broke (.*)"]);
    assert_eq!(ask("search=.*").await, ["It broke (.*)"], "text means itself");
    let hour = Timestamp::now() - SignedDuration::from_hours(1);
    assert_eq!(ask(&format!("to={hour}")).await, ["an old worry"]);
    assert_eq!(ask(&format!("from={hour}")).await, ["It broke (.*)", "Held 2 seats"]);
    let fields = operator.get("/api/core/logs?level=error").await.ok()["items"][0]["fields"].clone();
    assert_eq!(fields, json!({ "request.id": request.to_string(), "launch.id": "atlas-v" }));
    for wrong in
        ["level=loud", "service=moon", "account=me", "page=99999999", "what=1", "from=yesterday", &format!("search={}", "x".repeat(300))]
    {
        operator.get(&format!("/api/core/logs?{wrong}")).await.refused(400, "bad_request");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_watched() {
    let world = World::start().await;
    let operator = world.with_role(Role::Operator, None).await;
    let mut watched = operator.request(reqwest::Method::GET, "/api/core/logs/live?level=warn").send().await.unwrap();
    assert_eq!(watched.headers()["content-type"], "text/event-stream");
    let logs = world.app.system.collection("logs");
    let lines = [line("info", "nothing to see", &[]), line("warn", "look here", &[])];
    logs.insert_many(lines.map(Line::document)).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(Duration::from_secs(20), async {
        while !text.contains("\n\n") || !text.contains("data:") {
            text.push_str(std::str::from_utf8(&watched.chunk().await.unwrap().unwrap()).unwrap());
        }
    })
    .await
    .unwrap();
    assert!(text.contains("event: line") && text.contains("look here") && !text.contains("nothing to see"), "{text}");
    drop(watched);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_watches_no_longer() {
    /// Other processes believe in a session for up to 5 seconds; the rest is for a busy machine.
    const SOON: Duration = Duration::from_secs(10);
    let world = World::start().await;
    let (id, _) = world.account(Role::Operator, None, "").await;
    let (watcher, operator) = (world.signed_in(id, Role::Operator, None).await, world.with_role(Role::Operator, None).await);
    let mut watched = watcher.request(reqwest::Method::GET, "/api/core/logs/live").send().await.unwrap();
    world.app.system.collection("logs").insert_one(line("warn", "look here", &[]).document()).await.unwrap();
    let first = tokio::time::timeout(SOON, watched.chunk()).await.expect("a line is told").unwrap();
    assert!(first.is_some(), "it goes on as long as nobody ends it");
    operator.post(&format!("/api/core/accounts/{id}/disable"), &json!({ "reason": "left us" })).await.ok();
    let ended = async { while watched.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(SOON, ended).await.expect("the stream ends with the session");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_kept_within_its_size_and_age() {
    use api::shelf::Shelf;
    let world = World::start().await;
    let shelf = Shelf::new(&world.app.system, "small", 20_000, Duration::from_secs(3_600));
    shelf.prepare().await.unwrap();
    let now = Timestamp::now();
    let lines: Vec<_> = (0..300)
        .map(|n| Line { at: now - SignedDuration::from_secs(n), ..line("info", &format!("line {n} {}", "x".repeat(100)), &[]) }.document())
        .collect();
    shelf.lines.insert_many(lines).await.unwrap();
    let old = Line { at: now - SignedDuration::from_hours(2), ..line("info", "too old", &[]) };
    shelf.lines.insert_one(old.document()).await.unwrap();
    let gone = shelf.trim(now).await.unwrap();
    let left = shelf.lines.count_documents(doc! {}).await.unwrap();
    assert_eq!(gone + left, 301);
    assert!((10..200).contains(&left), "about 20 kB are left: {left} lines");
    assert_eq!(shelf.lines.count_documents(doc! { "message": "too old" }).await.unwrap(), 0);
    assert_eq!(shelf.lines.count_documents(doc! { "message": { "$regex": "^line 0 " } }).await.unwrap(), 1, "the newest stay");
    assert_eq!(shelf.trim(now).await.unwrap(), 0, "and what is small enough stays as it is");
    // The server, too, forgets what is too old.
    let indexes: Vec<_> = shelf.lines.list_indexes().await.unwrap().try_collect().await.unwrap();
    let expiry = indexes.iter().find_map(|index| index.options.as_ref()?.expire_after);
    assert_eq!(expiry, Some(Duration::from_secs(3_600)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_data_and_no_forged_line_reaches_the_log() {
    let Some(lines) = lines() else { panic!("another test took the lines") };
    let world = World::with(|_| {}, Some(lines)).await;
    let canary = format!("canary{}", Uuid::new_v4().simple());
    let email = format!("{canary}@example.org");
    let visitor = world.visitor();
    let form = json!({ "name": format!("Name {canary}"), "email": email, "password": PASSWORD });
    visitor.post("/api/core/accounts", &form).await;
    visitor.post("/api/core/session", &json!({ "email": email, "password": format!("wrong {canary}") })).await;
    visitor.post("/api/core/session", &json!({ "email": format!("x\r\n{email}"), "password": "wrong and long enough" })).await;
    visitor.post("/api/core/password/forgotten", &json!({ "email": email })).await;
    visitor.get(&format!("/api/customer/launches/{canary}?search={canary}")).await;
    visitor.get(&format!("/api/core/mailbox?search={canary}%0d%0aERROR%20forged")).await;
    visitor.get(&format!("/{canary}/%0a{canary}")).await;
    // One of that name takes everything along and is forgotten.
    let (_, forgotten) = world.account_of(&canary).await;
    let leaving = world.visitor();
    sign_in(&leaving, forgotten.as_str(), PASSWORD).await.ok();
    leaving.get("/api/customer/export").await.ok();
    leaving.post("/api/core/erasure", &json!({ "password": PASSWORD })).await.ok();
    // What code says by mistake is masked, and stays on its line.
    let marker = Uuid::new_v4().simple().to_string();
    tracing::warn!("{marker} for {email}\r\n2026-11-22T00:00:00Z ERROR forged {marker}");

    let operator = world.with_role(Role::Operator, None).await;
    let page = until_found(&operator, &format!("search={marker}"), |page| page["total"] == 1).await;
    let message = page["items"][0]["message"].as_str().unwrap();
    assert!(message.contains("for <address>") && !message.contains(['\r', '\n']), "{message}");
    // The line of the request is there by its name, and says no path.
    let (fields, _) = line_of(&operator, &visitor, &format!("/api/customer/launches/{canary}")).await;
    assert_eq!((&fields["http.method"], &fields["http.route"]), (&json!("GET"), &json!("/api/customer/launches/{launch}")));
    assert_eq!((&fields["http.status"], &fields["service"]), (&json!(404), &json!("customer")));
    assert!(fields["duration_ms"].is_u64(), "{fields}");
    let (fields, mine) = line_of(&operator, &operator, "/api/core/session").await;
    assert_eq!(fields["account.id"], mine["account"]);
    // In all that was written, the canary is nowhere.
    let all: Vec<mongodb::bson::Document> = world.app.system.collection("logs").find(doc! {}).await.unwrap().try_collect().await.unwrap();
    assert!(all.len() > 10, "{}", all.len());
    for line in &all {
        let text = line.to_string();
        assert!(!text.contains(&canary) && !text.contains(forgotten.as_str()), "{text}");
    }
    world.end().await;
}

#[test]
fn a_line_is_json_with_the_same_names() {
    let line = line("warn", "It \"broke\"", &[("launch.id", "x")]);
    let json: Value = serde_json::from_str(&line.json()).unwrap();
    assert_eq!((&json["level"], &json["message"], &json["launch.id"]), (&json!("warn"), &json!("It \"broke\""), &json!("x")));
    assert!(line.text().ends_with("WARN It \"broke\" launch.id=x"), "{}", line.text());
}
