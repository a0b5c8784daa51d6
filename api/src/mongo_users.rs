//! The users of MongoDB: one for each part of the platform, with a role that allows what the part does and no more.

use crate::{mongo, tls::Tls};
use anyhow::{Context, Result, ensure};
use mongodb::{
    Client, Database,
    bson::{Bson, Document, doc},
};
use std::collections::BTreeMap;
use url::Url;

/// Who makes the others.
const ADMIN: &str = "admin";
/// There is a user or role of that name already.
const ALREADY: [i32; 2] = [51002, 51003];
/// The name or the password is wrong, or there is no user at all yet.
const NOT_LET_IN: i32 = 18;

const LOOK: &[&str] = &["find"];
const ADD: &[&str] = &["insert"];
/// What strangers cause at will is one entry with a count.
const COUNT: &[&str] = &["find", "insert", "update"];
const CHANGE: &[&str] = &["find", "insert", "update", "remove"];
const KEEP: &[&str] = &[
    "find",
    "insert",
    "update",
    "remove",
    "createCollection",
    "createIndex",
    "dropCollection",
    "listIndexes",
    "listCollections",
    "collStats",
];
/// One of the two databases, a collection (all when empty), and what may be done with it.
type Privilege = (&'static str, &'static str, &'static [&'static str]);

/// What each part may do. The log lines of all go to one collection, which they can only add to.
const PARTS: [(&str, &[Privilege]); 10] = [
    (
        "customer",
        &[
            ("customer", "", LOOK),
            ("system", "sessions", LOOK),
            ("system", "accounts", LOOK),
            ("system", "notifications", LOOK),
            ("system", "security_events", COUNT),
            ("system", "logs", ADD),
        ],
    ),
    ("supplier", &[("system", "sessions", LOOK), ("system", "security_events", COUNT), ("system", "logs", ADD)]),
    ("employee", &[("system", "sessions", LOOK), ("system", "security_events", COUNT), ("system", "logs", ADD)]),
    ("core", &[("customer", "", KEEP), ("system", "", KEEP)]),
    (
        "scheduler",
        &[
            ("system", "accounts", CHANGE),
            ("system", "sessions", CHANGE),
            ("system", "links", CHANGE),
            ("system", "notifications", &["find", "insert", "update", "remove", "createCollection", "createIndex"]),
            ("system", "mailbox", CHANGE),
            ("system", "security_events", COUNT),
            ("system", "logs", ADD),
        ],
    ),
    ("sequencer", &[("system", "logs", ADD)]),
    ("project_customer", &[("customer", "", KEEP), ("system", "logs", ADD)]),
    ("project_operations", &[("system", "logs", ADD)]),
    ("project_finance", &[("system", "logs", ADD)]),
    ("setup", &[("customer", "", KEEP), ("system", "", KEEP)]),
];

/// Makes the users in the server at `url`, or gives those that are there these passwords and the roles of this version. `passwords` has one
/// for each part and one for `admin`, who is made first where there is nobody yet.
pub async fn make(url: &str, prefix: &str, passwords: &BTreeMap<String, String>, tls: Option<&Tls>) -> Result<()> {
    let password = |name: &str| passwords.get(name).with_context(|| format!("there is no password of {name}"));
    for (part, _) in PARTS {
        password(part)?;
    }
    let admin = admin(url, prefix, password(ADMIN)?, tls).await?;
    for (part, privileges) in PARTS {
        let name = format!("{prefix}_{part}");
        let privileges: Vec<Bson> = privileges.iter().map(|privilege| granted(prefix, *privilege).into()).collect();
        let role = |command: &str| doc! { command: &name, "privileges": privileges.clone(), "roles": [] };
        make_or_change(&admin, role("createRole"), role("updateRole")).await.with_context(|| format!("make the role {name}"))?;
        let roles = doc! { "role": &name, "db": ADMIN };
        let user =
            |command: &str| doc! { command: &name, "pwd": passwords.get(part), "roles": [roles.clone()], "mechanisms": ["SCRAM-SHA-256"] };
        make_or_change(&admin, user("createUser"), user("updateUser")).await.with_context(|| format!("make the user {name}"))?;
    }
    Ok(())
}

fn granted(prefix: &str, (database, collection, actions): Privilege) -> Document {
    doc! { "resource": { "db": format!("{prefix}_{database}"), "collection": collection }, "actions": actions.to_vec() }
}

async fn make_or_change(admin: &Database, make: Document, change: Document) -> Result<()> {
    match admin.run_command(make).await {
        Err(error) if code(&error).is_some_and(|code| ALREADY.contains(&code)) => {
            admin.run_command(change).await?;
            Ok(())
        }
        made => Ok(made.map(drop)?),
    }
}

fn code(error: &mongodb::error::Error) -> Option<i32> {
    match &*error.kind {
        mongodb::error::ErrorKind::Command(refused) => Some(refused.code),
        _ => error.get_custom::<i32>().copied(),
    }
}

/// The database of users, as who may change them.
async fn admin(url: &str, prefix: &str, password: &str, tls: Option<&Tls>) -> Result<Database> {
    let plain = Url::parse(url).context("ASTRO_MONGO_URL is not an address of MongoDB")?;
    ensure!(plain.username().is_empty(), "ASTRO_MONGO_URL: leave the user out, it is `{ADMIN}`");
    let mut named = plain.clone();
    let unfit = |()| anyhow::anyhow!("ASTRO_MONGO_URL takes no user");
    named.set_username(ADMIN).map_err(unfit)?;
    named.set_password(Some(password)).map_err(unfit)?;
    named.query_pairs_mut().append_pair("authSource", ADMIN);
    let look = async |client: &Client| client.database(ADMIN).run_command(doc! { "connectionStatus": 1 }).await;
    let client = mongo::connect(named.as_str(), prefix, tls).await?.client;
    if let Err(error) = look(&client).await {
        ensure!(is_not_let_in(&error), anyhow::Error::new(error).context("ask MongoDB"));
        // Nobody is there yet: the first user may be made from this machine.
        let first = mongo::connect(plain.as_str(), prefix, tls).await?.client;
        let user =
            doc! { "createUser": ADMIN, "pwd": password, "roles": [{ "role": "root", "db": ADMIN }], "mechanisms": ["SCRAM-SHA-256"] };
        first.database(ADMIN).run_command(user).await.context("make the first user of MongoDB")?;
        let client = mongo::connect(named.as_str(), prefix, tls).await?.client;
        look(&client).await.context("sign in as the first user of MongoDB")?;
        return Ok(client.database(ADMIN));
    }
    Ok(client.database(ADMIN))
}

fn is_not_let_in(error: &mongodb::error::Error) -> bool {
    code(error) == Some(NOT_LET_IN) || matches!(*error.kind, mongodb::error::ErrorKind::Authentication { .. })
}
