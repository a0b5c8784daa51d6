//! Servers for one run of tests or measurements: their own folder, gone at the end. What runs against them is elsewhere.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::instance::{Instance, Process, Run};
use crate::mongo::Durability;
use crate::paths::Paths;
use crate::servers::{Given, Programs, Servers};
use crate::step::print_line;

/// The folders of test runs begin like this.
const FOLDER: &str = "astro-bookings-test-";

/// Servers of one test run. Dropping it stops them and removes their data.
#[derive(Debug)]
pub(crate) struct TestServers {
    servers: Option<Servers>,
    instance: Option<Instance>,
    postgres_url: String,
    nats_url: String,
    mongo_url: String,
    /// The folders of their data, as the PATH is written.
    data: String,
}

impl TestServers {
    pub(crate) fn start(paths: &Paths, programs: &Programs, durability: Durability) -> Result<Self> {
        sweep(paths);
        let dir = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        let mut instance = Instance::take(&dir, &paths.root)?.with_context(|| format!("{} is in use", dir.display()))?;
        let given = Given::default();
        let mut run = Run {
            clone: paths.root.clone(),
            ready: false,
            to_rebuild: false,
            address: String::new(),
            pages: Vec::new(),
            ca: None,
            postgres_url: String::new(),
            nats_url: String::new(),
            mongo_url: String::new(),
            smtp_url: String::new(),
            metrics_url: String::new(),
            data: Default::default(),
            logs: instance.logs(),
            demo: Vec::new(),
            supervisor: Process::of("xtask", std::process::id())?,
            processes: Vec::new(),
        };
        let started = Servers::start(programs, durability, None, paths, &mut instance, |instance, servers| {
            run.processes = servers.processes()?;
            run.data = servers.data();
            instance.save_run(&run)
        });
        match started {
            Ok(servers) => Ok(Self {
                postgres_url: servers.postgres.as_ref().context("no PostgreSQL was started")?.superuser_url(),
                nats_url: servers.nats_url(&given),
                mongo_url: servers.mongo_url(&given),
                data: std::env::join_paths(servers.data().values())?.to_string_lossy().into_owned(),
                servers: Some(servers),
                instance: Some(instance),
            }),
            Err(error) => {
                // The error holds the last words of the log, so nothing of value goes with the folder.
                let _ = instance.delete();
                Err(error)
            }
        }
    }

    /// The addresses, as variables that begin with `prefix`.
    pub(crate) fn environment(&self, prefix: &str) -> [(String, &str); 4] {
        [("POSTGRES_URL", &self.postgres_url), ("NATS_URL", &self.nats_url), ("MONGO_URL", &self.mongo_url), ("DATA", &self.data)]
            .map(|(name, url)| (format!("{prefix}_{name}"), url.as_str()))
    }

    /// Fails with the last words of one that died.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.servers.as_mut().map_or(Ok(()), Servers::check)
    }

    pub(crate) fn dir(&self) -> Option<&Path> {
        self.instance.as_ref().map(Instance::dir)
    }
}

impl Drop for TestServers {
    fn drop(&mut self) {
        drop(self.servers.take());
        if let Some(instance) = self.instance.take()
            && let Err(error) = instance.delete()
        {
            print_line(&format!("{error:#}"));
        }
    }
}

/// Ends and removes what earlier test runs left that were killed.
fn sweep(paths: &Paths) {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(FOLDER)) {
        // What another user left is theirs to remove; what cannot be removed only takes space.
        if let Ok(Some(instance)) = Instance::take(&entry.path(), &paths.root) {
            let _ = instance.clean_up_after_crash().and_then(|_| instance.delete());
        }
    }
}
