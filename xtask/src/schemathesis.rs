//! `cargo xtask schemathesis`: a platform of its own, and every operation of the four OpenAPI documents asked as every role.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::mongo::Durability;
use crate::paths::Paths;
use crate::servers::{Given, Programs};
use crate::step::{Progress, Steps, print_line};
use crate::test_servers::TestServers;
use crate::{astro, process, server, signals};

/// From PyPI, as tried.
const VERSION: &str = "4.32.5";
/// How long the platform may take to start.
const START: Duration = Duration::from_secs(60);
const PASSWORD: &str = "every word of the documents";

/// The program `st`, in an environment of its own.
fn install(paths: &Paths, logs: &Path, progress: &Progress) -> Result<PathBuf> {
    let home = paths.cache.join("tools").join(format!("schemathesis-{VERSION}"));
    let program = home.join("bin/st");
    if program.is_file() {
        progress.say(VERSION);
        return Ok(program);
    }
    let _ = fs::remove_dir_all(&home); // half of one helps nobody
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&home);
    process::run(make, &logs.join("venv.log"), |_| {})?;
    let mut pip = Command::new(home.join("bin/pip"));
    pip.args(["install", "--quiet", &format!("schemathesis=={VERSION}")]);
    process::run(pip, &logs.join("pip.log"), |_| {})?;
    progress.say(format!("{VERSION} installed"));
    Ok(program)
}

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it, with so many examples for each operation.
pub(crate) fn run(paths: &Paths, examples: u32) -> Result<()> {
    let logs = paths.data.join("logs/schemathesis");
    let mut steps = Steps::new(Programs::STEPS + 3);
    let programs = Programs::find_or_install(paths, &Given::default(), &logs, &mut steps)?;
    let st = steps.run("Schemathesis", |progress| install(paths, &logs, progress))?;
    steps.run("Services", |progress| {
        let mut cargo = paths.cargo();
        cargo.args(["build", "-p", "api", "--bin", "astro"]);
        process::run(cargo, &logs.join("astro-build.log"), process::cargo_progress(progress))
    })?;
    let servers = steps.run("Servers", |_| TestServers::start(paths, &programs, Durability::EveryStop))?;
    let dir = servers.dir().context("the servers have no folder")?;
    let program = astro::copy(&paths.target().join("debug/astro"), dir)?;
    let (http, smtp) = (free_port()?, free_port()?);
    let astro = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).envs(servers.environment("ASTRO")).env("ASTRO_KEYS", dir.join("keys")).env("ASTRO_DEMO_PASSWORD", PASSWORD);
        command.env("ASTRO_LISTEN", format!("127.0.0.1:{http}")).env("ASTRO_SMTP_URL", format!("smtp://127.0.0.1:{smtp}"));
        command.env("ASTRO_LIMITS", "off");
        command
    };
    process::output(&mut astro(&["migrate"]))?;
    // Lists that are empty keep every promise.
    let catalogue = |name: &str| paths.root.join("deploy/demo").join(name).display().to_string();
    let files = ["--agencies", &catalogue("agencies.csv"), "--launches", &catalogue("launches.csv")];
    process::output(astro(&["import"]).args(files))?;
    let accounts = dir.join("accounts.jsonl");
    fs::write(&accounts, process::output(&mut astro(&["demo", "--bookings", "20"]))?)?;
    let log = fs::File::create(logs.join("astro.log"))?;
    let mut all = astro(&["all", "--mailbox", &format!("127.0.0.1:{smtp}")]);
    let _platform = Running(all.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?);
    let listens = signals::wait_until(START, || signals::interrupted() || server::listens(http));
    signals::check()?;
    if !listens {
        bail!("astro does not listen: see {}", logs.join("astro.log").display());
    }
    print_line("");
    let mut ask = Command::new("python3");
    ask.arg(paths.root.join("xtask/schemathesis/run.py")).arg(st).arg(format!("http://127.0.0.1:{http}")).arg(accounts);
    ask.args([PASSWORD, &examples.to_string()]).current_dir(&logs);
    if !process::run_visibly(ask)?.success() {
        bail!("the services do not do what their documents say");
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
