//! Signing up, in and out, and what a session is worth.

use crate::world::{PASSWORD, World};
use api::authority::ACCESS_COOKIE;
use contract::account::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn address() -> String {
    format!("{}@Example.org", Uuid::new_v4().simple())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_up_in_and_out() {
    let world = World::start().await;
    let (ada, email) = (world.visitor(), address());
    ada.get("/api/core/session").await.refused(401, "sign_in_required");
    let signed_up = ada.post("/api/core/accounts", &json!({ "name": "Ada", "email": email, "password": PASSWORD })).await;
    assert_eq!(signed_up.status, 201);
    let cookies: Vec<&str> = signed_up.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2);
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-astro_"), "{cookie}");
        for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    let me = ada.get("/api/core/session").await.ok();
    assert_eq!((me["role"].as_str(), me["vip"].as_bool(), &me["account"]), (Some("customer"), Some(false), &me["customer"]));
    let again =
        world.visitor().post("/api/core/accounts", &json!({ "name": "Eve", "email": email.to_lowercase(), "password": PASSWORD })).await;
    again.refused(409, "email_taken");

    // Another device signs in, whatever the case of the address; signing out ends that session only.
    let phone = world.visitor();
    assert_eq!(phone.post("/api/core/session", &json!({ "email": email.to_uppercase(), "password": PASSWORD })).await.ok()["name"], "Ada");
    let (kept, refresh) = (phone.cookie(ACCESS_COOKIE), phone.refresh_token());
    assert_eq!(phone.send(phone.request(Method::DELETE, "/api/core/session")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(phone.cookie(ACCESS_COOKIE), "");
    world.visitor().with_token(&world.base, &kept).get("/api/core/session").await.refused(401, "sign_in_required");
    phone.set_cookie("__Host-astro_refresh", &refresh);
    phone.post("/api/core/session/refresh", &json!(null)).await.refused(401, "sign_in_required");
    ada.get("/api/core/session").await.ok();

    // Unknown and known answer alike, in words and about in time.
    let wrong = |email: String| {
        let client = world.visitor();
        async move {
            let began = Instant::now();
            let reply = client.post("/api/core/session", &json!({ "email": email, "password": "not the password" })).await;
            (reply.status, reply.body, began.elapsed())
        }
    };
    let (known, unknown) = (wrong(email.clone()).await, wrong(address()).await);
    assert_eq!((known.0.as_u16(), &known.1), (401, &unknown.1));
    assert!(unknown.2 > known.2 / 4, "{:?} and {:?}: an unknown account is not hashed for", known.2, unknown.2);

    for (password, part) in [("eleven char", "12"), ("password1234", "guess")] {
        let fields = world.visitor().post("/api/core/accounts", &json!({ "name": "A", "email": address(), "password": password })).await;
        assert!(fields.refused(400, "bad_request")["fields"]["password"].as_str().unwrap().contains(part));
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down() {
    let world = World::start().await;
    let email = address();
    world.visitor().post("/api/core/accounts", &json!({ "name": "Ada", "email": email, "password": PASSWORD })).await.ok();
    let guess = |password: &str| {
        let (client, body) = (world.visitor(), json!({ "email": email, "password": password }));
        async move { client.post("/api/core/session", &body).await }
    };
    for _ in 0..5 {
        guess("wrong, certainly").await.refused(401, "wrong_credentials");
    }
    let slowed = guess(PASSWORD).await;
    assert!(slowed.headers.contains_key("retry-after"));
    slowed.refused(429, "too_many_requests");
    let other = world.visitor().post("/api/core/session", &json!({ "email": address(), "password": "wrong" })).await;
    other.refused(401, "wrong_credentials");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_used_once_and_a_thief_ends_the_session() {
    let world = World::start().await;
    let ada = world.customer().await;
    let first = ada.refresh_token();
    assert_eq!(ada.post("/api/core/session/refresh", &json!(null)).await.status, StatusCode::NO_CONTENT);
    let second = ada.refresh_token();
    assert_ne!(first, second);
    // Two tabs at once: the later one is turned away, and nothing else happens.
    let tab = world.visitor();
    tab.set_cookie("__Host-astro_refresh", &first);
    tab.post("/api/core/session/refresh", &json!(null)).await.refused(401, "sign_in_required");
    ada.get("/api/core/session").await.ok();
    ada.post("/api/core/session/refresh", &json!(null)).await;
    // What is older than the one before was stolen by somebody.
    tab.set_cookie("__Host-astro_refresh", &first);
    tab.post("/api/core/session/refresh", &json!(null)).await.refused(401, "sign_in_required");
    ada.post("/api/core/session/refresh", &json!(null)).await.refused(401, "sign_in_required");
    ada.get("/api/core/session").await.refused(401, "sign_in_required");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_has_one_successor() {
    let world = World::start().await;
    let ada = world.customer().await;
    let token = ada.refresh_token();
    let tries = (0..8).map(|_| {
        let tab = world.visitor();
        tab.set_cookie("__Host-astro_refresh", &token);
        async move { tab.post("/api/core/session/refresh", &json!(null)).await.status }
    });
    let statuses = futures::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::NO_CONTENT).count(), 1, "{statuses:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_misplaced_tokens_are_worth_nothing() {
    let world = World::start().await;
    let ada = world.customer().await;
    let token = ada.cookie(ACCESS_COOKIE);
    let parts: Vec<&str> = token.split('.').collect();
    let staff = world.with_role(Role::Employee, None).await.cookie(ACCESS_COOKIE);
    let other: Vec<&str> = staff.split('.').collect();
    let forged = [
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]),
        format!("{}.{}.{}", parts[0], other[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        ada.refresh_token(),
        "x".repeat(5_000),
    ];
    for token in forged {
        for path in ["/api/core/session", "/api/customer/bookings", "/api/supplier/summary", "/api/employee/today"] {
            world.visitor().with_token(&world.base, &token).get(path).await.refused(401, "sign_in_required");
        }
    }
    assert!(Duration::from_secs(600) >= api::core::token::ACCESS_FOR);
    world.end().await;
}
