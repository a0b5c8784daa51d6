//! A TCP proxy before Postgres that can lose an answer on its way back, or be down.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const OPEN: u8 = 0;
const LOSE_NEXT: u8 = 1;
const LOST: u8 = 2;
const CLOSED: u8 = 3;

pub struct Proxy {
    port: u16,
    mode: Arc<AtomicU8>,
    end: tokio::sync::watch::Sender<()>,
}

fn address(url: &str) -> String {
    let after_user = url.rsplit_once('@').unwrap().1;
    after_user.split_once('/').unwrap().0.to_owned()
}

impl Proxy {
    pub async fn to(url: &str) -> Self {
        let server = address(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(AtomicU8::new(OPEN));
        let (end, ended) = tokio::sync::watch::channel(());
        let shared = mode.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.load(Ordering::SeqCst) == CLOSED {
                    continue;
                }
                let server = TcpStream::connect(&server).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let mut ended = ended.clone();
                ended.mark_unchanged();
                let shared = shared.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = forward(from_client, to_server) => {}
                        () = back(from_server, to_client, &shared) => {}
                        _ = ended.changed() => {}
                    }
                });
            }
        });
        Self { port, mode, end }
    }

    pub fn url(&self, url: &str) -> String {
        url.replace(&address(url), &format!("127.0.0.1:{}", self.port))
    }
    /// The next answer of the server is lost, and its connection with it.
    pub fn lose_the_next_answer(&self) {
        self.mode.store(LOSE_NEXT, Ordering::SeqCst);
    }
    pub fn has_lost_an_answer(&self) -> bool {
        self.mode.load(Ordering::SeqCst) == LOST
    }
    /// Cuts every connection, and accepts none.
    pub fn close(&self) {
        self.mode.store(CLOSED, Ordering::SeqCst);
        self.end.send(()).unwrap();
    }
    pub fn open(&self) {
        self.mode.store(OPEN, Ordering::SeqCst);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: &AtomicU8) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // `C` is CommandComplete: what is lost is the answer to a finished statement, not to a step of preparing one.
        let finished = buffer[..count].windows(7).any(|window| window == b"INSERT ");
        if finished && mode.compare_exchange(LOSE_NEXT, LOST, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
