//! What a session is worth, for how long, and how it ends. Each check of the security design is one test.

use crate::{
    accounts::sign_in,
    people::noted,
    personal::account_of,
    world::{PASSWORD, World},
};
use api::{
    authority::ACCESS_COOKIE,
    core::session::{Issued, RefreshError, Sessions},
};
use contract::account::Role;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_kept_from_scripts_and_other_sites_and_each_sign_in_is_a_new_session() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Customer, None, PASSWORD).await;
    let ada = world.visitor();
    ada.get("/api/core/session").await.refused(401, "sign_in_required");
    let signed_in = sign_in(&ada, email.as_str(), PASSWORD).await;
    let cookies: Vec<&str> = signed_in.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 3);
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-astro_"), "{cookie}");
        for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    // Signing in again is a new session, and the one before is over.
    let (before, session) = (ada.cookie(ACCESS_COOKIE), ada.refresh_token().split('.').next().unwrap().to_owned());
    sign_in(&ada, email.as_str(), PASSWORD).await.ok();
    assert_ne!(ada.refresh_token().split('.').next().unwrap(), session);
    world.visitor().with_token(&world.base, &before).get("/api/core/session").await.refused(401, "sign_in_required");

    // Another device; signing out there ends that session only.
    let phone = world.visitor();
    sign_in(&phone, email.as_str(), PASSWORD).await.ok();
    let (kept, refresh) = (phone.cookie(ACCESS_COOKIE), phone.refresh_token());
    assert_eq!(phone.send(phone.request(Method::DELETE, "/api/core/session")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(phone.cookie(ACCESS_COOKIE), "");
    world.visitor().with_token(&world.base, &kept).get("/api/core/session").await.refused(401, "sign_in_required");
    phone.set_cookie("__Host-astro_refresh", &refresh);
    phone.post("/api/core/session/refresh", &json!(null)).await.refused(401, "sign_in_required");
    ada.get("/api/core/session").await.ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_others_are_ended() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Customer, None, PASSWORD).await;
    let (desk, phone, tablet) = (world.visitor(), world.visitor(), world.visitor());
    for client in [&desk, &phone, &tablet] {
        sign_in(client, email.as_str(), PASSWORD).await.ok();
    }
    let list = desk.get("/api/core/sessions").await.ok();
    let rows = list.as_array().unwrap();
    assert_eq!((rows.len(), rows.iter().filter(|row| row["current"] == true).count()), (3, 1), "{list}");
    assert!(rows.iter().all(|row| row["address"] == "127.0.0.*"), "{list}");
    let others = phone.get("/api/core/sessions").await.ok();
    let own = others.as_array().unwrap().iter().find(|row| row["current"] == true).unwrap()["id"].as_str().unwrap().to_owned();
    let end = |client: &crate::client::Client, id: &str| {
        let (client, path) = (client.clone(), format!("/api/core/sessions/{id}"));
        async move { client.send(client.request(Method::DELETE, &path)).await }
    };
    // Another's session is none there is.
    end(&world.customer().await, &own).await.refused(404, "not_found");
    end(&desk, &own).await.ok();
    phone.get("/api/core/session").await.refused(401, "sign_in_required");
    desk.send(desk.request(Method::DELETE, "/api/core/sessions")).await.ok();
    tablet.get("/api/core/session").await.refused(401, "sign_in_required");
    desk.get("/api/core/session").await.ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_there_are_all_sessions_end() {
    /// More than are listed.
    const SESSIONS: usize = 150;
    let world = World::start().await;
    let (account, _) = world.account(Role::Customer, None, "").await;
    let (sessions, now) = (&world.app.sessions, Timestamp::now());
    let start = || futures::future::try_join_all((0..SESSIONS).map(|_| sessions.start(account, Role::Customer, now)));
    let over = async |issued: &[Issued]| {
        for one in issued {
            assert!(!sessions.goes_on(one.session, now).await.unwrap());
            assert!(matches!(sessions.refresh(&one.refresh, now).await, Err(RefreshError::Over)));
        }
    };
    let others = start().await.unwrap();
    for other in &others {
        assert!(sessions.goes_on(other.session, now).await.unwrap(), "which is believed for a while");
    }
    let desk = world.signed_in(account, Role::Customer, None).await;
    desk.send(desk.request(Method::DELETE, "/api/core/sessions")).await.ok();
    over(&others).await;
    assert_eq!(desk.get("/api/core/sessions").await.ok().as_array().unwrap().len(), 1);

    let all = start().await.unwrap();
    let operator = world.with_role(Role::Operator, None).await;
    operator.post(&format!("/api/core/accounts/{account}/end-sessions"), &json!({ "reason": "asked for" })).await.ok();
    over(&all).await;
    desk.get("/api/core/session").await.refused(401, "sign_in_required");
    desk.post("/api/core/session/refresh", &json!(null)).await.refused(401, "sign_in_required");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_rest_30_minutes_and_stay_12_hours_customers_30_days() {
    let world = World::start().await;
    let (sessions, now) = (&world.app.sessions, Timestamp::now());
    let in_ = |minutes: i64| now + SignedDuration::from_mins(minutes);
    let goes_on = async |session: Uuid, at: Timestamp| sessions.goes_on(session, at).await.unwrap();
    let id = api::core::account::new_id();

    let idle = sessions.start(id, Role::Operator, now).await.unwrap();
    assert!(goes_on(idle.session, in_(29)).await, "and was seen then");
    assert!(goes_on(idle.session, in_(58)).await);
    assert!(!goes_on(idle.session, in_(58 + 31)).await);
    assert!(matches!(sessions.refresh(&idle.refresh, in_(58 + 31)).await, Err(RefreshError::Over)));

    let busy = sessions.start(id, Role::Operator, now).await.unwrap();
    for minutes in (29..12 * 60).step_by(29) {
        assert!(goes_on(busy.session, in_(minutes)).await, "{minutes}");
    }
    assert!(!goes_on(busy.session, in_(12 * 60)).await, "however busy");

    let customer = sessions.start(id, Role::Customer, now).await.unwrap();
    assert!(goes_on(customer.session, in_(30 * 24 * 60 - 1)).await);
    assert!(!goes_on(customer.session, in_(30 * 24 * 60)).await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_felt_by_other_processes_within_5_seconds() {
    let world = World::start().await;
    let now = Timestamp::now();
    // What another process believes.
    let elsewhere = Sessions::new(&world.servers.mongo.system);
    let id = api::core::account::new_id();
    let (one, two) = (
        world.app.sessions.start(id, Role::Customer, now).await.unwrap(),
        world.app.sessions.start(id, Role::Customer, now).await.unwrap(),
    );
    assert!(elsewhere.goes_on(one.session, now).await.unwrap() && elsewhere.goes_on(two.session, now).await.unwrap());
    world.app.sessions.end(one.session, now).await.unwrap();
    world.app.sessions.end_all(id, None, now).await.unwrap(); // as disabling does
    let later = now + SignedDuration::from_millis(4_900);
    assert!(!elsewhere.goes_on(one.session, later).await.unwrap());
    assert!(!elsewhere.goes_on(two.session, later).await.unwrap());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authentication_store_that_is_down_means_closed() {
    // Nothing listens there.
    let nowhere = mongodb::Client::with_uri_str("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300").await.unwrap();
    let sessions = Sessions::new(&nowhere.database("x"));
    let failed = sessions.goes_on(Uuid::new_v4(), Timestamp::now()).await.unwrap_err();
    let answer = api::problem::ApiError::from(failed);
    assert_eq!(answer.code(), contract::Code::Unavailable);
    assert!(axum::response::IntoResponse::into_response(answer).headers().contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_used_once_and_a_thief_ends_the_session() {
    let world = World::start().await;
    let ada = world.customer().await;
    let account = account_of(&ada).await;
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
    noted(&world.with_role(Role::Operator, None).await, account, &["refresh_reused"]).await;
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
    assert_eq!(api::core::token::ACCESS_FOR, Duration::from_secs(600));
    world.end().await;
}
