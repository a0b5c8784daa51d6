//! What operators do with accounts, and that each leaves a trace.

use crate::{
    accounts::{STAFF_PASSWORD, fresh_address, link, sign_in},
    totp::{code, set_up, sign_in_with},
    world::{PASSWORD, SUPPLIER, World},
};
use contract::account::Role;
use serde_json::{Value, json};

fn reason() -> Value {
    json!({ "reason": "asked for by telephone" })
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_invited_choose_a_password_and_set_up_a_second_factor() {
    let world = World::start().await;
    let (operator, email) = (world.with_role(Role::Operator, None).await, fresh_address());
    let invite = |role: &str, supplier: Value| json!({ "name": "Grace Hopper", "email": email, "role": role, "supplier": supplier, "reason": "new here" });
    operator.post("/api/core/accounts/staff", &invite("customer", Value::Null)).await.refused(400, "bad_request");
    operator.post("/api/core/accounts/staff", &invite("supplier", Value::Null)).await.refused(400, "bad_request");
    operator.post("/api/core/accounts/staff", &invite("supplier", json!(uuid::Uuid::new_v4()))).await.refused(400, "bad_request");
    let made = operator.post("/api/core/accounts/staff", &invite("supplier", json!(SUPPLIER))).await.ok();
    assert_eq!((made["state"].as_str(), made["role"].as_str()), (Some("unconfirmed"), Some("supplier")));
    operator.post("/api/core/accounts/staff", &invite("supplier", json!(SUPPLIER))).await.refused(409, "email_taken");

    let grace = world.visitor();
    let token = link(&world, &email, "Your account", "reset").await;
    let set = |password: &str| json!({ "token": token, "password": password });
    let short = grace.post("/api/core/password/reset", &set("fourteen chars")).await.refused(400, "bad_request");
    assert!(short["fields"]["password"].as_str().unwrap().contains("15"));
    grace.post("/api/core/password/reset", &set(STAFF_PASSWORD)).await.ok();
    sign_in(&grace, &email, STAFF_PASSWORD).await.ok();
    set_up(&grace, None).await;
    grace.get("/api/supplier/rockets").await.ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_finds_disables_enables_and_every_step_is_noted() {
    let world = World::start().await;
    let operator = world.with_role(Role::Operator, None).await;
    let (id, email) = world.account(Role::Customer, None, PASSWORD).await;
    let ada = world.visitor();
    sign_in(&ada, email.as_str(), PASSWORD).await.ok();
    // By the whole address or the id; not by a part of it.
    for search in [email.as_str().to_uppercase(), id.to_string()] {
        let found = operator.get(&format!("/api/core/accounts?search={search}")).await.ok();
        assert_eq!((&found["total"], &found["items"][0]["name"]), (&json!(1), &json!("Ada Lovelace")), "{search}");
    }
    operator.get("/api/core/accounts?search=Lovelace").await.refused(400, "bad_request");
    assert_eq!(operator.get("/api/core/accounts?role=customer&state=disabled").await.ok()["total"], json!(0));
    operator.get("/api/core/accounts?role=emperor").await.refused(400, "bad_request");
    assert_eq!(operator.get(&format!("/api/core/accounts/{id}")).await.ok()["sessions"], json!(1));

    let act = |what: &str| format!("/api/core/accounts/{id}/{what}");
    operator.post(&act("disable"), &json!({ "reason": "  " })).await.refused(400, "bad_request");
    operator.post(&act("disable"), &reason()).await.ok();
    ada.get("/api/core/session").await.refused(401, "sign_in_required");
    ada.post("/api/core/session/refresh", &Value::Null).await.refused(401, "sign_in_required");
    sign_in(&world.visitor(), email.as_str(), PASSWORD).await.refused(403, "account_disabled");
    sign_in(&world.visitor(), email.as_str(), "wrong, certainly").await.refused(401, "wrong_credentials");
    operator.post(&act("enable"), &reason()).await.ok();
    operator.post(&act("enable"), &reason()).await.refused(409, "refused");
    sign_in(&ada, email.as_str(), PASSWORD).await.ok();
    operator.post(&act("end-sessions"), &reason()).await.ok();
    ada.get("/api/core/session").await.refused(401, "sign_in_required");
    operator.post(&act("role"), &json!({ "role": "operator", "reason": "promoted" })).await.refused(409, "refused");
    operator.post(&format!("/api/core/accounts/{}/disable", uuid::Uuid::new_v4()), &reason()).await.refused(404, "not_found");

    let noted = operator.get(&format!("/api/core/security-events?account={id}")).await.ok();
    let kinds: Vec<&str> = noted["items"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    for kind in ["account_disabled", "account_enabled", "session_ended", "signed_in", "sign_in_failed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let disabled = noted["items"].as_array().unwrap().iter().find(|event| event["kind"] == "account_disabled").unwrap();
    assert_eq!(disabled["reason"], "asked for by telephone");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_changed_and_a_lost_factor_reset_by_another_operator_only() {
    let world = World::start().await;
    let operator = world.with_role(Role::Operator, None).await;
    let own = operator.get("/api/core/session").await.ok()["account"].as_str().unwrap().to_owned();
    for (what, body) in [
        ("disable", reason()),
        ("end-sessions", reason()),
        ("reset-totp", reason()),
        ("role", json!({ "role": "auditor", "reason": "tired" })),
    ] {
        operator.post(&format!("/api/core/accounts/{own}/{what}"), &body).await.refused(409, "own_account");
    }
    let (id, email) = world.account(Role::Employee, None, STAFF_PASSWORD).await;
    let erin = world.visitor();
    sign_in(&erin, email.as_str(), STAFF_PASSWORD).await.ok();
    let (secret, _) = set_up(&erin, None).await;
    operator.post(&format!("/api/core/accounts/{id}/role"), &json!({ "role": "auditor", "reason": "moves on" })).await.ok();
    erin.get("/api/employee/today").await.refused(401, "sign_in_required");
    sign_in_with(&erin, email.as_str(), STAFF_PASSWORD, &code(&secret, 0)).await.ok();
    erin.get("/api/employee/today").await.refused(401, "sign_in_required");
    erin.get("/api/core/projections").await.ok();
    operator.post(&format!("/api/core/accounts/{id}/reset-totp"), &reason()).await.ok();
    erin.get("/api/core/projections").await.refused(401, "sign_in_required");
    assert_eq!(sign_in(&erin, email.as_str(), STAFF_PASSWORD).await.ok()["enrolling"], json!(true));
    world.end().await;
}
