//! Who may call what: the table of every operation, held against the documents and tried with every role.

use crate::{
    client::Client,
    world::{OTHER_SUPPLIER, World},
};
use api::{core::token::Service, services};
use contract::account::Role;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// `*` is everyone, `+` anyone who is signed in; else the roles.
const TABLE: &[(&str, &str)] = &[
    ("POST /api/core/accounts", "*"),
    ("POST /api/core/session", "*"),
    ("GET /api/core/session", "+"),
    ("DELETE /api/core/session", "*"),
    ("POST /api/core/session/refresh", "*"),
    ("GET /api/core/logs", "operator"),
    ("GET /api/core/notifications", "operator"),
    ("POST /api/core/notifications/{id}/retry", "operator"),
    ("POST /api/core/notifications/{id}/discard", "operator"),
    ("GET /api/core/projections", "operator auditor"),
    ("GET /api/core/projections/{view}/parked", "operator"),
    ("POST /api/core/projections/{view}/parked/{stream_type}/{stream_id}/retry", "operator"),
    ("POST /api/core/projections/{view}/parked/{stream_type}/{stream_id}/discard", "operator"),
    ("POST /api/core/projections/{projection}/pause", "operator"),
    ("POST /api/core/projections/{projection}/resume", "operator"),
    ("POST /api/core/projections/{view}/rebuild", "operator"),
    ("POST /api/core/projections/{view}/roll_back", "operator"),
    ("GET /api/core/streams", "auditor"),
    ("GET /api/core/streams/{stream_type}/{id}/events", "auditor"),
    ("GET /api/core/streams/{stream_type}/{id}/state", "auditor"),
    ("POST /api/core/audit/verify", "auditor"),
    ("GET /api/core/mailbox", "*"),
    ("GET /api/customer/launches", "*"),
    ("GET /api/customer/launches/{launch}", "*"),
    ("GET /api/customer/launches/{launch}/live", "*"),
    ("GET /api/customer/suppliers", "*"),
    ("POST /api/customer/launches/{launch}/holds", "customer"),
    ("PUT /api/customer/launches/{launch}/bookings/{booking}/passengers", "customer"),
    ("POST /api/customer/launches/{launch}/bookings/{booking}/payments", "customer"),
    ("GET /api/customer/launches/{launch}/bookings/{booking}/quote", "customer"),
    ("POST /api/customer/launches/{launch}/bookings/{booking}/cancellation", "customer"),
    ("GET /api/customer/bookings", "customer"),
    ("GET /api/customer/bookings/{booking}", "customer"),
    ("GET /api/supplier/summary", "supplier"),
    ("GET /api/supplier/launches", "supplier"),
    ("POST /api/supplier/launches", "supplier"),
    ("GET /api/supplier/launches/{launch}", "supplier"),
    ("GET /api/supplier/launches/{launch}/bookings", "supplier"),
    ("GET /api/supplier/launches/{launch}/abort-quote", "supplier"),
    ("POST /api/supplier/launches/{launch}/price", "supplier"),
    ("POST /api/supplier/launches/{launch}/delay", "supplier"),
    ("POST /api/supplier/launches/{launch}/abort", "supplier"),
    ("POST /api/supplier/launches/{launch}/outcome", "supplier"),
    ("GET /api/supplier/rockets", "supplier"),
    ("POST /api/supplier/rockets", "supplier"),
    ("POST /api/supplier/rockets/{rocket}/retire", "supplier"),
    ("GET /api/supplier/spaceports", "supplier"),
    ("GET /api/employee/today", "employee"),
    ("GET /api/employee/bookings", "employee"),
    ("GET /api/employee/bookings/{booking}", "employee"),
    ("GET /api/employee/launches", "employee"),
    ("GET /api/employee/launches/{launch}", "employee"),
    ("GET /api/employee/revenue/launches", "employee"),
    ("GET /api/employee/revenue/suppliers", "employee"),
    ("GET /api/employee/journal", "employee"),
];

const ROLES: [Role; 5] = [Role::Customer, Role::Supplier, Role::Employee, Role::Operator, Role::Auditor];

fn word(role: Role) -> String {
    serde_json::to_value(role).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn openapi_documents_say_the_same_as_the_table() {
    let mut documented = BTreeMap::new();
    for service in Service::ALL {
        let document = serde_json::to_value(services::openapi(service)).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let who = match operation["security"].as_array() {
                    None => "*".to_owned(),
                    Some(security) => {
                        let roles: Vec<&str> = security[0]["session"].as_array().unwrap().iter().filter_map(|role| role.as_str()).collect();
                        if roles.is_empty() { "+".to_owned() } else { roles.join(" ") }
                    }
                };
                documented.insert(format!("{} {path}", method.to_uppercase()), who);
            }
        }
    }
    let table: BTreeMap<String, String> = TABLE.iter().map(|(operation, who)| ((*operation).to_owned(), (*who).to_owned())).collect();
    assert_eq!(documented, table);
}

/// Which services a role's sign-in is for.
fn is_for(role: Role, path: &str) -> bool {
    path.starts_with("/api/core/") || path.starts_with(&format!("/api/{}/", word(role)))
}

async fn tried(client: &Client, operation: &str) -> u16 {
    let (method, path) = operation.split_once(' ').unwrap();
    let path = ["{launch}", "{booking}", "{rocket}", "{id}", "{view}", "{projection}", "{stream_id}"]
        .iter()
        .fold(path.to_owned(), |path, part| path.replace(part, &Uuid::new_v4().to_string()));
    let path = path.replace("{stream_type}", "launch");
    let method: Method = method.parse().unwrap();
    let request = match method {
        Method::GET => client.request(method, &path),
        _ => client.command(method, Uuid::new_v4(), &path, &json!({})),
    };
    client.send(request).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_for_its_roles_only() {
    let world = World::start().await;
    for (operation, who) in TABLE {
        let path = operation.split_once(' ').unwrap().1;
        let visitor = tried(&world.visitor(), operation).await;
        if *who == "*" {
            let refresh = path.ends_with("/refresh"); // which has nothing to go on with
            assert_eq!(visitor == 401, refresh, "{operation} by a visitor: {visitor}");
            assert_ne!(visitor, 403, "{operation} by a visitor");
            assert!(visitor < 500, "{operation} by a visitor: {visitor}");
            continue;
        }
        assert_eq!(visitor, 401, "{operation} by a visitor");
        for role in ROLES {
            // A supplier nobody else here is, so that what exists is another's.
            let client = world.with_role(role, (role == Role::Supplier).then_some(OTHER_SUPPLIER)).await;
            let status = tried(&client, operation).await;
            let may = *who == "+" || who.split(' ').any(|known| known == word(role));
            match (may, is_for(role, path)) {
                (true, _) => assert!(![401, 403].contains(&status) && status < 500, "{operation} by {role:?}: {status}"),
                (false, true) => assert_eq!(status, 403, "{operation} by {role:?}"),
                (false, false) => assert_eq!(status, 401, "{operation} by {role:?}"),
            }
        }
    }
    world.end().await;
}
