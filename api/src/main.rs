//! The binary `astro`: every role of the platform as a subcommand. What a role does is left to the library.

use anyhow::{Context, Result, bail};
use api::{
    app::{App, Servers},
    audit::{Event, Kind, Trail},
    certificates,
    config::{Config, Listen},
    core::token::Service,
    demo, import,
    keys::Keys,
    logs::{self, ship::Lines},
    mongo_users,
    roles::{self, Roles},
    services,
    tls::Tls,
    web::{
        address::Address,
        forward,
        metrics::{self, Exporter},
        serve,
    },
};
use clap::{Parser, Subcommand};
use commands::{
    audit,
    clock::{Clock, SystemClock},
};
use projections::{Databases, Projection, ViewName, rebuild::Differing};
use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};
use tokio_util::sync::CancellationToken;

/// Astro Bookings: seats on launches. One binary, each role a subcommand
#[derive(Debug, Parser)]
#[command(name = "astro", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    role: Role,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Every role in one process: for a laptop and for tests
    All {
        #[command(flatten)]
        listen: Listen,
        /// Take mail in at this address, for everyone to read at /api/core/mailbox (development)
        #[arg(long, value_name = "ADDRESS")]
        mailbox: Option<SocketAddr>,
    },
    /// One service with its app
    Serve {
        /// Which
        service: Service,
        #[command(flatten)]
        listen: Listen,
        /// The core service only: take mail in at this address, for everyone to read at /api/core/mailbox (development)
        #[arg(long, value_name = "ADDRESS")]
        mailbox: Option<SocketAddr>,
    },
    /// Give committed events their places in the log and relay them to NATS; further ones stand by
    Sequence,
    /// Keep the views of a projection up to date
    Project {
        /// customer, operations or finance
        projection: Projection,
    },
    /// Act on time and on events: expiries, refunds, mail
    Schedule,
    /// Bring all databases up to date
    Migrate,
    /// Fold views anew from the log beside the live ones, compare, and switch; one after the other
    Rebuild {
        /// Such as customer.launches
        #[arg(value_name = "VIEW", required_unless_present = "all")]
        views: Vec<ViewName>,
        /// Every view, such as after a restore
        #[arg(long, conflicts_with = "views")]
        all: bool,
        /// Switch even though the new one differs: the fold was changed on purpose
        #[arg(long)]
        changed: bool,
        /// Go back to the version before instead
        #[arg(long, conflicts_with = "changed")]
        roll_back: bool,
    },
    /// Read a catalogue of agencies and launches
    Import {
        /// The agencies, as CSV
        #[arg(long, value_name = "FILE")]
        agencies: PathBuf,
        /// The launches, as CSV
        #[arg(long, value_name = "FILE")]
        launches: PathBuf,
        /// Where to write what was refused, as CSV
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Check the log, or show a stream as it was
    #[command(subcommand)]
    Audit(Audit),
    /// The keys of personal data
    #[command(subcommand)]
    Vault(VaultRole),
    /// Accounts of staff
    #[command(subcommand)]
    Account(AccountRole),
    /// Make the demo accounts and some demo sales; prints the accounts as JSON, one a line
    Demo {
        /// How many bookings are made over the catalogue
        #[arg(long, default_value_t = 120, value_name = "N")]
        bookings: u32,
        /// How many further customers are made, who can sign in
        #[arg(long, default_value_t = 0, value_name = "N")]
        customers: u32,
    },
    /// Make an authority of our own and the certificates of every server and role, or anew those that end soon (development)
    Certificates {
        /// Where: `ca.pem` says whom to trust, and each name has a folder
        folder: PathBuf,
        /// A further name that people reach the services by; can be given several times
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,
    },
    /// Make the users of MongoDB, one for each part of the platform. ASTRO_MONGO_URL must name no user
    Logins {
        /// The passwords, as JSON: one for each part and one for `admin`
        #[arg(long, value_name = "FILE")]
        passwords: PathBuf,
    },
    /// Ask a service whether it is ready; exits 1 when it is not
    Ready {
        /// Such as https://localhost:8443/ready
        url: String,
    },
    /// Print the OpenAPI document of a service
    Openapi {
        /// Which
        service: Service,
    },
}

#[derive(Debug, Subcommand)]
enum AccountRole {
    /// Make an account; a link to choose its password is printed and mailed. A new installation has none: begin with an operator
    Invite {
        /// supplier, employee, operator or auditor
        #[arg(long, value_parser = staff_role)]
        role: contract::account::Role,
        /// Where the link goes
        #[arg(long)]
        email: String,
        /// How to be called
        #[arg(long)]
        name: String,
        /// The id of the supplier, for the role supplier
        #[arg(long, value_name = "ID")]
        supplier: Option<contract::SupplierId>,
    },
}

fn staff_role(text: &str) -> Result<contract::account::Role, String> {
    use contract::account::Role;
    let role = Role::ALL.into_iter().filter(|role| role.is_staff()).find(|role| role.as_str() == text);
    role.ok_or_else(|| "must be supplier, employee, operator or auditor".to_owned())
}

#[derive(Debug, Subcommand)]
enum VaultRole {
    /// Wrap every person's key with the newest master key (`master-<n>.key` beside `master.key`); older ones may go then
    Rotate,
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Check every event: places, hashes, chain, order within streams. Exits 1 at the first bad position
    Verify {
        /// From this position on
        #[arg(long, default_value_t = 1, value_name = "POSITION")]
        from: u64,
    },
    /// Print the state of a stream as it was, as JSON
    Replay {
        /// Such as `launch/<id>`
        #[arg(long, value_name = "TYPE/ID")]
        stream: String,
        /// A position or a time such as 2028-01-02T14:20:00Z; now when left out
        #[arg(long, value_name = "POSITION|TIME")]
        at: Option<audit::At>,
    },
}

/// A third of the processor time of a busy process went to the allocator of glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("astro: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For roles that run on: their log lines go to stdout and are kept, and their figures are told where that is asked for.
async fn start(config: &Config) -> Result<(Servers, Option<Lines>, Option<Exporter>)> {
    let lines = logs::start(&config.log)?;
    let exporter = match config.metrics_listen()? {
        Some(address) => Some(metrics::start(address).await?),
        None => None,
    };
    let servers = Servers::connect(config).await?;
    Ok((servers, Some(lines), exporter))
}

async fn role(config: &Config, start_role: impl FnOnce(&mut Roles, &Servers) -> Result<()>) -> Result<ExitCode> {
    let (servers, lines, exporter) = start(config).await?;
    roles::check_schema(&servers).await?;
    let mut roles = Roles::new(&servers, lines)?;
    roles.export(exporter);
    start_role(&mut roles, &servers)?;
    roles.run_until_signal().await?;
    Ok(ExitCode::SUCCESS)
}

async fn run(Cli { role: what, config }: Cli) -> Result<ExitCode> {
    match what {
        Role::All { listen, mailbox } => {
            let (servers, lines, exporter) = start(&config).await?;
            let listener = serve::listen(listen.listen)?;
            let (mut roles, _) = roles::all(&config, &servers, listener, mailbox, lines).await?;
            roles.export(exporter);
            roles.run_until_signal().await?;
        }
        Role::Serve { service, listen, mailbox } => {
            let (servers, lines, exporter) = start(&config).await?;
            roles::check_schema(&servers).await?;
            let mut roles = roles::one(&config, &servers, service, listen.listen, mailbox, lines).await?;
            roles.export(exporter);
            roles.run_until_signal().await?;
        }
        Role::Sequence => {
            return role(&config, |roles, servers| {
                roles.sequence(servers);
                Ok(())
            })
            .await;
        }
        Role::Project { projection } => {
            return role(&config, |roles, servers| {
                roles.project(servers, projection);
                Ok(())
            })
            .await;
        }
        Role::Schedule => {
            let smtp_url = config.smtp_url()?.to_owned();
            let site = config.public_url.clone().context("ASTRO_PUBLIC_URL is not set: say where links in mail lead")?;
            return role(&config, |roles, servers| roles.schedule(servers, &config, servers.executor(), &smtp_url, &site)).await;
        }
        Role::Migrate => {
            roles::migrate(&Servers::connect(&config).await?).await?;
            println!("All databases are up to date.");
        }
        Role::Rebuild { views, all, changed, roll_back } => {
            let views = if all { ViewName::all().collect() } else { views };
            return rebuild(&config, &views, changed, roll_back).await;
        }
        Role::Import { agencies, launches, report } => {
            let servers = Servers::connect(&config).await?;
            roles::check_schema(&servers).await?;
            match import::run(&import::Options { agencies, launches, report }, &servers.executor(), &SystemClock).await {
                Ok(report) => println!("{report}"),
                Err(error) => {
                    eprintln!("astro import: {error}");
                    return Ok(ExitCode::from(error.exit_code()));
                }
            }
        }
        Role::Audit(Audit::Verify { from }) => return verify(&config, from).await,
        Role::Audit(Audit::Replay { stream, at }) => {
            let (stream_type, id) = stream.split_once('/').context("--stream must be such as launch/<id>")?;
            let servers = Servers::connect(&config).await?;
            let replayed = audit::replay(&servers.pool, stream_type, id, at.unwrap_or(audit::At::Now)).await?;
            if replayed.version == 0 {
                bail!("{stream} had no events then");
            }
            println!("{}", serde_json::to_string_pretty(&replayed)?);
        }
        Role::Vault(VaultRole::Rotate) => {
            let servers = Servers::connect(&config).await?;
            let wrapped = servers.vault()?.rotate().await.context("wrap the keys of persons again")?;
            Trail::new(&servers.mongo.system).note(Event::new(Kind::KeysRotated)).await;
            println!("{wrapped} keys are wrapped with the newest master key now; the older ones are not needed any more.");
        }
        Role::Account(AccountRole::Invite { role, email, name, supplier }) => {
            let site = config.public_url.clone().context("ASTRO_PUBLIC_URL is not set: say where links lead")?;
            let servers = Servers::connect(&config).await?;
            roles::check_schema(&servers).await?;
            let form = contract::account::Invite { name, email, role, supplier, reason: "at the command line".to_owned() };
            let app = App::new(&config, &servers, Keys::load(config.keys()?)?, servers.executor(), false, CancellationToken::new())?;
            let invited = app.invite(&form, None, &Address::default()).await;
            let (account, link) = invited.map_err(|refused| anyhow::anyhow!("{}", refused.message()))?;
            println!("Account {} is made. Choose its password until {}:", account.id(), link.until);
            println!("{}/reset#{}", site.trim_end_matches('/'), link.secret);
        }
        Role::Demo { bookings, customers } => {
            let servers = Servers::connect(&config).await?;
            roles::check_schema(&servers).await?;
            let executor = servers.executor();
            let mut accounts = demo::accounts(&servers, &executor, Keys::load(config.keys()?)?, config.demo_password()?).await?;
            accounts.extend(demo::customers(&servers, &executor, Keys::load(config.keys()?)?, config.demo_password()?, customers).await?);
            let sold = demo::sell(&servers, &executor, Keys::load(config.keys()?)?, bookings).await?;
            for account in accounts {
                println!("{}", serde_json::to_string(&account)?);
            }
            eprintln!("{} bookings confirmed, {} of them cancelled, {} left unpaid", sold.confirmed, sold.cancelled, sold.held);
        }
        Role::Certificates { folder, hosts } => {
            let is_new = certificates::make(&folder, &hosts, SystemClock.now())?;
            let said = if is_new { "A new authority: trust" } else { "Certificates are up to date; the authority is" };
            println!("{said} {}", folder.join("ca.pem").display());
        }
        Role::Logins { passwords } => {
            let text = std::fs::read(&passwords).with_context(|| format!("read {}", passwords.display()))?;
            let passwords = serde_json::from_slice(&text).with_context(|| format!("read {}", passwords.display()))?;
            mongo_users::make(config.mongo_url()?, &config.prefix, &passwords, Tls::load(&config)?.as_ref()).await?;
            println!("Each part has a user of MongoDB.");
        }
        Role::Ready { url } => {
            let (status, said) = forward::answer_of(&url, Tls::load(&config)?.as_ref()).await?;
            if !status.is_success() {
                eprintln!("{url}: {status} {said}");
                return Ok(ExitCode::FAILURE);
            }
            println!("{url}: {status}");
        }
        Role::Openapi { service } => println!("{}", services::openapi(service).to_pretty_json()?),
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(config: &Config, from: u64) -> Result<ExitCode> {
    let servers = Servers::connect(config).await?;
    let report = audit::verify(&servers.pool, from).await?;
    match report.first_bad {
        None => {
            println!("{} events checked up to position {}: nothing was changed, nothing is missing.", report.checked, report.head);
            Ok(ExitCode::SUCCESS)
        }
        Some(bad) => {
            println!("Position {} is bad: {}. {} events before it are good.", bad.position, bad.why, report.checked);
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Rebuilds views one after the other; one that fails does not keep the next from it.
async fn rebuild(config: &Config, views: &[ViewName], changed: bool, roll_back: bool) -> Result<ExitCode> {
    let servers = Servers::connect(config).await?;
    let differing = if changed { Differing::Accept } else { Differing::Refuse };
    let stop = CancellationToken::new();
    let asked = roles::asked_to_stop()?;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            asked.await;
            stop.cancel();
        }
    });
    let mut code = ExitCode::SUCCESS;
    for view in views {
        let outcome = if roll_back {
            let back = projections::roll_back(&servers.databases, *view).await;
            back.map(|version| println!("{view} is back at version {version}.")).map(|()| true).map_err(Into::into)
        } else {
            rebuild_one(&servers.databases, *view, differing, &stop).await
        };
        if let Err(error) = &outcome {
            eprintln!("astro rebuild: {view}: {error:#}");
        }
        if !outcome.unwrap_or_default() {
            code = ExitCode::FAILURE;
        }
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(code)
}

/// Says whether the new version is in use.
async fn rebuild_one(databases: &Databases, view: ViewName, differing: Differing, stop: &CancellationToken) -> Result<bool> {
    let rebuilt = projections::rebuild(databases, view, differing, stop, |progress| {
        let left = progress.seconds_left.map_or(String::new(), |seconds| format!(", about {seconds:.0} s left"));
        let _ = writeln!(std::io::stderr(), "{view}: {} of {} events{left}", progress.done, progress.total);
    })
    .await?;
    println!(
        "{view}: version {} from {} events in {:.1} s; {} documents compared, {} differ, {} still moving.",
        rebuilt.version,
        rebuilt.events,
        rebuilt.took.as_secs_f64(),
        rebuilt.compared,
        rebuilt.differing,
        rebuilt.moving
    );
    for id in &rebuilt.some_differing {
        println!("differs: {id}");
    }
    if rebuilt.switched {
        println!("The new version is in use; `astro rebuild {view} --roll-back` goes back.");
    } else {
        println!("The live version stays in use. If the fold was changed on purpose, add --changed.");
    }
    Ok(rebuilt.switched)
}
