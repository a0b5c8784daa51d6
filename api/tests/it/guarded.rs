//! What each user may do in NATS and MongoDB: real servers of this test's own, over TLS, with the deployment's file and the users of `astro logins`.

use crate::world::variable;
use api::{certificates, config::Given, mongo, mongo_users, tls::Tls};
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use uuid::Uuid;

const START_FOR: Duration = Duration::from_secs(30);
const ANSWER_FOR: Duration = Duration::from_secs(5);
const USERS: [&str; 10] = [
    "customer",
    "supplier",
    "employee",
    "core",
    "scheduler",
    "sequencer",
    "project_customer",
    "project_operations",
    "project_finance",
    "setup",
];

/// A server in a folder of its own, with certificates; ends with the test.
struct Guarded {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Guarded {
    async fn start(command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let folder = std::env::temp_dir().join(format!("astro-guarded-{}", Uuid::new_v4()));
        certificates::make(&folder.join("tls"), &[], Timestamp::now()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut command = command(&folder, port);
        let child = command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let guarded = Self { child, folder, port };
        let end = Instant::now() + START_FOR;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < end, "the server does not start");
            tokio::task::yield_now().await;
        }
        guarded
    }

    fn tls(&self, name: &str) -> Tls {
        let file = |name: String| Some(self.folder.join("tls").join(name));
        let config = Given {
            tls_ca: file("ca.pem".to_owned()),
            tls_cert: file(format!("{name}/cert.pem")),
            tls_key: file(format!("{name}/key.pem")),
            ..Given::default()
        };
        Tls::load(&config.into()).unwrap().unwrap()
    }
}

/// One who trusts the server and shows nothing.
fn nobody(ca: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions().unwrap();
    config.with_root_certificates(roots).with_no_client_auth()
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join("tls").join(name)
}

/// Everyone who reads the log.
const READERS: &str = "customer supplier employee core scheduler project_customer project_operations project_finance setup";

/// What a user says to NATS, and who may.
const SUBJECTS: [(&str, &str); 12] = [
    ("PUB astro.ev.launch.x 0\r\n", "sequencer"),
    ("PUB $JS.API.STREAM.DELETE.ASTRO_EVENTS 0\r\n", "sequencer"),
    ("PUB $JS.API.STREAM.PURGE.ASTRO_EVENTS 0\r\n", ""),
    ("PUB $JS.API.STREAM.CREATE.OTHER 0\r\n", ""),
    ("PUB $JS.API.CONSUMER.CREATE.ASTRO_EVENTS.x 0\r\n", READERS),
    ("PUB astro.hint.append 0\r\n", "customer supplier employee core scheduler setup"),
    ("PUB astro.view.launches.x 0\r\n", "project_customer"),
    ("SUB astro.hint.append 1", "sequencer"),
    ("SUB astro.view.launches.* 1", "customer core"),
    ("SUB astro.ev.> 1", ""),
    ("SUB > 1", ""),
    ("SUB _INBOX_core.> 1", "core"),
];

/// A connection to NATS as a user, over TLS with what `client` shows; fails where the server does not want that.
async fn nats_hears(server: &Guarded, client: ClientConfig, user: &str, said: &str) -> std::io::Result<BufReader<TlsStream<TcpStream>>> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("INFO"), "{line}");
    let name = "127.0.0.1".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream.into_inner()).await?;
    let hello = format!("CONNECT {{\"verbose\":false,\"pedantic\":false,\"user\":\"{user}\",\"pass\":\"p{user}\"}}\r\n{said}\r\nPING\r\n");
    stream.write_all(hello.as_bytes()).await?;
    Ok(BufReader::new(stream))
}

/// Whether NATS takes this from a user.
async fn nats_takes(server: &Guarded, user: &str, said: &str) -> bool {
    let mut stream = nats_hears(server, server.tls("core").client(), user, said).await.unwrap();
    let (mut line, mut refused) = (String::new(), false);
    loop {
        line.clear();
        let read = timeout(ANSWER_FOR, stream.read_line(&mut line)).await.unwrap().unwrap();
        assert!(read > 0 && !line.contains("Authorization"), "{user}: {line}");
        refused |= line.contains("Permissions Violation");
        if line.starts_with("PONG") {
            return !refused;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_of_nats_says_and_hears_what_it_needs_and_no_more() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats-users.conf");
    let server = Guarded::start(|folder, port| {
        let mut command = Command::new(variable("ASTRO_TEST_NATS_SERVER"));
        command.arg("--config").arg(config).args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"]);
        command.arg(folder).env("ASTRO_NATS_CA", file(folder, "ca.pem"));
        command.env("ASTRO_NATS_CERT", file(folder, "nats/cert.pem")).env("ASTRO_NATS_KEY", file(folder, "nats/key.pem"));
        for user in USERS {
            command.env(format!("ASTRO_NATS_{}", user.to_uppercase()), format!("p{user}"));
        }
        command
    })
    .await;
    let mut wrong = Vec::new();
    for (said, allowed) in SUBJECTS {
        for user in USERS {
            let expected = allowed.split(' ').any(|name| name == user);
            if nats_takes(&server, user, said).await != expected {
                wrong.push(format!("{user} {} {}", if expected { "may not" } else { "may" }, said.trim_end()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // With the right password but no certificate, or one that another authority gave, nobody is even heard.
    let theirs = std::env::temp_dir().join(format!("astro-guarded-{}", Uuid::new_v4()));
    certificates::make(&theirs, &[], Timestamp::now()).unwrap();
    let ca = file(&server.folder, "ca.pem");
    let (cert, key) = (theirs.join("core/cert.pem"), theirs.join("core/key.pem"));
    let stranger = Given { tls_ca: Some(ca.clone()), tls_cert: Some(cert), tls_key: Some(key), ..Given::default() };
    for client in [nobody(&ca), Tls::load(&stranger.into()).unwrap().unwrap().client()] {
        let mut answer = String::new();
        // The client may be through with its part of the handshake before the server refuses.
        let heard = match nats_hears(&server, client, "core", "").await {
            Ok(mut stream) => timeout(ANSWER_FOR, stream.read_line(&mut answer)).await.expect("the server hangs up"),
            Err(error) => Err(error),
        };
        match heard {
            Ok(read) => assert_eq!(read, 0, "{answer}"),
            Err(error) => assert!(!error.to_string().contains("peer certificate"), "it is the server that refuses: {error}"),
        }
    }
    std::fs::remove_dir_all(theirs).unwrap();
    // The sequencer's own way of using it, with its own certificate.
    let url = format!("nats://sequencer:psequencer@127.0.0.1:{}", server.port);
    let bus = nats::Bus::connect_over(&url, "astro", Some(server.tls("sequence").client())).await.unwrap();
    bus.create(1).await.unwrap();
    assert_eq!(bus.head().await.unwrap(), Some(0));
    let url = format!("nats://customer:pcustomer@127.0.0.1:{}", server.port);
    let bus = nats::Bus::connect_over(&url, "astro", Some(server.tls("customer").client())).await.unwrap();
    assert_eq!(bus.head().await.unwrap(), Some(0));
    assert!(bus.delete().await.is_err());
}

/// What a user asks of MongoDB, in which of the two databases, and who may.
fn commands() -> Vec<(&'static str, Document, &'static str)> {
    let find = |collection: &str| doc! { "find": collection };
    let update =
        |collection: &str| doc! { "update": collection, "updates": [{ "q": { "x": 2 }, "u": { "$inc": { "x": 1 } }, "upsert": true }] };
    let insert = |collection: &str| doc! { "insert": collection, "documents": [{ "x": 1 }] };
    let remove = |collection: &str| doc! { "delete": collection, "deletes": [{ "q": {}, "limit": 0 }] };
    vec![
        ("system", find("sessions"), "customer supplier employee core scheduler setup"),
        ("system", insert("sessions"), "core scheduler setup"),
        ("system", find("accounts"), "customer core scheduler setup"),
        ("system", remove("accounts"), "core scheduler setup"),
        (
            "system",
            insert("logs"),
            "customer supplier employee core scheduler sequencer project_customer project_operations project_finance setup",
        ),
        ("system", find("logs"), "core setup"),
        ("system", find("security_events"), "customer supplier employee core scheduler setup"),
        ("system", insert("security_events"), "customer supplier employee core scheduler setup"),
        ("system", update("security_events"), "customer supplier employee core scheduler setup"),
        ("system", remove("security_events"), "core setup"),
        ("system", update("sessions"), "core scheduler setup"),
        ("system", find("mailbox"), "core scheduler setup"),
        ("customer", find("launches_v1"), "customer core project_customer setup"),
        ("customer", insert("launches_v1"), "core project_customer setup"),
        ("system", doc! { "dropDatabase": 1 }, ""),
        ("system", doc! { "createUser": "eve", "pwd": "eve", "roles": [] }, ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_of_mongodb_does_what_it_needs_and_no_more() {
    let server = Guarded::start(|folder, port| {
        let program = variable("ASTRO_TEST_MONGO_SERVER");
        let mut command = Command::new(&program);
        let (cert, key) = (file(folder, "mongo/cert.pem"), file(folder, "mongo/key.pem"));
        command.args(["--port", &port.to_string(), "--auth"]);
        if program.ends_with("mongod") {
            let both = folder.join("both.pem");
            std::fs::write(&both, [std::fs::read(cert).unwrap(), std::fs::read(key).unwrap()].concat()).unwrap();
            command.args(["--bind_ip", "127.0.0.1", "--tlsMode", "requireTLS", "--tlsCertificateKeyFile"]).arg(both);
            command
                .arg("--tlsCAFile")
                .arg(file(folder, "ca.pem"))
                .arg("--tlsAllowConnectionsWithoutCertificates")
                .arg("--dbpath")
                .arg(folder);
        } else {
            command.args(["--host", "127.0.0.1", "--cache-size", "64M", "--log-file-max", "16MB", "--tls-cert-file"]).arg(cert);
            command.arg("--tls-key-file").arg(key).arg("--storage-path").arg(folder.join("data"));
        }
        command
    })
    .await;
    let tls = server.tls("setup");
    let url = format!("mongodb://127.0.0.1:{}", server.port);
    let passwords: BTreeMap<String, String> = USERS.iter().chain(&["admin"]).map(|user| ((*user).to_owned(), format!("p{user}"))).collect();
    mongo_users::make(&url, "astro", &passwords, Some(&tls)).await.unwrap();
    mongo_users::make(&url, "astro", &passwords, Some(&tls)).await.unwrap();
    let mut wrong = Vec::new();
    for user in USERS {
        let own = format!("mongodb://astro_{user}:p{user}@127.0.0.1:{}/?authSource=admin", server.port);
        let client = mongo::connect(&own, "astro", Some(&tls)).await.unwrap().client;
        for (database, command, allowed) in commands() {
            let expected = allowed.split(' ').any(|name| name == user);
            let done = client.database(&format!("astro_{database}")).run_command(command.clone()).await;
            if let Err(error) = &done {
                assert!(error.to_string().contains("13"), "{user}: {command}: {error}");
            }
            if done.is_ok() != expected {
                wrong.push(format!("{user} {} {database} {command}", if expected { "may not" } else { "may" }));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // Nobody without a name.
    let nobody = mongo::connect(&url, "astro", Some(&tls)).await.unwrap().system;
    assert!(nobody.run_command(doc! { "find": "sessions" }).await.is_err());
}
