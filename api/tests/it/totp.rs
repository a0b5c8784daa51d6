//! The second factor: who needs one, setting it up, codes that are used once, recovery codes. Codes are made by another implementation.

use crate::{
    accounts::{STAFF_PASSWORD, sign_in},
    client::{Client, Reply},
    people::noted,
    world::{PASSWORD, SUPPLIER, World},
};
use contract::account::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use totp_rs::{Algorithm, Secret, TOTP};

/// Seconds of a step.
const STEP: u64 = 30;

/// The code that is shown `steps` steps from now.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let bytes = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    TOTP::new(Algorithm::SHA1, 6, 1, STEP, bytes).unwrap().generate(now.checked_add_signed(steps * 30).unwrap())
}

pub(crate) async fn sign_in_with(client: &Client, email: &str, password: &str, code: &str) -> Reply {
    client.post("/api/core/session", &json!({ "email": email, "password": password, "code": code })).await
}

/// Sets a factor up; gives the secret and the recovery codes.
pub(crate) async fn set_up(client: &Client, password: Option<&str>) -> (String, Vec<String>) {
    let start = client.post("/api/core/totp", &json!({ "password": password })).await.ok();
    let secret = start["secret"].as_str().unwrap().to_owned();
    assert!(start["uri"].as_str().unwrap().contains(&secret) && start["qr"].as_str().unwrap().contains("<svg"));
    client.post("/api/core/totp/confirm", &json!({ "code": "000000" })).await.refused(401, "second_factor_wrong");
    let codes = client.post("/api/core/totp/confirm", &json!({ "code": code(&secret, -1) })).await.ok();
    (secret, codes["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_set_a_second_factor_up_before_anything_else() {
    let world = World::start().await;
    for (role, supplier, path) in [
        (Role::Supplier, Some(SUPPLIER), "/api/supplier/rockets"),
        (Role::Employee, None, "/api/employee/today"),
        (Role::Operator, None, "/api/core/projections"),
        (Role::Auditor, None, "/api/core/projections"),
    ] {
        let (_, email) = world.account(role, supplier, STAFF_PASSWORD).await;
        let client = world.visitor();
        let me = sign_in(&client, email.as_str(), STAFF_PASSWORD).await.ok();
        assert_eq!((&me["enrolling"], &me["second_factor"]), (&json!(true), &json!(false)), "{role:?}");
        // Worth nothing but for setting one up and signing out.
        for path in [path, "/api/core/sessions"] {
            let refused = client.get(path).await;
            assert!([401, 403].contains(&refused.status.as_u16()), "{role:?} {path}: {refused:?}");
        }
        let enrolling = client.cookie(api::authority::ACCESS_COOKIE);
        let (secret, codes) = set_up(&client, None).await;
        assert_eq!(codes.len(), 10);
        client.get(path).await.ok();
        assert_eq!(client.get("/api/core/session").await.ok()["enrolling"], json!(false));
        // The session it was set up in is over.
        world.visitor().with_token(&world.base, &enrolling).get("/api/core/session").await.refused(401, "sign_in_required");
        // From now on the password is not enough.
        let again = world.visitor();
        sign_in(&again, email.as_str(), STAFF_PASSWORD).await.refused(401, "second_factor_required");
        sign_in_with(&again, email.as_str(), STAFF_PASSWORD, &code(&secret, 0)).await.ok();
        again.get(path).await.ok();
        // Nor may they take it away.
        let removal = again.request(Method::DELETE, "/api/core/totp").json(&json!({ "password": STAFF_PASSWORD, "code": codes[0] }));
        again.send(removal).await.refused(403, "forbidden");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_once_and_is_good_one_step_each_way() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Employee, None, STAFF_PASSWORD).await;
    let client = world.visitor();
    sign_in(&client, email.as_str(), STAFF_PASSWORD).await.ok();
    let (secret, _) = set_up(&client, None).await;
    let with = |code: String| {
        let (client, email) = (world.visitor(), email.to_string());
        async move { sign_in_with(&client, &email, STAFF_PASSWORD, &code).await }
    };
    // That of the step before was used to set it up.
    with(code(&secret, -1)).await.refused(401, "second_factor_wrong");
    let now = code(&secret, 0);
    with(now.clone()).await.ok();
    with(now).await.refused(401, "second_factor_wrong");
    with(code(&secret, 1)).await.ok();
    // Of two at once, one gets in; and none older than the newest that was used.
    with(code(&secret, 0)).await.refused(401, "second_factor_wrong");
    with(code(&secret, 4)).await.refused(401, "second_factor_wrong");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_codes_is_slowed_down_for_those_who_know_the_password() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Employee, None, STAFF_PASSWORD).await;
    let client = world.visitor();
    sign_in(&client, email.as_str(), STAFF_PASSWORD).await.ok();
    let (secret, _) = set_up(&client, None).await;
    let thief = world.visitor();
    for _ in 0..5 {
        sign_in_with(&thief, email.as_str(), STAFF_PASSWORD, "123123").await.refused(401, "second_factor_wrong");
    }
    sign_in_with(&thief, email.as_str(), STAFF_PASSWORD, &code(&secret, 0)).await.refused(429, "too_many_requests");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_works_once_and_new_ones_end_the_old() {
    let world = World::start().await;
    let (id, email) = world.account(Role::Customer, None, PASSWORD).await;
    let client = world.visitor();
    sign_in(&client, email.as_str(), PASSWORD).await.ok();
    client.post("/api/core/totp", &json!({ "password": "not the password" })).await.refused(400, "bad_request");
    let (secret, codes) = set_up(&client, Some(PASSWORD)).await;
    let stored = world.servers.mongo.system.collection::<mongodb::bson::Document>("accounts");
    let stored = stored.find_one(mongodb::bson::doc! { "_id": id.to_string() }).await.unwrap().unwrap().to_string();
    assert!(!stored.contains(&secret) && !stored.contains(&codes[0]) && !stored.contains(&codes[0].replace('-', "")), "hashed or sealed");
    let with = |code: String| {
        let (client, email) = (world.visitor(), email.to_string());
        async move { sign_in_with(&client, &email, PASSWORD, &code).await }
    };
    let me = with(codes[0].to_uppercase()).await.ok();
    assert_eq!(me["recovery_codes"], json!(9));
    with(codes[0].clone()).await.refused(401, "second_factor_wrong");
    let again = client.post("/api/core/recovery-codes", &json!({ "password": PASSWORD, "code": codes[1] })).await.ok();
    with(codes[2].clone()).await.refused(401, "second_factor_wrong");
    let fresh = again["codes"].as_array().unwrap().iter().filter_map(Value::as_str).next().unwrap().to_owned();
    with(fresh).await.ok();
    // A customer may do without again.
    let removal = client.request(Method::DELETE, "/api/core/totp").json(&json!({ "password": PASSWORD, "code": code(&secret, 0) }));
    client.send(removal).await.ok();
    sign_in(&world.visitor(), email.as_str(), PASSWORD).await.ok();
    let entries = ["password_check_failed", "totp_enrolled", "recovery_code_used", "recovery_codes_renewed", "totp_removed"];
    noted(&world.with_role(Role::Operator, None).await, id, &entries).await;
    world.end().await;
}
