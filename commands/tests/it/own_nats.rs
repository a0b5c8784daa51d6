//! A NATS server of a test's own, for what cannot be done to one that others use. Nothing of it is left behind.

use crate::world::{until, variable};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::net::{TcpListener, TcpStream};

pub struct OwnNats {
    folder: PathBuf,
    port: u16,
    server: Child,
}

impl OwnNats {
    /// With JetStream; `also` is added to its configuration.
    pub async fn start(also: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("astro-bookings-nats-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        configure(&folder, port, also);
        let nats = Self { server: run(&folder), folder, port };
        nats.ready().await;
        nats
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where JetStream keeps everything.
    pub fn store(&self) -> PathBuf {
        store(&self.folder)
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        let _ = self.server.kill();
        self.server.wait().unwrap();
    }

    /// Starts it again with what it has, at the same address.
    pub async fn restart(&mut self) {
        self.server = run(&self.folder);
        self.ready().await;
    }

    /// Changes what was added to its configuration while it runs.
    pub fn configure(&self, also: &str) {
        configure(&self.folder, self.port, also);
        assert!(Command::new("kill").args(["-HUP", &self.server.id().to_string()]).status().unwrap().success());
    }

    async fn ready(&self) {
        until("NATS answers", async || TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()).await;
    }
}

impl Drop for OwnNats {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn store(folder: &Path) -> PathBuf {
    folder.join("jetstream")
}

fn configuration(folder: &Path) -> PathBuf {
    folder.join("nats.conf")
}

fn configure(folder: &Path, port: u16, also: &str) {
    let all = format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?} }}\n{also}\n", folder);
    std::fs::write(configuration(folder), all).unwrap();
}

fn run(folder: &Path) -> Child {
    let mut server = Command::new(variable("ASTRO_TEST_NATS_SERVER"));
    server.arg("--config").arg(configuration(folder)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    server.spawn().unwrap()
}
