//! Each client against a server that is not the one: of another authority, of another name, of yesterday, or without encryption. None of
//! them gives a byte away; with the right server each goes on, so that the refusals are for the reason given.

use api::{
    config::{Config, Given},
    core::token::Service,
    mongo,
    tls::{self, Identity, Tls, identity_of},
    web::{forward, serve},
};
use axum::{Extension, Router, routing::get};
use jiff::{SignedDuration, Timestamp};
use nats::Bus;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use scheduler::Mailer;
use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The password that nobody but the right server may hear.
const SECRET: &str = "sesame-open-up";
/// How long a client may try.
const TRIES_FOR: Duration = Duration::from_secs(4);
/// How long a server waits for a client to say something.
const LISTENS_FOR: Duration = Duration::from_millis(500);

struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, Uuid::new_v4().to_string());
        let pem = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), pem)
    }

    /// A certificate and its key, PEM, until so many hours from now.
    fn certificate(&self, names: &[&str], hours: i64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let at = |moment: Timestamp| OffsetDateTime::from_unix_timestamp(moment.as_second()).unwrap();
        params.not_before = at(Timestamp::now() - SignedDuration::from_hours(48));
        params.not_after = at(Timestamp::now() + SignedDuration::from_hours(hours));
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// What a process with such a certificate shows and trusts.
    fn tls(&self, folder: &Path, names: &[&str], hours: i64) -> Tls {
        use std::os::unix::fs::PermissionsExt;
        let dir = folder.join(Uuid::new_v4().to_string());
        std::fs::create_dir_all(&dir).unwrap();
        let (cert, key) = self.certificate(names, hours);
        let file = |name: &str, text: &str| -> PathBuf {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let config: Config = Given {
            tls_ca: Some(file("ca.pem", &self.1)),
            tls_cert: Some(file("cert.pem", &cert)),
            tls_key: Some(file("key.pem", &key)),
            prefix: "t".to_owned(),
            ..Given::default()
        }
        .into();
        Tls::load(&config).unwrap().unwrap()
    }
}

/// How a protocol begins before it is encrypted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Protocol {
    Postgres,
    Nats,
    Mongo,
    Smtp,
    Http,
}

/// What a server saw of its clients.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    /// Encrypted connections that the client agreed to.
    agreed: usize,
    heard: Vec<u8>,
}

async fn hear(stream: &mut (impl AsyncReadExt + Unpin), seen: &Mutex<Seen>) {
    let mut bytes = [0; 4096];
    while let Ok(Ok(read @ 1..)) = timeout(LISTENS_FOR, stream.read(&mut bytes)).await {
        seen.lock().unwrap().heard.extend_from_slice(&bytes[..read]);
    }
}

async fn play(mut stream: TcpStream, protocol: Protocol, acceptor: Option<TlsAcceptor>, seen: Arc<Mutex<Seen>>) {
    seen.lock().unwrap().connections += 1;
    match protocol {
        Protocol::Postgres => {
            let mut request = [0; 8];
            if stream.read_exact(&mut request).await.is_err() {
                return;
            }
            stream.write_all(if acceptor.is_some() { b"S" } else { b"N" }).await.unwrap();
        }
        Protocol::Nats => {
            let info = format!(
                "INFO {{\"server_id\":\"x\",\"version\":\"2.15.0\",\"proto\":1,\"headers\":true,\"max_payload\":1000,\"tls_required\":{}}}\r\n",
                acceptor.is_some()
            );
            stream.write_all(info.as_bytes()).await.unwrap();
        }
        Protocol::Smtp if acceptor.is_none() => stream.write_all(b"220 mail ESMTP\r\n").await.unwrap(),
        Protocol::Mongo | Protocol::Smtp | Protocol::Http => {}
    }
    match acceptor {
        None => hear(&mut stream, &seen).await,
        Some(acceptor) => {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                seen.lock().unwrap().agreed += 1;
                hear(&mut stream, &seen).await;
            }
        }
    }
}

/// Lets a client meet a server on a port of its own; tells what the server saw once the client has given up.
async fn meet<F: Future<Output = ()>>(protocol: Protocol, server: Option<&Tls>, client: impl FnOnce(u16) -> F) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let acceptor = server.map(Tls::acceptor);
    let playing = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, protocol, acceptor.clone(), Arc::clone(&seen)));
            }
        }
    });
    let _ = timeout(TRIES_FOR, client(port)).await;
    playing.abort();
    std::mem::take(&mut *seen.lock().unwrap())
}

async fn ask(protocol: Protocol, port: u16, tls: &Tls) {
    match protocol {
        Protocol::Postgres => {
            let url = format!("postgres://astro:{SECRET}@127.0.0.1:{port}/astro");
            let url = tls::postgres_url("ASTRO_POSTGRES_URL", &url, Some(tls)).unwrap();
            assert!(commands::connect(&url, 1).await.is_err());
        }
        Protocol::Nats => {
            let url = format!("nats://astro:{SECRET}@127.0.0.1:{port}");
            let bus = Bus::connect_over(&url, "t", tls::nats("ASTRO_NATS_URL", &url, Some(tls)).unwrap()).await.unwrap();
            assert!(!bus.connected());
        }
        Protocol::Mongo => {
            let url = format!("mongodb://astro:{SECRET}@127.0.0.1:{port}/?directConnection=true");
            let mongo = mongo::connect(&url, "t", Some(tls)).await.unwrap();
            assert!(mongo.system.run_command(mongodb::bson::doc! { "ping": 1 }).await.is_err());
        }
        Protocol::Smtp => {
            let url = format!("smtps://astro:{SECRET}@127.0.0.1:{port}");
            let authority = tls::mail("ASTRO_SMTP_URL", &url, Some(tls)).unwrap();
            let mailer = Mailer::new(&url, "bookings@astro.example", "https://astro.example", authority.as_deref()).unwrap();
            assert!(!mailer.answers().await);
        }
        Protocol::Http => {
            assert!(forward::answer_of(&format!("https://127.0.0.1:{port}/{SECRET}"), Some(tls)).await.is_err());
        }
    }
}

async fn refuses_all_but_the_right_server(protocol: Protocol) {
    let folder = std::env::temp_dir().join(format!("astro-transport-{}", Uuid::new_v4()));
    let (ours, theirs) = (Authority::new(), Authority::new());
    let client = ours.tls(&folder, &[&identity_of("core")], 1);
    let right = ours.tls(&folder, &["127.0.0.1"], 1);
    let seen = meet(protocol, Some(&right), |port| ask(protocol, port, &client)).await;
    assert!(seen.agreed > 0, "{protocol:?}: the right server is agreed with: {seen:?}");
    let wrong = [
        ("another authority", Some(theirs.tls(&folder, &["127.0.0.1"], 1))),
        ("another name", Some(ours.tls(&folder, &["other.example"], 1))),
        ("an expired certificate", Some(ours.tls(&folder, &["127.0.0.1"], -1))),
        ("no encryption", None),
    ];
    for (what, server) in wrong {
        let seen = meet(protocol, server.as_ref(), |port| ask(protocol, port, &client)).await;
        assert!(seen.connections > 0, "{protocol:?}, {what}: nobody came");
        assert_eq!(seen.agreed, 0, "{protocol:?}, {what}");
        let heard = String::from_utf8_lossy(&seen.heard);
        assert!(!heard.contains(SECRET) && !heard.contains("CONNECT") && !heard.contains("GET"), "{protocol:?}, {what}: {heard}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_the_one_or_not_talked_to() {
    refuses_all_but_the_right_server(Protocol::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_is_the_one_or_not_talked_to() {
    refuses_all_but_the_right_server(Protocol::Nats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongo_is_the_one_or_not_talked_to() {
    refuses_all_but_the_right_server(Protocol::Mongo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_server_is_the_one_or_not_talked_to() {
    refuses_all_but_the_right_server(Protocol::Smtp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_service_is_the_one_or_not_talked_to() {
    refuses_all_but_the_right_server(Protocol::Http).await;
}

/// The listener of the services: who it talks to, and who it takes them for.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_answers_encrypted_and_knows_its_neighbours_by_their_certificates() {
    let folder = std::env::temp_dir().join(format!("astro-transport-{}", Uuid::new_v4()));
    let (ours, theirs) = (Authority::new(), Authority::new());
    let listener = serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let known = |identity: Option<Extension<Identity>>| async move {
        match identity {
            Some(Extension(Identity(Service::Customer))) => http::StatusCode::OK,
            Some(_) => http::StatusCode::ACCEPTED,
            None => http::StatusCode::NOT_FOUND,
        }
    };
    let stop = CancellationToken::new();
    let encryption = ours.tls(&folder, &["127.0.0.1"], 1).server();
    let serving = tokio::spawn(serve::serve(listener, Router::new().route("/", get(known)), Some(encryption), Vec::new(), stop.clone()));
    let status =
        async |tls: &Tls| forward::answer_of(&format!("https://{address}/"), Some(tls)).await.map(|(status, _)| status.as_u16()).ok();
    assert_eq!(status(&ours.tls(&folder, &[&identity_of("customer")], 1)).await, Some(200));
    assert_eq!(status(&ours.tls(&folder, &[&identity_of("supplier")], 1)).await, Some(202));
    assert_eq!(status(&ours.tls(&folder, &[&identity_of("schedule")], 1)).await, Some(404), "a role that is no service");
    assert_eq!(status(&ours.tls(&folder, &[&identity_of("customer")], -1)).await, None, "an expired certificate");
    assert_eq!(status(&theirs.tls(&folder, &[&identity_of("customer")], 1)).await, None, "another authority");
    // Without encryption there is no answer.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = timeout(TRIES_FOR, plain.read_to_end(&mut said)).await.unwrap();
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    stop.cancel();
    serving.await.unwrap().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
