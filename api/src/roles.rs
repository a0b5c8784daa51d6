//! What one process runs, in stages that stop one after the other: first what takes requests in, last what everything else needs.

use crate::{
    app::{App, Servers},
    config::Config,
    core::{account::Accounts, addresses::Addresses, erase::Erasure, link::Links, session::Sessions, token::Service},
    keys::Keys,
    logs::ship::{self, Lines},
    services, shelf,
    tls::{self, Tls},
    web::{
        around::{Around, dressed},
        forward, health,
        metrics::Exporter,
        pages, serve,
    },
};
use anyhow::{Context, Result, bail, ensure};
use commands::{Executor, clock::SystemClock, sequence};
use projections::Projection;
use rustix::process::{getpriority_process, setpriority_process};
use scheduler::{Mailbox, Mailer, Scheduler, payment::TestGateway};
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long a process may take to stop, all stages together.
const STOP_FOR: Duration = Duration::from_secs(9);
/// How nice the threads behind are: where processors are scarce they get about a tenth of what threads that answer requests get.
const NICENESS: i32 = 10;

/// Connections of the sequencer: to give positions, to read what is relayed, and to see how the log stands.
const SEQUENCER_CONNECTIONS: u32 = 3;

/// Tasks that stop together.
#[derive(Debug, Default)]
struct Stage {
    stop: CancellationToken,
    tasks: JoinSet<(&'static str, Result<()>)>,
    /// Where its tasks run, if not where requests are answered.
    on: Option<Handle>,
}

impl Stage {
    fn run(&mut self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        let task = async move { (name, task.await) };
        match &self.on {
            Some(behind) => self.tasks.spawn_on(task, behind),
            None => self.tasks.spawn(task),
        };
    }
}

/// Threads for what follows the log: who waits for an answer has the processors first.
#[derive(Debug)]
struct Behind(Option<Runtime>);

impl Behind {
    fn start() -> Result<Self> {
        let be_nice = || {
            let nicer = getpriority_process(None).map(|own| own.max(NICENESS));
            if let Err(error) = nicer.and_then(|nicer| setpriority_process(None, nicer)) {
                tracing::debug!("A thread behind is as important as any: {error}");
            }
        };
        let runtime = Builder::new_multi_thread().enable_all().thread_name("astro-behind").on_thread_start(be_nice).build();
        Ok(Self(Some(runtime.context("start the threads behind")?)))
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The stages of a process.
#[derive(Debug)]
pub struct Roles {
    web: Stage,
    work: Stage,
    views: Stage,
    log: Stage,
    lines: Stage,
    /// Where work and views run.
    _behind: Behind,
}

impl Roles {
    /// A process that keeps its log lines, where there are some to keep.
    pub fn new(servers: &Servers, lines: Option<Lines>) -> Result<Self> {
        let behind = Behind::start()?;
        let on_it = || Stage { on: behind.0.as_ref().map(|runtime| runtime.handle().clone()), ..Stage::default() };
        let (web, work, views, log, lines_kept) = (Stage::default(), on_it(), on_it(), Stage::default(), Stage::default());
        let mut roles = Self { web, work, views, log, lines: lines_kept, _behind: behind };
        if let Some(lines) = lines {
            let (system, stop) = (servers.mongo.system.clone(), roles.lines.stop.clone());
            roles.lines.run("logs", async move {
                ship::keep(lines, system, stop).await;
                Ok(())
            });
        }
        Ok(roles)
    }

    /// Tells the figures of this process, where somebody may ask for them.
    pub fn export(&mut self, exporter: Option<Exporter>) {
        if let Some(exporter) = exporter {
            self.lines.run("metrics", exporter.run(self.lines.stop.clone()));
        }
    }

    /// Ends open streams when the process stops.
    #[must_use]
    pub fn web_stop(&self) -> CancellationToken {
        self.web.stop.clone()
    }

    /// Serves these services with their pages, and the health of the process; with `tls` encrypted.
    pub fn serve(&mut self, app: &App, config: &Config, services: &[Service], listener: TcpListener, tls: Option<&Tls>) -> Result<()> {
        let mut router = services::router(app, services);
        if let Some(core) = config.core_url.as_ref().filter(|_| !services.contains(&Service::Core)) {
            router = router.merge(forward::router(core, tls)?);
        }
        if let Some(folder) = &config.ui {
            let apps: Vec<_> = services.iter().map(|service| pages::app_of(*service)).collect();
            router = pages::around(router, &apps, folder)?;
        } else {
            tracing::info!("ASTRO_UI is not set: serving without pages");
        }
        let router = dressed(router.merge(health::router(app.clone(), services)), &Around::new(app, config)?);
        let address = listener.local_addr()?;
        let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
        let encryption = tls.map(Tls::server);
        let scheme = if encryption.is_some() { "https" } else { "http" };
        tracing::info!("Serving {} on {scheme}://{address}", names.join(", "));
        self.web.run("serve", serve::serve(listener, router, encryption, config.trusted_proxies.clone(), self.web.stop.clone()));
        self.web.run("rebuilds", {
            let (rebuilds, stop) = (app.rebuilds.clone(), self.web.stop.clone());
            async move {
                rebuilds.end_with(stop).await;
                Ok(())
            }
        });
        if services.contains(&Service::Core) {
            let (shelves, stop) = (vec![ship::shelf(&app.system), app.trail.shelf().clone()], self.web.stop.clone());
            self.web.run("shelves", async move {
                shelf::trim(shelves, stop).await;
                Ok(())
            });
        }
        let (live, feed, stop) = (app.live.clone(), app.feed.clone(), self.web.stop.clone());
        self.web.run("live", async move {
            live.run(feed, stop).await;
            Ok(())
        });
        Ok(())
    }

    /// Gives events their places, and relays them.
    pub fn sequence(&mut self, servers: &Servers) {
        let Servers { appending, bus, wake, feed, .. } = servers.clone();
        let (pool, stop) = (commands::beside(&appending, SEQUENCER_CONNECTIONS), self.log.stop.clone());
        tracing::info!("Sequencing the log");
        self.log.run("sequence", async move {
            sequence::run(pool, Some(bus), wake, feed.rush().clone(), stop).await;
            Ok(())
        });
    }

    /// Keeps the views of a projection up to date.
    pub fn project(&mut self, servers: &Servers, projection: Projection) {
        let (databases, stop) = (servers.behind().databases, self.views.stop.clone());
        let (position, _) = watch::channel(0);
        tracing::info!("Keeping the {projection} views up to date");
        self.views.run("project", async move {
            projections::run(projection, databases, position, stop).await;
            Ok(())
        });
    }

    /// Acts on time and on events, and sends mail.
    pub fn schedule(&mut self, servers: &Servers, config: &Config, executor: Executor, smtp_url: &str, site: &str) -> Result<()> {
        let authority = tls::mail("ASTRO_SMTP_URL", smtp_url, servers.tls.as_ref())?;
        let unfit = "ASTRO_SMTP_URL or ASTRO_MAIL_FROM cannot be used";
        let mailer = Mailer::new(smtp_url, &config.mail_from, site, authority.as_deref()).context(unfit)?;
        let system = servers.mongo.system.clone();
        let addresses = Addresses::new(Accounts::new(&system, servers.vault()?.clone()), executor.clone(), Erasure::new(servers)?);
        let Servers { pool, feed, .. } = servers.behind();
        let scheduler = Scheduler {
            executor,
            feed,
            gateway: Arc::new(TestGateway::new(&pool)),
            pool,
            vault: servers.vault()?.clone(),
            mongo: system,
            mailer,
            addresses: Arc::new(addresses),
            clock: Arc::new(SystemClock),
        };
        let stop = self.work.stop.clone();
        tracing::info!("Scheduling: timers, reactions and mail");
        self.work.run("schedule", async move {
            scheduler::run(scheduler, stop).await;
            Ok(())
        });
        Ok(())
    }

    /// Takes mail in for people to read, in development.
    pub fn mailbox(&mut self, servers: &Servers, listener: TcpListener) -> Result<()> {
        let (mailbox, stop) = (Mailbox::new(&servers.mongo.system, servers.vault()?.clone()), self.views.stop.clone());
        let tls = servers.tls.as_ref().map(Tls::acceptor);
        self.views.run("mailbox", async move {
            mailbox.serve(listener, tls, stop).await;
            Ok(())
        });
        Ok(())
    }

    /// Runs until a signal, or until one of the tasks ends by itself, then stops stage by stage.
    pub async fn run_until_signal(self) -> Result<()> {
        self.run_until(asked_to_stop()?).await
    }

    /// The same until `asked`.
    pub async fn run_until(mut self, asked: impl Future<Output = ()>) -> Result<()> {
        let ended = {
            let Self { web, work, views, log, .. } = &mut self;
            tokio::select! {
                () = asked => None,
                Some(ended) = web.tasks.join_next() => Some(ended),
                Some(ended) = work.tasks.join_next() => Some(ended),
                Some(ended) = views.tasks.join_next() => Some(ended),
                Some(ended) = log.tasks.join_next() => Some(ended),
            }
        };
        let outcome = match ended {
            None => Ok(()),
            Some(Ok((name, Ok(())))) => Err(anyhow::anyhow!("{name} ended by itself")),
            Some(Ok((name, Err(error)))) => Err(error.context(format!("{name} failed"))),
            Some(Err(panic)) => Err(anyhow::Error::new(panic).context("a role panicked")),
        };
        match &outcome {
            Ok(()) => tracing::info!("Stopping"),
            Err(error) => tracing::error!("Stopping: {error:#}"),
        }
        let deadline = Instant::now() + STOP_FOR;
        for (name, stage) in
            [("requests", self.web), ("work", self.work), ("views", self.views), ("log", self.log), ("log lines", self.lines)]
        {
            let Stage { stop, mut tasks, .. } = stage;
            stop.cancel();
            if timeout_at(deadline, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
                tracing::warn!("The stage {name} did not stop in time and is cut off");
            }
        }
        outcome
    }
}

/// Ends with the first signal that asks the process to stop.
pub fn asked_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Brings every database up to date. Runs as often as one likes.
pub async fn migrate(servers: &Servers) -> Result<()> {
    commands::migrate(&servers.pool).await.context("migrate the event store")?;
    scheduler::migrate(&servers.pool).await.context("migrate the scheduler's tables")?;
    servers.vault()?.migrate().await.context("set up the keys of persons")?;
    projections::prepare(&servers.databases).await.context("set the views up")?;
    let system = &servers.mongo.system;
    let accounts = Accounts::new(system, servers.vault()?.clone()).prepare().await;
    accounts.map_err(|error| anyhow::anyhow!("set the accounts up: {error:?}"))?;
    Links::new(system).prepare().await.context("set the links up")?;
    Sessions::new(system).prepare().await.context("set the sessions up")?;
    ship::shelf(system).prepare().await.context("set the logs up")?;
    crate::audit::Trail::new(system).prepare().await.context("set the trail up")?;
    Ok(())
}

/// Every role in one process, listening on `listener`; ready to run.
pub async fn all(
    config: &Config,
    servers: &Servers,
    listener: TcpListener,
    mailbox: Option<SocketAddr>,
    lines: Option<Lines>,
) -> Result<(Roles, App)> {
    migrate(servers).await?;
    commands::check_forms(&servers.pool).await.context("start on this log")?;
    let mut roles = Roles::new(servers, lines)?;
    let mut smtp_url = config.smtp_url().map(str::to_owned);
    if let Some(address) = mailbox {
        let inbox = TcpListener::bind(address).await.with_context(|| format!("--mailbox: listen on {address}"))?;
        tracing::info!("The development mailbox takes mail on {}", inbox.local_addr()?);
        let scheme = if servers.tls.is_some() { "smtps" } else { "smtp" };
        smtp_url = Ok(format!("{scheme}://{}", inbox.local_addr()?));
        roles.mailbox(servers, inbox)?;
    }
    let executor = servers.executor();
    let app = App::new(config, servers, Keys::load(config.keys()?)?, executor.clone(), mailbox.is_some(), roles.web_stop())?;
    roles.sequence(servers);
    for projection in Projection::ALL {
        roles.project(servers, projection);
    }
    let scheme = if servers.tls.is_some() { "https" } else { "http" };
    let site = config.public_url.clone().unwrap_or(format!("{scheme}://{}", listener.local_addr()?));
    roles.schedule(servers, config, executor, &smtp_url?, &site)?;
    roles.serve(&app, config, &Service::ALL, listener, servers.tls.as_ref())?;
    Ok((roles, app))
}

/// One service in a process of its own. The core service can be the development mailbox, too.
pub async fn one(
    config: &Config,
    servers: &Servers,
    service: Service,
    address: SocketAddr,
    mailbox: Option<SocketAddr>,
    lines: Option<Lines>,
) -> Result<Roles> {
    let mut roles = Roles::new(servers, lines)?;
    let core = service == Service::Core;
    if let Some(address) = mailbox {
        ensure!(core, "--mailbox is for the core service, which shows it");
        let inbox = TcpListener::bind(address).await.with_context(|| format!("--mailbox: listen on {address}"))?;
        tracing::info!("The development mailbox takes mail on {}", inbox.local_addr()?);
        roles.mailbox(servers, inbox)?;
    }
    // Only the core service signs people in.
    let keys = if core { Keys::load(config.keys()?)? } else { Keys::verify_only(config.keys()?)? };
    let app = App::new(config, servers, keys, servers.executor(), mailbox.is_some(), roles.web_stop())?;
    let listener = serve::listen(address)?;
    roles.serve(&app, config, &[service], listener, servers.tls.as_ref())?;
    Ok(roles)
}

/// Checks that the schema is there, for roles that do not make it, and that this program reads everything the log holds.
pub async fn check_schema(servers: &Servers) -> Result<()> {
    let known: Option<bool> = sqlx::query_scalar("SELECT to_regclass('forms') IS NOT NULL").fetch_one(&servers.pool).await?;
    if known != Some(true) {
        bail!("the database has no schema of this version yet: run `astro migrate`");
    }
    commands::check_forms(&servers.pool).await.context("start on this log")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn threads_behind_are_nice_and_no_others() {
        let own = getpriority_process(None).unwrap();
        let behind = Behind::start().unwrap();
        let theirs = behind.0.as_ref().unwrap().spawn(async { getpriority_process(None) }).await.unwrap().unwrap();
        assert_eq!((theirs, getpriority_process(None).unwrap()), (own.max(NICENESS), own));
    }
}
