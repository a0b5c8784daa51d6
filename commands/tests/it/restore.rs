//! A dump restored into a new cluster, with the programs that an operator has: its transaction ids begin anew, below the recorded ones.

use crate::{
    cabin::{Cabin, Command, Id},
    world::{PATIENCE, World, ask, take, until, world},
};
use commands::{Executor, Limits, Wake, audit};
use nats::Feed;
use sqlx::{Connection, Executor as _, PgConnection, PgPool};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command as Program, Stdio},
    time::Duration,
};
use tokio::time::Instant;

/// How many transaction ids are used up before: more than a new cluster uses while a dump is read into it.
const IDS_USED: u32 = 20_000;

/// A cluster of its own; gone with this.
struct Cluster {
    folder: PathBuf,
    port: u16,
    server: Child,
}

/// PostgreSQL refuses to run as root.
fn as_other(program: &Path) -> Program {
    let id = |flag| String::from_utf8(Program::new("id").args(flag).output().unwrap().stdout).unwrap().trim().to_owned();
    if id(vec!["-u"]) != "0" {
        return Program::new(program);
    }
    let user = ["postgres", "nobody"].into_iter().find(|user| Program::new("id").arg(user).output().unwrap().status.success()).unwrap();
    let mut other = Program::new("setpriv");
    other.arg(format!("--reuid={}", id(vec!["-u", user]))).arg(format!("--regid={}", id(vec!["-g", user])));
    other.args(["--clear-groups", "--"]).arg(program);
    other
}

fn run(program: &mut Program) -> Vec<u8> {
    let ran = program.output().unwrap();
    assert!(ran.status.success(), "{program:?}: {}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}

impl Cluster {
    async fn make(bin: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("astro-bookings-restore-{}", uuid::Uuid::new_v4().simple()));
        let data = folder.join("data");
        run(as_other(Path::new("mkdir")).arg(&folder));
        let mut initdb = as_other(&bin.join("initdb"));
        initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"]);
        run(initdb.arg(&data).current_dir(&folder));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut postgres = as_other(&bin.join("postgres"));
        postgres.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]);
        postgres.arg("-c").arg(format!("port={port}")).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let cluster = Self { server: postgres.spawn().unwrap(), port, folder };
        until("the new cluster answers", async || PgConnection::connect(&cluster.url("postgres")).await.is_ok()).await;
        cluster
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres:none@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It ends with its children when it is told to; a kill would leave them and their memory behind.
        let _ = Program::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The same world with its database in the new cluster.
async fn restored(world: &World, cluster: &Cluster, bin: &Path) -> World {
    let dump = run(Program::new(bin.join("pg_dump")).arg(&world.url));
    let file = std::env::temp_dir().join(format!("{}.sql", world.name));
    std::fs::write(&file, dump).unwrap();
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    for name in ["roles", &world.name] {
        admin.execute(format!("CREATE DATABASE {name}").as_str()).await.unwrap();
    }
    // Roles are the cluster's, not the dump's. Migrations make them.
    let roles = commands::connect(&cluster.url("roles"), 1).await.unwrap();
    commands::migrate(&roles).await.unwrap();
    roles.close().await;
    let url = cluster.url(&world.name);
    run(Program::new(bin.join("psql")).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&file).arg(&url));
    std::fs::remove_file(&file).unwrap();
    World { pool: commands::connect(&url, 8).await.unwrap(), url, name: world.name.clone() }
}

async fn next_id(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetch_one(pool).await.unwrap()
}

async fn is_whole(world: &World, written: u64) {
    world.settle(written).await;
    let report = audit::verify(&world.pool, 1).await.unwrap();
    assert_eq!((report.checked, report.head, report.first_bad), (written, written, None));
    assert_eq!(world.count("SELECT count(*) FROM events").await as u64, written);
    assert_eq!(world.count("SELECT count(*) - count(DISTINCT event_row) FROM log").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_restored_into_a_new_cluster_goes_on_where_the_old_one_ended() {
    world(async |old| {
        let bin: String = sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetch_one(&old.pool).await.unwrap();
        let bin = PathBuf::from(bin);
        let using = format!("DO $$ BEGIN FOR n IN 1..{IDS_USED} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
        old.pool.execute(using.as_str()).await.unwrap();
        let bus = old.bus().await;
        let executor = old.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 1_000 }, &ask()).await.unwrap();
        for n in 1..30 {
            executor.execute::<Cabin>(&Id(1), take(n), &ask()).await.unwrap();
        }
        let sequencing = old.sequence(Some(bus.clone()));
        old.settle(30).await;
        until("the stream is filled", async || bus.head().await.unwrap() == Some(30)).await;
        sequencing.stop().await;
        // What has no position when the dump is made.
        let last = ask();
        for n in 30..34 {
            executor.execute::<Cabin>(&Id(1), take(n), &ask()).await.unwrap();
        }
        let answer = executor.execute::<Cabin>(&Id(1), take("last"), &last).await.unwrap();
        let state = executor.load::<Cabin>(&Id(1)).await.unwrap();

        let cluster = Cluster::make(&bin).await;
        let new = restored(old, &cluster, &bin).await;
        let settled = new.count("SELECT settled_to::text::bigint FROM sequencer").await;
        let oldest = new.count("SELECT min(xid::text::bigint) FROM events").await;
        let next = next_id(&new.pool).await;
        assert!(next < settled && next < oldest, "the new cluster is at {next}, which is not below {oldest} and {settled}");

        let executor = Executor::start(new.pool.clone(), Wake::new(), Limits::default());
        let again = executor.execute::<Cabin>(&Id(1), take("last"), &last).await.unwrap();
        assert_eq!((again.events, again.at, again.repeated), (answer.events, answer.at, true));
        let loaded = executor.load::<Cabin>(&Id(1)).await.unwrap();
        assert_eq!((loaded.state, loaded.version), (state.state, state.version));
        executor.execute::<Cabin>(&Id(1), take("new"), &ask()).await.unwrap();
        executor.execute::<Cabin>(&Id(2), Command::Open { seats: 2 }, &ask()).await.unwrap();
        let sequencing = new.sequence(Some(bus.clone()));
        is_whole(&new, 37).await;
        let mut written = 37;
        executor.execute::<Cabin>(&Id(2), take("a"), &ask()).await.unwrap();
        is_whole(&new, written + 1).await;
        sequencing.stop().await;
        // Another start, with something written before it.
        executor.execute::<Cabin>(&Id(2), take("b"), &ask()).await.unwrap();
        let sequencing = new.sequence(Some(bus.clone()));
        written += 2;
        is_whole(&new, written).await;
        // Readers go on, too: the stream is the same log.
        let mut reader = Feed::new(new.pool.clone(), Some(bus.clone())).follow(30);
        let deadline = Instant::now() + PATIENCE;
        let mut read = Vec::new();
        while reader.after() < written && Instant::now() < deadline {
            read.extend(reader.next_batch(100, Duration::from_millis(100)).await.unwrap().into_iter().map(|event| event.position));
        }
        assert_eq!(read, (31..=written).collect::<Vec<_>>());
        until("the stream is filled", async || bus.head().await.unwrap() == Some(written)).await;
        sequencing.stop().await;
        new.pool.close().await;
        old.end_bus(&bus).await;
    })
    .await;
}
