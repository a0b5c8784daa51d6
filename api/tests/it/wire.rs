//! What passes over the wire: every role in this process behind proxies that keep each byte, with TLS and without. With it nothing that was
//! entered can be read on any hop, mail included; the control run without it finds all of it where people and mail pass, and towards
//! the stores what is no secret. Left out: requests that one service passes on to another, which needs two processes.

use crate::{
    client::Client,
    personal::eventually,
    world::{Flight, GOOD_CARD, Namespace, OPEN_TRANSACTION, card, fleet, line, schedule_changed, variable},
};
use api::{
    app::{App, Servers},
    certificates,
    config::{Config, Given},
    roles,
    tls::{self, Tls},
    web::serve,
};
use contract::{LaunchId, Listing};
use jiff::Timestamp;
use scheduler::Mailbox;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::{fs::MetadataExt, fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::oneshot,
};
use tokio_rustls::TlsConnector;
use url::Url;
use uuid::Uuid;

const STORES: [&str; 3] = ["PostgreSQL", "NATS", "MongoDB"];
/// More than handshakes alone.
const BYTES_MIN: usize = 5_000;

/// What is entered in one run; no other run has the same.
struct Entered {
    run: String,
    number: u32,
}

impl Entered {
    fn new() -> Self {
        let id = Uuid::new_v4();
        let run = id.as_bytes()[..8].iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        Self { run, number: 1_000_000 + id.as_fields().0 % 8_000_000 }
    }
    fn name(&self) -> String {
        format!("{}owner", self.run)
    }
    fn email(&self) -> String {
        format!("{}mail@example.net", self.run)
    }
    fn password(&self) -> String {
        format!("{} opens it", self.run)
    }
    fn passengers(&self) -> Vec<Value> {
        let Self { run, number } = self;
        let passenger = |(row, born): (u8, &str)| {
            let (name, email) = (format!("{run}flyer{row}"), format!("{run}box{row}@example.net"));
            json!({ "seat": format!("{row}A"), "name": name, "email": email, "phone": format!("+49 {number}{row}"), "born": born })
        };
        [(1, "1971-02-03"), (2, "1969-10-11")].into_iter().map(passenger).collect()
    }
    /// No secret, and where the rest would be.
    fn mission(&self) -> String {
        format!("{}mission", self.run)
    }
    fn personal(&self) -> BTreeSet<String> {
        let passengers = self.passengers();
        let fields =
            passengers.iter().flat_map(|one| ["name", "email", "phone", "born"].map(|field| one[field].as_str().unwrap().to_owned()));
        fields.chain([self.name(), self.email(), self.password()]).collect()
    }
    fn all(&self) -> BTreeSet<String> {
        self.personal().into_iter().chain([self.mission()]).collect()
    }
}

/// A TCP proxy that keeps what passes, each way of each connection by itself.
struct Hop {
    port: u16,
    passed: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Hop {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hop = Self { port: listener.local_addr().unwrap().port(), passed: Arc::default() };
        let passed = Arc::clone(&hop.passed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let ((asked, answer), (answered, ask)) = (client.into_split(), server.into_split());
                tokio::spawn(pass(asked, ask, Arc::clone(&passed)));
                tokio::spawn(pass(answered, answer, Arc::clone(&passed)));
            }
        });
        hop
    }

    /// Before the server at this address; gives the address to use instead.
    async fn before_url(url: &str) -> (Self, String) {
        let mut url: Url = url.parse().unwrap();
        let hop = Self::before(url.port().unwrap()).await;
        url.set_port(Some(hop.port)).unwrap();
        if url.scheme() == "mongodb" {
            // Else the server names the address to go on with.
            url.set_path("/");
            url.query_pairs_mut().append_pair("directConnection", "true");
        }
        (hop, url.into())
    }

    fn bytes(&self) -> usize {
        self.passed.lock().unwrap().iter().map(Vec::len).sum()
    }

    /// Which of `words`, in lower case, have passed.
    fn within(&self, words: &BTreeSet<String>) -> BTreeSet<String> {
        let texts: Vec<String> = self.passed.lock().unwrap().iter().map(|bytes| String::from_utf8_lossy(bytes).to_lowercase()).collect();
        words.iter().filter(|word| texts.iter().any(|text| text.contains(*word))).cloned().collect()
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passed: Arc<Mutex<Vec<Vec<u8>>>>) {
    let own = {
        let mut all = passed.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        passed.lock().unwrap()[own].extend_from_slice(&bytes[..read]);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Speaks TLS to `port` for a client that does not; gives the port to speak to.
async fn in_tls(port: u16, tls: &Tls) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (own, connector) = (listener.local_addr().unwrap().port(), TlsConnector::from(Arc::new(tls.client())));
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::spawn(async move {
                let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut plain, &mut stream).await;
            });
        }
    });
    own
}

/// Every role on these stores behind hops, used as people use it; gives what passed on each, and the connections.
async fn lived(mut given: Given, entered: &Entered) -> (BTreeMap<&'static str, Hop>, Servers) {
    let mut hops = BTreeMap::new();
    for (name, url) in STORES.into_iter().zip([&mut given.postgres_url, &mut given.nats_url, &mut given.mongo_url]) {
        let (hop, through) = Hop::before_url(url).await;
        *url = through;
        hops.insert(name, hop);
    }
    let inbox = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mail = Hop::before(inbox.local_addr().unwrap().port()).await;
    given.smtp_url = format!("{}://127.0.0.1:{}", if given.tls_ca.is_some() { "smtps" } else { "smtp" }, mail.port);
    hops.insert("SMTP", mail);
    let listener = serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let http = Hop::before(listener.local_addr().unwrap().port()).await;
    let config: Config = given.into();
    let servers = Servers::connect(&config).await.unwrap();
    let port = match &servers.tls {
        Some(tls) => in_tls(http.port, tls).await,
        None => http.port,
    };
    hops.insert("HTTP", http);

    let (mut roles, app) = roles::all(&config, &servers, listener, None, None).await.unwrap();
    roles.mailbox(&servers, inbox).unwrap();
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(roles.run_until(async {
        let _ = stopped.await;
    }));
    fleet(&app.executor).await;
    let (launch, _) = schedule_changed(&app.executor, Flight::default(), |plan| plan.mission = Some(line(&entered.mission()))).await;
    live(&format!("http://127.0.0.1:{port}"), launch, &app, entered).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    (hops, servers)
}

/// A customer signs up, books for two, and takes everything along.
async fn live(base: &str, launch: LaunchId, app: &App, entered: &Entered) {
    let (client, mailbox) = (Client::new(base), Mailbox::new(&app.system, app.vault.clone()));
    let (name, email, password) = (entered.name(), entered.email(), entered.password());
    let mail = async |wanted: &str| {
        let listing = Listing { search: email.clone(), ..Listing::default() };
        let mails = mailbox.page(&listing).await.unwrap().items;
        mails.into_iter().find(|mail| mail.text.contains(wanted)).map(|mail| mail.text)
    };
    client.post("/api/core/accounts", &json!({ "name": name, "email": email, "password": password })).await.ok();
    let letter = eventually("the link is there", async || mail("/confirm#").await).await;
    let token = letter.split_once("/confirm#").unwrap().1.split_whitespace().next().unwrap();
    client.post("/api/core/accounts/confirm", &json!({ "token": token })).await.ok();
    client.post("/api/core/session", &json!({ "email": email, "password": password })).await.ok();

    client.until(&format!("/api/customer/launches/{launch}"), |_| true).await;
    let passengers = entered.passengers();
    let seats: Vec<&Value> = passengers.iter().map(|one| &one["seat"]).collect();
    let held = client.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": seats })).await.ok();
    let path = format!("/api/customer/launches/{launch}/bookings/{}", held["booking"].as_str().unwrap());
    client.put(&format!("{path}/passengers"), &json!({ "passengers": passengers })).await.ok();
    assert_eq!(client.ask(&format!("{path}/payments"), &card(GOOD_CARD)).await.ok()["confirmed"], true);
    let export = client.get("/api/customer/export").await.ok().to_string();
    assert!(entered.personal().iter().filter(|word| **word != password).all(|word| export.contains(word)), "{export}");
    eventually("the confirmation is there", async || mail("payment has arrived").await).await;
}

/// Stores of this test's own that speak TLS only, to clients of their authority; they end with it.
struct Stores {
    folder: PathBuf,
    children: Vec<Child>,
    ports: [u16; 3],
}

impl Drop for Stores {
    fn drop(&mut self) {
        for child in &mut self.children {
            // In order: killed, PostgreSQL would leave shared memory behind.
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Stores {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("astro-wire-{}", Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        certificates::make(&folder.join("tls"), &[], Timestamp::now()).unwrap();
        let mut ports = [0; 3];
        for port in &mut ports {
            *port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        }
        let commands = [postgres(&folder, ports[0]).await, nats(&folder, ports[1]), mongo(&folder, ports[2])];
        let start = |mut command: Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let stores = Self { children: commands.into_iter().map(start).collect(), folder, ports };
        let given = stores.given();
        let tls = Tls::load(&stores.given().into()).unwrap().unwrap();
        let url = tls::postgres_url("PostgreSQL", &given.postgres_url, Some(&tls)).unwrap();
        eventually("PostgreSQL answers", async || PgConnection::connect(&url).await.ok()).await;
        for port in &ports[1..] {
            eventually("the store listens", async || TcpStream::connect(("127.0.0.1", *port)).await.ok()).await;
        }
        stores
    }

    fn given(&self) -> Given {
        let file = |name: &str| Some(file(&self.folder, name));
        let [postgres, nats, mongo] = self.ports;
        Given {
            postgres_url: format!("postgres://postgres@127.0.0.1:{postgres}/postgres"),
            nats_url: format!("nats://127.0.0.1:{nats}"),
            mongo_url: format!("mongodb://127.0.0.1:{mongo}"),
            tls_ca: file("ca.pem"),
            tls_cert: file("core/cert.pem"),
            tls_key: file("core/key.pem"),
            keys: self.folder.join("keys"),
            prefix: "wire".to_owned(),
            ..Given::default()
        }
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join("tls").join(name)
}

/// The program and the user of the PostgreSQL that is there for all tests, with a cluster in this folder.
async fn postgres(folder: &Path, port: u16) -> Command {
    let mut shared = PgConnection::connect(&variable("ASTRO_TEST_POSTGRES_URL")).await.unwrap();
    let programs = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
    let programs: PathBuf = sqlx::query_scalar::<_, String>(programs).fetch_one(&mut shared).await.unwrap().into();
    let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut shared).await.unwrap();
    let owner = fs::metadata(data).unwrap();
    let own = folder.join("postgres");
    let give = |path: &Path| chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    fs::create_dir_all(&own).unwrap();
    give(&own);
    fs::write(own.join("hba"), "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n").unwrap();
    for (from, name) in [("postgres/cert.pem", "cert"), ("postgres/key.pem", "key"), ("ca.pem", "ca")] {
        fs::copy(file(folder, from), own.join(name)).unwrap();
    }
    for name in ["hba", "cert", "key", "ca"] {
        give(&own.join(name));
    }
    let command = |name: &str| {
        let mut command = Command::new(programs.join(name));
        command.current_dir(&own).uid(owner.uid()).gid(owner.gid()).args(["-D", "data"]);
        command
    };
    let made = command("initdb").args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = command("postgres");
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "ssl=on"] {
        command.args(["-c", setting]);
    }
    for (setting, name) in [("hba_file", "hba"), ("ssl_cert_file", "cert"), ("ssl_key_file", "key"), ("ssl_ca_file", "ca")] {
        command.arg("-c").arg(format!("{setting}={}", own.join(name).display()));
    }
    command.args(["-p", &port.to_string()]);
    command
}

fn nats(folder: &Path, port: u16) -> Command {
    let mut command = Command::new(variable("ASTRO_TEST_NATS_SERVER"));
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"]).arg(folder.join("nats"));
    command.arg("--tlsverify").arg("--tlscacert").arg(file(folder, "ca.pem"));
    command.arg("--tlscert").arg(file(folder, "nats/cert.pem")).arg("--tlskey").arg(file(folder, "nats/key.pem"));
    command
}

fn mongo(folder: &Path, port: u16) -> Command {
    let (program, data) = (variable("ASTRO_TEST_MONGO_SERVER"), folder.join("mongo"));
    let (cert, key) = (file(folder, "mongo/cert.pem"), file(folder, "mongo/key.pem"));
    fs::create_dir_all(&data).unwrap();
    let mut command = Command::new(&program);
    command.args(["--port", &port.to_string()]);
    if program.ends_with("mongod") {
        let both = file(folder, "both.pem");
        fs::write(&both, [fs::read(cert).unwrap(), fs::read(key).unwrap()].concat()).unwrap();
        command.args(["--bind_ip", "127.0.0.1", "--tlsMode", "requireTLS", "--tlsCertificateKeyFile"]).arg(both).arg("--tlsCAFile");
        command.arg(file(folder, "ca.pem")).arg("--tlsAllowConnectionsWithoutCertificates").arg("--dbpath").arg(data);
    } else {
        command.args(["--host", "127.0.0.1", "--cache-size", "64M", "--log-file-max", "16MB", "--tls-cert-file"]).arg(cert);
        command.arg("--tls-key-file").arg(key).arg("--storage-path").arg(data);
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_nothing_that_was_entered_can_be_read_on_any_hop() {
    let (stores, entered) = (Stores::start().await, Entered::new());
    let (hops, _) = lived(stores.given(), &entered).await;
    for (name, hop) in &hops {
        assert!(hop.bytes() > BYTES_MIN, "{name}: {} bytes", hop.bytes());
        assert_eq!(hop.within(&entered.all()), BTreeSet::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_the_same_search_finds_it_and_the_stores_are_still_given_nobodys_data() {
    let _calm = OPEN_TRANSACTION.read().await;
    let (place, entered) = (Namespace::make().await, Entered::new());
    let given = Given {
        postgres_url: place.postgres_url.clone(),
        nats_url: place.nats_url.clone(),
        mongo_url: place.mongo_url.clone(),
        keys: place.keys.clone(),
        prefix: place.prefix.clone(),
        ..Given::default()
    };
    let (hops, servers) = lived(given, &entered).await;
    assert_eq!(hops["HTTP"].within(&entered.all()), entered.all());
    assert_eq!(hops["SMTP"].within(&entered.all()), BTreeSet::from([entered.name(), entered.email()]));
    for name in STORES {
        assert_eq!(hops[name].within(&entered.all()), BTreeSet::from([entered.mission()]), "{name}");
    }
    place.drop(&servers).await;
}
