//! Authentication: asking for an account, passwords, links in mails, guessing. Each check of the security design is one test.

use crate::{
    client::{Client, Reply},
    people::noted,
    world::{PASSWORD, World},
};
use api::core::{
    account::UNCONFIRMED_FOR,
    link::{Purpose, RESET_FOR},
};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use aws_lc_rs::hmac;
use contract::account::Role;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) const STAFF_PASSWORD: &str = "longer still, for staff";

pub(crate) fn fresh_address() -> String {
    format!("{}@Example.org", Uuid::new_v4().simple())
}

/// The newest mail to `email` about `subject`.
async fn mail(world: &World, email: &str, subject: &str) -> String {
    let is = |mail: &Value| {
        mail["to"].as_str().unwrap().to_lowercase().contains(&email.to_lowercase()) && mail["subject"].as_str().unwrap().contains(subject)
    };
    let found = |page: &Value| page["items"].as_array().unwrap().iter().find(|mail| is(mail)).cloned();
    let page = world.visitor().until("/api/core/mailbox?per_page=100", |page| found(page).is_some()).await;
    found(&page).unwrap()["text"].as_str().unwrap().to_owned()
}

/// The secret in the fragment of the link of a mail.
pub(crate) async fn link(world: &World, email: &str, subject: &str, page: &str) -> String {
    let text = mail(world, email, subject).await;
    let (_, rest) = text.split_once(&format!("/{page}#")).unwrap_or_else(|| panic!("no link to /{page} in {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

pub(crate) async fn sign_up(client: &Client, email: &str, password: &str) -> Reply {
    client.post("/api/core/accounts", &json!({ "name": "Ada Byron", "email": email, "password": password })).await
}
pub(crate) async fn sign_in(client: &Client, email: &str, password: &str) -> Reply {
    client.post("/api/core/session", &json!({ "email": email, "password": password })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_asked_for_confirmed_by_mail_and_entered() {
    let world = World::start().await;
    let (ada, email) = (world.visitor(), fresh_address());
    let asked = sign_up(&ada, &email, PASSWORD).await;
    assert_eq!((asked.status.as_u16(), &asked.body), (202, &Value::Null));
    assert!(!asked.headers.contains_key("set-cookie"), "asking signs nobody in");
    let token = link(&world, &email, "Confirm", "confirm").await;
    sign_in(&ada, &email, PASSWORD).await.refused(401, "wrong_credentials");
    ada.post("/api/core/accounts/confirm", &json!({ "token": "0".repeat(64) })).await.refused(409, "link_expired");
    ada.post("/api/core/accounts/confirm", &json!({ "token": token })).await.ok();
    ada.post("/api/core/accounts/confirm", &json!({ "token": token })).await.refused(409, "link_expired");
    let me = sign_in(&ada, &email.to_uppercase(), PASSWORD).await.ok();
    assert_eq!((me["name"].as_str(), me["role"].as_str(), &me["account"]), (Some("Ada Byron"), Some("customer"), &me["customer"]));

    // Nothing of the person is readable where accounts are kept, nor the secrets of links.
    let accounts = world.servers.mongo.system.collection::<Document>("accounts");
    let stored = accounts.find_one(doc! { "_id": me["account"].as_str().unwrap() }).await.unwrap().unwrap().to_string();
    for part in ["Byron", &email.to_lowercase()] {
        assert!(!stored.to_lowercase().contains(&part.to_lowercase()), "{stored}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sign_up_answers_like_the_first_and_only_the_mail_says_more() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Customer, None, PASSWORD).await;
    let known = sign_up(&world.visitor(), email.as_str(), "another long password").await;
    let unknown = sign_up(&world.visitor(), &fresh_address(), "another long password").await;
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    assert!(mail(&world, email.as_str(), "You have an account already").await.contains("has one already"));
    // The password of the account is what it was.
    sign_in(&world.visitor(), email.as_str(), "another long password").await.refused(401, "wrong_credentials");
    sign_in(&world.visitor(), email.as_str(), PASSWORD).await.ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_ask_with_an_address_who_reads_its_mail_gets_it() {
    let world = World::start().await;
    let email = fresh_address();
    sign_up(&world.visitor(), &email, "the password of a thief").await.ok();
    let thiefs = link(&world, &email, "Confirm", "confirm").await;
    sign_up(&world.visitor(), &email, PASSWORD).await.ok();
    let second = world.visitor();
    let mut own = thiefs.clone();
    let began = Instant::now();
    while own == thiefs {
        assert!(began.elapsed() < Duration::from_secs(20), "the second mail does not come");
        own = link(&world, &email, "Confirm", "confirm").await;
    }
    second.post("/api/core/accounts/confirm", &json!({ "token": own })).await.ok();
    second.post("/api/core/accounts/confirm", &json!({ "token": thiefs })).await.refused(409, "link_expired");
    sign_in(&world.visitor(), &email, "the password of a thief").await.refused(401, "wrong_credentials");
    sign_in(&second, &email, PASSWORD).await.ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_short_huge_common_or_ones_own_are_refused_and_any_other_unicode_is_kept_as_typed() {
    let world = World::start().await;
    let refused = |password: String| {
        let client = world.visitor();
        async move {
            let fields = sign_up(&client, "lovelace.augusta@example.org", &password).await.refused(400, "bad_request");
            fields["fields"]["password"].as_str().unwrap().to_owned()
        }
    };
    assert!(refused("eleven char".into()).await.contains("12"));
    assert!(refused("x".repeat(1_025)).await.contains("1024"));
    assert!(refused("Password123456".into()).await.contains("guess"));
    assert!(refused("lovelace.augusta".into()).await.contains("your name"));
    // 64, 128 characters, spaces at both ends, and other scripts.
    let prose = "Space is big. Really big. You just won't believe how vastly, hugely, mind-bogglingly big it is. I mean, you may think it's a long way.";
    for password in [prose[..64].to_owned(), prose[..128].to_owned(), "  кот и собака  ".to_owned()] {
        let email = fresh_address();
        sign_up(&world.visitor(), &email, &password).await.ok();
        let token = link(&world, &email, "Confirm", "confirm").await;
        world.visitor().post("/api/core/accounts/confirm", &json!({ "token": token })).await.ok();
        if password.trim() != password {
            sign_in(&world.visitor(), &email, password.trim()).await.refused(401, "wrong_credentials");
        }
        sign_in(&world.visitor(), &email, &password).await.ok();
    }
    world.end().await;
}

/// How long refusing a sign-in takes, for accounts there are and for as many there are not: the medians. Body and status are compared on the
/// way.
async fn refusals(world: &World, known: &[String]) -> [Duration; 2] {
    let (mut times, mut told) = ([Vec::new(), Vec::new()], None);
    for (n, email) in known.iter().enumerate() {
        let mut pair = [(0, email.clone()), (1, fresh_address())];
        if n % 2 == 0 {
            pair.reverse(); // neither is always the second
        }
        for (kind, email) in pair {
            // Each from an address of its own, so that none is slowed down.
            let client = world.visitor_from([127, 3, u8::try_from(kind).unwrap(), u8::try_from(n).unwrap()]);
            client.get("/health").await;
            let began = Instant::now();
            let reply = sign_in(&client, &email, "not the password").await;
            times[kind].push(began.elapsed());
            assert_eq!(&reply.body, told.get_or_insert_with(|| reply.body.clone()), "known and unknown alike");
            reply.refused(401, "wrong_credentials");
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_known_users_answer_alike_in_body_status_and_time() {
    /// Of each kind, in one try.
    const SAMPLES: usize = 24;
    /// How far apart the medians may be.
    const APART_MAX: Duration = Duration::from_millis(5);
    const TRIES: usize = 3;
    let world = World::start().await;
    let mut emails = Vec::new();
    for _ in 0..SAMPLES {
        emails.push(world.account(Role::Customer, None, PASSWORD).await.1.to_string());
    }
    for left in (0..TRIES).rev() {
        let [known, unknown] = refusals(&world, &emails).await;
        eprintln!("sign-in refused: known {known:?}, unknown {unknown:?} (medians of {SAMPLES})");
        // Where nothing is hashed for the unknown, theirs takes a fraction of the time.
        let same_work = unknown * 2 >= known && known * 2 >= unknown;
        if same_work && known.abs_diff(unknown) < APART_MAX {
            break;
        }
        // Beside other tests one turn of another thread takes as long as that: what is sure even then is that the same work was done.
        assert!(left > 0 || same_work, "known {known:?}, unknown {unknown:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_for_the_account_and_the_address_but_not_for_the_owners_device() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Customer, None, PASSWORD).await;
    let home = world.visitor_from([127, 2, 0, 1]);
    sign_in(&home, email.as_str(), PASSWORD).await.ok();
    assert!(home.cookie("__Host-astro_device").contains('.'));
    let thief = world.visitor_from([127, 2, 0, 2]);
    for _ in 0..5 {
        sign_in(&thief, email.as_str(), "wrong, certainly").await.refused(401, "wrong_credentials");
    }
    let slowed = sign_in(&thief, email.as_str(), PASSWORD).await;
    assert!(slowed.headers.contains_key("retry-after"));
    slowed.refused(429, "too_many_requests");
    // The account is slowed down from everywhere, and the address for every account; but not the device the owner knows.
    sign_in(&world.visitor_from([127, 2, 0, 3]), email.as_str(), PASSWORD).await.refused(429, "too_many_requests");
    sign_in(&thief, &fresh_address(), "wrong, certainly").await.refused(429, "too_many_requests");
    sign_in(&home, email.as_str(), PASSWORD).await.ok();
    // A device of another account is no known device here.
    let (_, other) = world.account(Role::Customer, None, PASSWORD).await;
    let neighbour = world.visitor_from([127, 2, 0, 4]);
    sign_in(&neighbour, other.as_str(), PASSWORD).await.ok();
    sign_in(&neighbour, email.as_str(), PASSWORD).await.refused(429, "too_many_requests");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_are_counted_like_one_after_the_other() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Customer, None, PASSWORD).await;
    let guesses = (0..20).map(|_| {
        let client = world.visitor();
        let email = email.to_string();
        async move { sign_in(&client, &email, "wrong, certainly").await.status.as_u16() }
    });
    let statuses = futures::future::join_all(guesses).await;
    let tried = statuses.iter().filter(|status| **status == 401).count();
    assert!(tried <= 6, "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_needs_the_current_one_and_ends_other_sessions() {
    let world = World::start().await;
    let (id, email) = world.account(Role::Customer, None, PASSWORD).await;
    let (desk, phone) = (world.visitor(), world.visitor());
    sign_in(&desk, email.as_str(), PASSWORD).await.ok();
    sign_in(&phone, email.as_str(), PASSWORD).await.ok();
    let change = |current: &str, new: &str| {
        let (client, body) = (desk.clone(), json!({ "current": current, "new": new }));
        async move { client.post("/api/core/password", &body).await }
    };
    let new = "quite another password";
    assert!(change("not this one", new).await.refused(400, "bad_request")["fields"]["current"].is_string());
    assert!(change(PASSWORD, "short").await.refused(400, "bad_request")["fields"]["new"].is_string());
    change(PASSWORD, new).await.ok();
    desk.get("/api/core/session").await.ok();
    phone.get("/api/core/session").await.refused(401, "sign_in_required");
    sign_in(&world.visitor(), email.as_str(), PASSWORD).await.refused(401, "wrong_credentials");
    sign_in(&world.visitor(), email.as_str(), new).await.ok();
    mail(&world, email.as_str(), "Your password was changed").await;
    noted(&world.with_role(Role::Operator, None).await, id, &["password_check_failed", "password_changed"]).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_has_256_bits_is_hashed_and_works_once_for_15_minutes() {
    let world = World::start().await;
    let (id, email) = world.account(Role::Customer, None, PASSWORD).await;
    let signed_in = world.visitor();
    sign_in(&signed_in, email.as_str(), PASSWORD).await.ok();
    let visitor = world.visitor();
    for address in [email.to_string(), fresh_address()] {
        let asked = visitor.post("/api/core/password/forgotten", &json!({ "email": address })).await;
        assert_eq!((asked.status.as_u16(), &asked.body), (202, &Value::Null), "known and unknown alike");
    }
    let token = link(&world, email.as_str(), "Set another password", "reset").await;
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "32 bytes");
    let links = world.servers.mongo.system.collection::<Document>("links");
    let stored = links.find_one(doc! { "account": id.to_string() }).await.unwrap().unwrap();
    assert!(!stored.to_string().contains(&token), "only its hash is kept");
    // Its time.
    let now = Timestamp::now();
    assert_eq!(RESET_FOR, Duration::from_secs(15 * 60));
    assert_eq!(world.app.links.look(&token, now + Duration::from_secs(14 * 60)).await.unwrap(), Some((id, Purpose::Reset)));
    assert_eq!(world.app.links.look(&token, now + RESET_FOR).await.unwrap(), None);
    // A bad password does not use it up; a good one does, and ends every session.
    let reset = |password: &str| {
        let (client, body) = (visitor.clone(), json!({ "token": token, "password": password }));
        async move { client.post("/api/core/password/reset", &body).await }
    };
    reset("short").await.refused(400, "bad_request");
    let new = "quite another password";
    reset(new).await.ok();
    reset("and yet another password").await.refused(409, "link_expired");
    signed_in.get("/api/core/session").await.refused(401, "sign_in_required");
    sign_in(&visitor, email.as_str(), new).await.ok();
    // A newer link makes the older one worthless.
    let older = world.app.links.issue(id, Purpose::Reset, now).await.unwrap().secret;
    world.app.links.issue(id, Purpose::Reset, now).await.unwrap();
    assert_eq!(world.app.links.look(&older, now).await.unwrap(), None);
    // A link to confirm is none to reset.
    let confirm = world.app.links.issue(id, Purpose::Confirm, now).await.unwrap();
    assert_eq!(confirm.until, now + UNCONFIRMED_FOR);
    visitor.post("/api/core/password/reset", &json!({ "token": confirm.secret, "password": new })).await.refused(409, "link_expired");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_older_parameters_is_made_anew_at_the_next_sign_in() {
    let world = World::start().await;
    let (id, email) = world.account(Role::Customer, None, PASSWORD).await;
    let pepper = hmac::Key::new(hmac::HMAC_SHA256, &std::fs::read(world.keys().join("pepper")).unwrap());
    let older = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(&[7; 16]).unwrap();
    let older = older.hash_password(hmac::sign(&pepper, PASSWORD.as_bytes()).as_ref(), &salt).unwrap().to_string();
    let accounts = world.servers.mongo.system.collection::<Document>("accounts");
    let own = doc! { "_id": id.to_string() };
    accounts.update_one(own.clone(), doc! { "$set": { "password": older } }).await.unwrap();
    for _ in 0..2 {
        sign_in(&world.visitor(), email.as_str(), PASSWORD).await.ok();
        let stored = accounts.find_one(own.clone()).await.unwrap().unwrap();
        assert!(stored.get_str("password").unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_installation_has_no_account() {
    let world = World::start().await;
    assert_eq!(world.servers.mongo.system.collection::<Document>("accounts").count_documents(doc! {}).await.unwrap(), 0);
    for (email, password) in [("admin@astro.example", "admin"), ("operator@demo.astro.example", "password1234")] {
        sign_in(&world.visitor(), email, password).await.refused(401, "wrong_credentials");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hashings_at_once_the_rest_waits_and_too_many_are_told_to_come_back() {
    let world = World::start().await;
    let (_, email) = world.account(Role::Customer, None, PASSWORD).await;
    let client = world.visitor();
    sign_in(&client, email.as_str(), PASSWORD).await.ok();
    let began = Instant::now();
    sign_in(&client, email.as_str(), PASSWORD).await.ok();
    eprintln!("one sign-in took {:?}", began.elapsed());
    // 2 run and 64 wait; of 150 at once some are turned away, and none fails otherwise.
    let asked = (0..150).map(|_| async { world.app.passwords.hash("any password at all").await.map(drop) });
    let answers = futures::future::join_all(asked).await;
    let busy: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(!busy.is_empty());
    for error in busy {
        assert_eq!(error.code(), contract::Code::Unavailable);
        assert!(axum::response::IntoResponse::into_response(error).headers().contains_key("retry-after"));
    }
    world.end().await;
}
