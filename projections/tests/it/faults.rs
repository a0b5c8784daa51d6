//! Faults for tests: chance by a seed, a process that sleeps, a connection that is cut.

use async_trait::async_trait;
use contract::operations::RebuildProgress;
use jiff::Timestamp;
use projections::{
    Positions,
    store::{Changes, Parked, Sharing, Standing, Store, StoreFault, Stored, Table},
};
use std::{collections::HashMap, sync::Arc};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use uuid::Uuid;

/// The same numbers for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Lets a process fall asleep: first before its next write, then altogether; or a rebuild before it switches. It goes on later where it was.
#[derive(Debug, Clone, Default)]
pub struct Sleep {
    writes: watch::Sender<bool>,
    beats: watch::Sender<bool>,
    switches: watch::Sender<bool>,
    has_a_write: watch::Sender<bool>,
    has_a_switch: watch::Sender<bool>,
    went_back: watch::Sender<bool>,
}

impl Sleep {
    /// It will hold its next write back.
    pub fn before_a_write() -> Self {
        Self { writes: watch::Sender::new(true), ..Self::default() }
    }
    /// It will hold its next switch back.
    pub fn before_a_switch() -> Self {
        Self { switches: watch::Sender::new(true), ..Self::default() }
    }
    /// Waits until it has a write in hand; from then on it is silent.
    pub async fn begin(&self) {
        self.has_a_write.subscribe().wait_for(|has| *has).await.unwrap();
        self.beats.send_replace(true);
    }
    /// Waits until it is about to switch.
    pub async fn has_a_switch(&self) {
        self.has_a_switch.subscribe().wait_for(|has| *has).await.unwrap();
    }
    pub fn end(&self) {
        self.writes.send_replace(false);
        self.beats.send_replace(false);
        self.switches.send_replace(false);
    }
    /// Whether a switch put a version in use that was not as far as the one before.
    pub fn went_back(&self) -> bool {
        *self.went_back.borrow()
    }
}

async fn over(asleep: &watch::Sender<bool>) {
    asleep.subscribe().wait_for(|asleep| !asleep).await.unwrap();
}

/// A store as a process sees it that falls asleep between two steps.
#[derive(Debug)]
pub struct Drowsy {
    pub store: Arc<dyn Store>,
    pub sleep: Sleep,
}

impl Drowsy {
    /// How far the version in use is.
    async fn in_use(&self, table: Table) -> Result<u64, StoreFault> {
        Ok(self.store.standings().await?[table.view].position())
    }
}

#[async_trait]
impl Store for Drowsy {
    async fn write(&self, fence: Option<u64>, changes: &[Changes]) -> Result<(), StoreFault> {
        self.sleep.has_a_write.send_replace(true);
        over(&self.sleep.writes).await;
        self.store.write(fence, changes).await
    }
    async fn beat(&self, member: Uuid, fault: &str) -> Result<Sharing, StoreFault> {
        over(&self.sleep.beats).await;
        self.store.beat(member, fault).await
    }

    async fn prepare(&self, views: &[&'static str]) -> Result<(), StoreFault> {
        self.store.prepare(views).await
    }
    async fn standings(&self) -> Result<HashMap<String, Standing>, StoreFault> {
        self.store.standings().await
    }
    async fn read(&self, table: Table, ids: &[String]) -> Result<Vec<Stored>, StoreFault> {
        self.store.read(table, ids).await
    }
    async fn scan(&self, table: Table, after: &str, limit: u32) -> Result<Vec<Stored>, StoreFault> {
        self.store.scan(table, after, limit).await
    }
    async fn sharing(&self) -> Result<Sharing, StoreFault> {
        self.store.sharing().await
    }
    async fn deal(&self, epoch: u64, holders: [Option<Uuid>; 16]) -> Result<bool, StoreFault> {
        self.store.deal(epoch, holders).await
    }
    async fn forget(&self, member: Uuid, beats: Option<u64>) -> Result<(), StoreFault> {
        self.store.forget(member, beats).await
    }
    async fn begin(&self, epoch: u64) -> Result<(), StoreFault> {
        self.store.begin(epoch).await
    }
    async fn pause(&self, paused: bool) -> Result<(), StoreFault> {
        self.store.pause(paused).await
    }
    async fn create(&self, table: Table) -> Result<(), StoreFault> {
        self.store.create(table).await
    }
    async fn discard(&self, table: Table) -> Result<(), StoreFault> {
        self.store.discard(table).await
    }
    async fn switch(&self, table: Table, previous: u32, no_further: Positions) -> Result<bool, StoreFault> {
        self.sleep.has_a_switch.send_replace(true);
        over(&self.sleep.switches).await;
        let before = self.in_use(table).await?;
        let switched = self.store.switch(table, previous, no_further).await?;
        if switched && self.in_use(table).await? < before {
            self.sleep.went_back.send_replace(true);
        }
        Ok(switched)
    }
    async fn report(&self, view: &'static str, progress: &RebuildProgress) -> Result<(), StoreFault> {
        self.store.report(view, progress).await
    }
    async fn claim(
        &self,
        view: &'static str,
        held: Option<Timestamp>,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<bool, StoreFault> {
        self.store.claim(view, held, now, until).await
    }
    async fn parked(&self, table: Table) -> Result<Vec<Parked>, StoreFault> {
        self.store.parked(table).await
    }
    async fn ask_retry(&self, table: Table, stream_type: &str, stream_id: &str, discard: bool) -> Result<bool, StoreFault> {
        self.store.ask_retry(table, stream_type, stream_id, discard).await
    }
}

/// A connection to a server that can be cut and mended.
#[derive(Debug)]
pub struct Line {
    pub port: u16,
    up: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Line {
    /// To `host:port`.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let up = watch::channel(true).0;
        let mut watched = up.subscribe();
        let accepting = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                if !*watched.borrow_and_update() {
                    continue;
                }
                let (server, mut cut) = (server.clone(), watched.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.wait_for(|up| !up) => {}
                    }
                });
            }
        });
        Self { port, up, accepting }
    }
    pub fn cut(&self) {
        self.up.send_replace(false);
    }
    pub fn mend(&self) {
        self.up.send_replace(true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
