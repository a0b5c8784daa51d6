//! Fifty strings of personal data, entered as people enter them, are then looked for as a thief would: in the files of Postgres with its
//! write-ahead log, of MongoDB and of JetStream, in dumps of all databases, and in the log output. A control run with nothing sealed finds
//! them, so that finding none means something.

use crate::{
    client::Client,
    crash::{all_roles, serving},
    personal::{documents, eventually},
    world::{Flight, GOOD_CARD, Namespace, PASSWORD, World, card, fleet, schedule_changed},
};
use api::{app::Servers, roles};
use contract::{LaunchId, Line};
use mongodb::bson::doc;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;
use vault::guards::Sealing;

const CUSTOMERS: usize = 4;
/// How many seats each customer books: with two strings for each account and three for each passenger that makes fifty.
const SEATS: [usize; CUSTOMERS] = [4, 4, 4, 2];
/// How long a server may take until what it was told is in its files.
const WRITTEN_WITHIN: Duration = Duration::from_secs(120);

/// The strings of one run; no other run has the same.
struct Canaries {
    run: String,
    number: u32,
    accounts: Vec<[String; 2]>,
    passengers: Vec<Vec<[String; 3]>>,
}

impl Canaries {
    fn new() -> Self {
        let id = Uuid::new_v4();
        let run: String = id.as_bytes()[..8].iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let mut canaries = Self { run, number: 1_000_000 + id.as_fields().0 % 8_000_000, accounts: vec![], passengers: vec![] };
        for (customer, seats) in SEATS.into_iter().enumerate() {
            let word = |what: &str| format!("{}{what}{customer}", canaries.run);
            let account = [word("owner"), format!("{}@example.net", word("mail"))];
            let of_seat = |seat: usize| {
                let phone = format!("+49 {}{customer}{seat}", canaries.number);
                [format!("{}x{seat}", word("flyer")), format!("{}x{seat}@example.net", word("box")), phone]
            };
            let passengers = (0..seats).map(of_seat).collect();
            canaries.accounts.push(account);
            canaries.passengers.push(passengers);
        }
        assert_eq!(canaries.all().len(), 50);
        canaries
    }

    fn of_passengers(&self) -> BTreeSet<String> {
        self.passengers.iter().flatten().flatten().cloned().collect()
    }

    fn of_accounts(&self) -> BTreeSet<String> {
        self.accounts.iter().flatten().cloned().collect()
    }

    fn all(&self) -> BTreeSet<String> {
        self.of_passengers().into_iter().chain(self.of_accounts()).collect()
    }

    /// A word that is no secret, and is where the canaries would be.
    fn sentinel(&self) -> String {
        format!("{}sentinel", self.run)
    }

    fn within(&self, text: &str) -> BTreeSet<String> {
        let text = text.to_lowercase();
        self.all().into_iter().filter(|canary| text.contains(canary)).collect()
    }
}

/// What four people do: sign up, sign in, book, mistype, search, take their data along.
async fn live(base: &str, launch: LaunchId, canaries: &Canaries) {
    let everyone = Client::new(base);
    for (customer, [name, email]) in canaries.accounts.iter().enumerate() {
        let client = Client::new(base);
        let form = json!({ "name": name, "email": email, "password": PASSWORD });
        assert_eq!(client.post("/api/core/accounts", &form).await.status, 202);
        let mailbox = format!("/api/core/mailbox?search={email}");
        let mail = everyone.until(&mailbox, |page| page["total"] == 1).await;
        let text = mail["items"][0]["text"].as_str().unwrap();
        let token: String = text.split_once("/confirm#").unwrap().1.chars().take_while(|c| !c.is_whitespace()).collect();
        client.post("/api/core/accounts/confirm", &json!({ "token": token })).await.ok();
        client
            .post("/api/core/session", &json!({ "email": email, "password": "not the password" }))
            .await
            .refused(401, "wrong_credentials");
        client.post("/api/core/session", &json!({ "email": email, "password": PASSWORD })).await.ok();

        let passengers = &canaries.passengers[customer];
        let seats: Vec<String> =
            ["A", "B", "C", "D"][..passengers.len()].iter().map(|letter| format!("{}{letter}", customer + 1)).collect();
        let held = client.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": seats })).await.ok();
        let path = format!("/api/customer/launches/{launch}/bookings/{}", held["booking"].as_str().unwrap());
        let named = |born: &str| -> Value {
            let forms = seats.iter().zip(passengers);
            let form = |(seat, [name, email, phone]): (&String, &[String; 3])| json!({ "seat": seat, "name": name, "email": email, "phone": phone, "born": born });
            json!({ "passengers": forms.map(form).collect::<Vec<_>>() })
        };
        client.put(&format!("{path}/passengers"), &named("yesterday")).await.refused(400, "bad_request");
        client.put(&format!("{path}/passengers"), &named("2025-01-01")).await.refused(409, "age_out_of_range");
        client.put(&format!("{path}/passengers"), &named("1990-01-01")).await.ok();
        client.ask(&format!("{path}/payments"), &card(GOOD_CARD)).await.ok();
        let [name, _, phone] = &passengers[0];
        assert_eq!(client.get(&format!("/api/customer/bookings?search={name}")).await.ok()["total"], 1);
        let export = client.get("/api/customer/export").await.ok().to_string();
        assert!(export.contains(phone.as_str()) && export.contains(name.as_str()), "{export}");
        assert!(client.get("/api/customer/export?format=html").await.ok().as_str().unwrap().contains(phone.as_str()));
        // The link, and the booking.
        everyone.until(&mailbox, |page| page["total"].as_u64() >= Some(2)).await;
    }
}

/// The folders in which the servers keep their data.
fn folders() -> Vec<PathBuf> {
    let data = std::env::var_os("ASTRO_TEST_DATA").expect("ASTRO_TEST_DATA is not set: run `cargo xtask test`");
    std::env::split_paths(&data).collect()
}

/// Which of `wanted` are in the files below a folder, with the first file each is in.
fn in_files(folder: &Path, wanted: &BTreeSet<String>) -> BTreeMap<String, String> {
    let patterns = std::env::temp_dir().join(format!("canaries-{}", Uuid::new_v4()));
    fs::write(&patterns, wanted.iter().map(|word| format!("{word}\n")).collect::<String>()).unwrap();
    // Files come and go meanwhile: what cannot be read any more is no error.
    let said = Command::new("grep").args(["-raoiF", "--null", "--no-messages", "-f"]).arg(&patterns).arg(folder).output().unwrap();
    fs::remove_file(&patterns).unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.lines().filter_map(|line| line.split_once('\0')).map(|(file, word)| (word.to_lowercase(), file.to_owned())).collect()
}

/// Waits until a word is in the files below a folder.
async fn written(folder: &Path, words: &BTreeSet<String>) {
    let began = Instant::now();
    while in_files(folder, words).len() < words.len() {
        let missing = words.len() - in_files(folder, words).len();
        assert!(began.elapsed() < WRITTEN_WITHIN, "{missing} of {} words are not written to {}", words.len(), folder.display());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What `pg_dump` writes of a database.
fn dump(url: &str) -> String {
    let dumped = Command::new("pg_dump").arg(url).output().expect("pg_dump comes with Postgres");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    String::from_utf8_lossy(&dumped.stdout).into_owned()
}

/// Has the servers write out what they have in memory, as far as they can be told.
async fn flush(servers: &Servers) {
    sqlx::query("CHECKPOINT").execute(&servers.pool).await.unwrap();
    // Not every server knows it; what counts is what is found then.
    let _ = servers.mongo.client.database("admin").run_command(doc! { "fsync": 1 }).await;
}

/// Killed when a test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_fifty_canaries_is_on_any_disk_or_in_any_log() {
    let (place, canaries) = (Namespace::make().await, Canaries::new());
    let servers = Servers::connect(&place.config()).await.unwrap();
    roles::migrate(&servers).await.unwrap();
    let executor = servers.executor();
    fleet(&executor).await;
    let mission = Line::new(&canaries.sentinel()).unwrap();
    let (launch, _) = schedule_changed(&executor, Flight::default(), |plan| plan.mission = Some(mission)).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = format!("http://127.0.0.1:{port}");
    let log = std::env::temp_dir().join(format!("{}.log", place.prefix));
    let output = File::create(&log).unwrap();
    let mut astro = all_roles(&place, port);
    astro
        .env("ASTRO_LIMITS", "off")
        .env("ASTRO_LOG", "debug,hyper=info,mongodb=info,h2=info")
        .stderr(Stdio::from(output.try_clone().unwrap()))
        .stdout(output);
    let astro = Running(astro.spawn().unwrap());
    serving(&base).await;
    Client::new(&base).until(&format!("/api/customer/launches/{launch}"), |_| true).await;
    live(&base, launch, &canaries).await;

    flush(&servers).await;
    let folders = folders();
    assert!(folders.len() >= 3, "{folders:?}");
    for folder in &folders {
        written(folder, &BTreeSet::from([canaries.sentinel()])).await;
    }
    // Once more, now that all of them have written.
    for folder in &folders {
        let found = in_files(folder, &canaries.all());
        assert!(found.is_empty(), "{}: {found:?}", folder.display());
    }
    for url in [place.postgres_url.clone(), format!("{}_vault", place.postgres_url)] {
        let dumped = dump(&url);
        assert_eq!(dumped.contains(&canaries.sentinel()), !url.ends_with("_vault"));
        assert!(dumped.len() > 1_000);
        assert_eq!(canaries.within(&dumped), BTreeSet::new(), "{url}");
    }
    let documents = documents(&servers, &place.prefix).await;
    assert!(documents.contains(&canaries.sentinel()));
    assert_eq!(canaries.within(&documents), BTreeSet::new());
    drop(astro);
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("Sent mail booking_confirmed") && said.contains("/passengers"), "{said}");
    assert_eq!(canaries.within(&said), BTreeSet::new());
    fs::remove_file(&log).unwrap();
    place.drop(&servers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sealing_the_same_search_finds_them_everywhere() {
    let (canaries, world) = (Canaries::new(), World::over(|_| {}, None, Sealing::Off).await);
    let mission = Line::new(&canaries.sentinel()).unwrap();
    let (launch, _) = schedule_changed(&world.app.executor, Flight::default(), |plan| plan.mission = Some(mission)).await;
    world.visitor().until(&format!("/api/customer/launches/{launch}"), |_| true).await;
    live(&world.base, launch, &canaries).await;
    flush(&world.servers).await;
    for folder in folders() {
        // Accounts are in MongoDB alone.
        let mongo = folder.components().any(|part| part.as_os_str().to_string_lossy().starts_with("mongo"));
        written(&folder, &if mongo { canaries.all() } else { canaries.of_passengers() }).await;
    }
    assert_eq!(canaries.within(&dump(&world.place().postgres_url)), canaries.of_passengers());
    let documents = documents(&world.servers, &world.place().prefix).await;
    assert_eq!(canaries.within(&documents), canaries.all());
    eventually("the mails are kept as they are", async || documents.contains("Hello").then_some(())).await;
    world.end().await;
}
