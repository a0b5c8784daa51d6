//! What operators do with accounts, and that each leaves a trace.

use crate::{
    accounts::{STAFF_PASSWORD, fresh_address, link, sign_in, sign_up},
    client::Client,
    totp::{code, set_up, sign_in_with},
    world::{PASSWORD, SUPPLIER, World},
};
use contract::account::Role;
use serde_json::{Value, json};
use std::fmt::Display;

fn reason() -> Value {
    json!({ "reason": "asked for by telephone" })
}

/// Checks that the trail has these entries about or by an account, each a kind with its reason; gives all of them.
pub(crate) async fn noted(operator: &Client, account: impl Display, entries: &[&str]) -> Value {
    let trail = operator.get(&format!("/api/core/security-events?account={account}")).await.ok()["items"].take();
    let said = |entry: &Value| format!("{} {}", entry["kind"].as_str().unwrap(), entry["reason"].as_str().unwrap()).trim_end().to_owned();
    let said: Vec<String> = trail.as_array().unwrap().iter().map(said).collect();
    for entry in entries {
        assert!(said.iter().any(|said| said == entry), "{entry} in {said:?}");
    }
    trail
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
    noted(&operator, made["id"].as_str().unwrap(), &["staff_invited new here"]).await;

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

    let acts = ["account_disabled", "account_enabled", "session_ended"].map(|kind| format!("{kind} asked for by telephone"));
    noted(&operator, id, &acts.each_ref().map(String::as_str)).await;
    // The right password of a disabled account, a wrong one, and those that got in.
    noted(&operator, id, &["sign_in_failed disabled", "sign_in_failed", "signed_in"]).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_and_enabling_confirms_nobody() {
    let world = World::start().await;
    let (operator, email) = (world.with_role(Role::Operator, None).await, fresh_address());
    sign_up(&world.visitor(), &email, PASSWORD).await.ok();
    let token = link(&world, &email, "Confirm", "confirm").await;
    let asked = operator.get(&format!("/api/core/accounts?search={email}")).await.ok()["items"][0].clone();
    let staff = json!({ "name": "Grace Hopper", "email": fresh_address(), "role": "employee", "supplier": null, "reason": "new here" });
    let invited = operator.post("/api/core/accounts/staff", &staff).await.ok();
    for account in [&asked, &invited] {
        let at = format!("/api/core/accounts/{}", account["id"].as_str().unwrap());
        assert_eq!(account["state"], "unconfirmed");
        operator.post(&format!("{at}/disable"), &reason()).await.ok();
        operator.post(&format!("{at}/enable"), &reason()).await.ok();
        assert_eq!(operator.get(&at).await.ok()["state"], "unconfirmed");
    }
    sign_in(&world.visitor(), &email, PASSWORD).await.refused(401, "wrong_credentials");
    world.visitor().post("/api/core/accounts/confirm", &json!({ "token": token })).await.refused(409, "link_expired");

    // The invitation's link is gone with that; who forgot, or never chose, a password asks for another.
    let email = staff["email"].as_str().unwrap();
    world.visitor().post("/api/core/password/forgotten", &json!({ "email": email })).await.ok();
    let token = link(&world, email, "password", "reset").await;
    world.visitor().post("/api/core/password/reset", &json!({ "token": token, "password": STAFF_PASSWORD })).await.ok();
    assert_eq!(sign_in(&world.visitor(), email, STAFF_PASSWORD).await.ok()["enrolling"], json!(true));
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
    let entries = ["totp_enrolled", "role_changed employee to auditor: moves on", "totp_removed asked for by telephone"];
    noted(&operator, id, &entries).await;
    world.end().await;
}
