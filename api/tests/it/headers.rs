//! What every answer tells browsers, and which other sites' pages may call.

use crate::world::World;
use contract::account::Role;
use reqwest::{Method, Response, header::HeaderMap};
use serde_json::json;
use uuid::Uuid;

const FRIEND: &str = "https://partner.example";

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

async fn asked(world: &World, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers.iter().fold(world.visitor().request(method, path), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

/// Checks that an answer tells browsers what every answer tells them, and that nobody may keep it.
fn guarded(headers: &HeaderMap, path: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(text(headers, name), value, "{path} {name}");
    }
    let policy = text(headers, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("'wasm-unsafe-eval'"), "{path}: {policy}");
    for never in ["unsafe-inline", "'unsafe-eval'", "*", "http:", "https:"] {
        assert!(!policy.contains(never), "{path}: {policy}");
    }
    for part in ["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "script-src 'self'", "connect-src 'self'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(Uuid::parse_str(text(headers, "request-id")).is_ok(), "{path}: {headers:?}");
    for never in ["server", "x-powered-by", "access-control-allow-origin"] {
        assert!(!headers.contains_key(never), "{path}: {never}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers() {
    let world = World::start().await;
    let paths = [
        "/",
        "/health",
        "/assets/none.css",
        "/api/customer/launches",
        "/api/core/session",
        "/api/nothing",
        "/api/core/openapi.json",
        "/%ff",
    ];
    for path in paths {
        guarded(asked(&world, Method::GET, path, &[]).await.headers(), path);
    }
    // What a stranger calls a request is not what it is called here.
    let given = Uuid::new_v4().to_string();
    let reply = asked(&world, Method::GET, "/health", &[("request-id", &given)]).await;
    assert_ne!(text(reply.headers(), "request-id"), given);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_one_alone_and_every_apps_pages_have_them_too() {
    let folder = crate::pages::built();
    let world = World::with_pages(Some(folder.clone())).await;
    let customer = world.customer().await;
    let private = [
        (customer.clone(), "/api/customer/bookings"),
        (customer.clone(), "/api/customer/export"),
        (customer.clone(), "/api/customer/export?format=html"),
        (customer.clone(), "/api/core/session"),
        (customer.clone(), "/trips"),
        (world.with_role(Role::Operator, None).await, "/api/core/accounts"),
        (world.with_role(Role::Employee, None).await, "/api/employee/today"),
        (world.supplier().await, "/api/supplier/launches"),
    ];
    for (client, path) in private {
        let reply = client.get(path).await;
        assert!(reply.status.is_success(), "{path}: {reply:?}");
        guarded(&reply.headers, path);
    }
    for path in ["/", "/sign-in", "/supplier", "/employee/bookings", "/admin/logs"] {
        let page = asked(&world, Method::GET, path, &[]).await;
        assert_eq!((page.status().as_u16(), text(page.headers(), "content-type")), (200, "text/html; charset=utf-8"), "{path}");
        guarded(page.headers(), path);
    }
    world.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_named_origins_may_call_and_exactly_those() {
    let world = World::with(|config| config.allowed_origins = vec![FRIEND.to_owned()], None).await;
    let path = "/api/customer/launches";
    let preflight = async |origin: &str| {
        let headers =
            [("origin", origin), ("access-control-request-method", "POST"), ("access-control-request-headers", "idempotency-key")];
        asked(&world, Method::OPTIONS, path, &headers).await
    };
    let reply = preflight(FRIEND).await;
    assert_eq!(reply.status(), 204);
    assert_eq!(text(reply.headers(), "access-control-allow-origin"), FRIEND);
    assert_eq!(text(reply.headers(), "access-control-allow-credentials"), "true");
    assert!(text(reply.headers(), "access-control-allow-headers").contains("idempotency-key"));
    let reply = asked(&world, Method::GET, path, &[("origin", FRIEND)]).await;
    assert_eq!(text(reply.headers(), "access-control-allow-origin"), FRIEND);
    assert!(reply.headers().get_all("vary").iter().any(|vary| vary.to_str().unwrap().to_lowercase().contains("origin")));
    for stranger in [
        "https://evil.example",
        "https://partner.example.evil.example",
        "http://partner.example",
        "https://PARTNER.example",
        "null",
        "*",
        "",
    ] {
        for reply in [preflight(stranger).await, asked(&world, Method::GET, path, &[("origin", stranger)]).await] {
            assert!(!reply.headers().contains_key("access-control-allow-origin"), "{stranger}");
            assert!(!reply.headers().contains_key("access-control-allow-credentials"), "{stranger}");
        }
    }
    // And only their pages may change something, beside our own.
    let sign_out = async |origin: &str| asked(&world, Method::DELETE, "/api/core/session", &[("origin", origin)]).await.status().as_u16();
    assert_eq!(sign_out(FRIEND).await, 204);
    assert_eq!(sign_out("https://evil.example").await, 403);
    assert_eq!(sign_out("null").await, 403);
    assert_eq!(sign_out(&world.base).await, 204);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_for_our_own_pages_and_no_script() {
    let world = World::start().await;
    let reply = asked(&world, Method::DELETE, "/api/core/session", &[]).await;
    let cookies: Vec<&str> = reply.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for cookie in cookies {
        for part in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite="] {
            assert!(cookie.contains(part) && !cookie.contains("Domain"), "{cookie}");
        }
    }
    // Figures and ways in for developers are not on the public port.
    for path in ["/metrics", "/debug", "/debug/pprof", "/api/metrics", "/api/core/metrics"] {
        assert_eq!(asked(&world, Method::GET, path, &[]).await.status(), 404, "{path}");
    }
    let ready: serde_json::Value = asked(&world, Method::GET, "/ready", &[]).await.json().await.unwrap();
    assert!(ready.as_object().unwrap().values().all(serde_json::Value::is_boolean), "{ready}");
    assert_ne!(ready, json!({}));
    world.end().await;
}
