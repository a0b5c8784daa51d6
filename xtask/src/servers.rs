//! The three servers together: found, started side by side, watched, stopped in order. How each works is in its own module.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::instance::{Instance, Process};
use crate::mongo::{self, Durability, Mongo};
use crate::nats_server::{self, Nats};
use crate::parts::Certificates;
use crate::paths::Paths;
use crate::postgres::{self, Postgres};
use crate::server::{Server, Stopped};
use crate::step::{Steps, print_line};

/// Servers that are there already: what is given is used as it is, and neither started nor stopped.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Given {
    /// Use this PostgreSQL database instead of a private one
    #[arg(long, value_name = "URL")]
    pub(crate) postgres_url: Option<String>,
    /// Use this NATS server (2.15 or newer, with JetStream) instead of a private one
    #[arg(long, value_name = "URL")]
    pub(crate) nats_url: Option<String>,
    /// Use this MongoDB server (7 or newer) instead of a private one
    #[arg(long, value_name = "URL")]
    pub(crate) mongo_url: Option<String>,
}

/// The programs of the servers that are ours to start.
#[derive(Debug)]
pub(crate) struct Programs {
    postgres: Option<postgres::Programs>,
    nats: Option<PathBuf>,
    mongo: Option<mongo::Program>,
}

impl Programs {
    /// How many steps finding them takes.
    pub(crate) const STEPS: usize = 3;

    pub(crate) fn find_or_install(paths: &Paths, given: &Given, logs: &Path, steps: &mut Steps) -> Result<Self> {
        let postgres = steps.run("PostgreSQL", |progress| match &given.postgres_url {
            Some(_) => {
                progress.say("as given");
                Ok(None)
            }
            None => postgres::Programs::find_or_install(logs, progress).map(Some),
        })?;
        let nats = steps.run("NATS server", |progress| match &given.nats_url {
            Some(_) => {
                progress.say("as given");
                Ok(None)
            }
            None => nats_server::find_or_install(paths, logs, progress).map(Some),
        })?;
        let mongo = steps.run("MongoDB", |progress| match &given.mongo_url {
            Some(_) => {
                progress.say("as given");
                Ok(None)
            }
            None => mongo::find_or_build(paths, logs, progress).map(Some),
        })?;
        Ok(Self { postgres, nats, mongo })
    }

    /// Where the programs are, as variables that begin with `prefix`: for tests that start servers in their own way.
    pub(crate) fn environment(&self, prefix: &str) -> Vec<(String, PathBuf)> {
        let mongo = self.mongo.as_ref().map(mongo::Program::path);
        let programs = [("NATS_SERVER", self.nats.clone()), ("MONGO_SERVER", mongo)];
        programs.into_iter().filter_map(|(name, path)| Some((format!("{prefix}_{name}"), path?))).collect()
    }

    /// PostgreSQL's own load generator.
    pub(crate) fn pgbench(&self) -> Option<PathBuf> {
        self.postgres.as_ref().map(postgres::Programs::pgbench)
    }
}

/// What runs. Dropping it stops all, in the order of the fields.
#[derive(Debug)]
pub(crate) struct Servers {
    nats: Option<Nats>,
    mongo: Option<Mongo>,
    pub(crate) postgres: Option<Postgres>,
}

impl Servers {
    /// Starts them side by side and waits until all are ready; with `certificates` they take nothing but TLS. `started` hears of them
    /// before that.
    pub(crate) fn start(
        programs: &Programs,
        durability: Durability,
        certificates: Option<&Certificates>,
        paths: &Paths,
        instance: &mut Instance,
        started: impl FnOnce(&Instance, &mut Self) -> Result<()>,
    ) -> Result<Self> {
        let (dir, logs) = (instance.dir().to_path_buf(), instance.logs());
        let state = &mut instance.state;
        let mut servers = Self { nats: None, mongo: None, postgres: None };
        if let Some(programs) = &programs.postgres {
            servers.postgres = Some(Postgres::start(programs, certificates, &dir, &logs, state)?);
        }
        if let Some(program) = &programs.mongo {
            servers.mongo = Some(Mongo::start(program, durability, certificates, &dir, &logs, state)?);
        }
        if let Some(program) = &programs.nats {
            servers.nats = Some(Nats::start(program, paths, certificates, &dir, &logs, state)?);
        }
        instance.save_state()?;
        started(instance, &mut servers)?;
        if let Some(postgres) = &mut servers.postgres {
            postgres.await_ready()?;
        }
        if let Some(mongo) = &mut servers.mongo {
            mongo.await_ready()?;
        }
        if let Some(nats) = &mut servers.nats {
            nats.await_ready()?;
        }
        Ok(servers)
    }

    pub(crate) fn nats_url(&self, given: &Given) -> String {
        given.nats_url.clone().or_else(|| self.nats.as_ref().map(Nats::url)).unwrap_or_default()
    }

    pub(crate) fn mongo_url(&self, given: &Given) -> String {
        given.mongo_url.clone().or_else(|| self.mongo.as_ref().map(Mongo::url)).unwrap_or_default()
    }

    /// Where each keeps its data.
    pub(crate) fn data(&self) -> BTreeMap<String, PathBuf> {
        let mut data = BTreeMap::new();
        if let Some(postgres) = &self.postgres {
            data.insert("postgres".into(), postgres.data.clone());
        }
        if let Some(nats) = &self.nats {
            data.insert("nats".into(), nats.data.clone());
        }
        if let Some(mongo) = &self.mongo {
            data.insert("mongo".into(), mongo.data.clone());
        }
        data
    }

    /// In the order in which they stop.
    pub(crate) fn processes(&mut self) -> Result<Vec<Process>> {
        self.each().map(Server::process).collect()
    }

    /// Fails with the last words of one that died.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.each().try_for_each(Server::check)
    }

    /// Stops all in order and says of each how it went.
    pub(crate) fn stop(mut self) {
        self.each().for_each(stop_aloud);
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Server> {
        let nats = self.nats.as_mut().map(|nats| &mut nats.server);
        let mongo = self.mongo.as_mut().map(|mongo| &mut mongo.server);
        let postgres = self.postgres.as_mut().map(|postgres| &mut postgres.server);
        [nats, mongo, postgres].into_iter().flatten()
    }
}

/// Stops one server and says how it went.
pub(crate) fn stop_aloud(server: &mut Server) {
    let how = match server.stop() {
        Stopped::InOrder => "stopped",
        Stopped::Before => "had ended already",
        Stopped::Killed => "did not stop in time and was killed",
    };
    print_line(&format!("  {} {how}", server.name()));
}
