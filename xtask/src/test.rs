//! `cargo xtask test` and `cargo xtask servers`: servers for one run of the tests, gone at its end. What is tested is in each crate.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::instance::{Instance, Process, Run};
use crate::mongo::Durability;
use crate::paths::{Paths, on_path};
use crate::servers::{Given, Programs, Servers};
use crate::step::{Progress, Steps, print_line};
use crate::ui::{self, Profile};
use crate::{apt, process, signals};

/// The folders of test runs begin like this.
const FOLDER: &str = "astro-bookings-test-";

/// Servers of one test run. Dropping it stops them and removes their data.
#[derive(Debug)]
struct TestServers {
    servers: Option<Servers>,
    instance: Option<Instance>,
    postgres_url: String,
    nats_url: String,
    mongo_url: String,
}

impl TestServers {
    fn start(paths: &Paths, programs: &Programs) -> Result<Self> {
        sweep(paths);
        let dir = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        let mut instance = Instance::take(&dir, &paths.root)?.with_context(|| format!("{} is in use", dir.display()))?;
        let given = Given::default();
        let mut run = Run {
            clone: paths.root.clone(),
            ready: false,
            address: String::new(),
            postgres_url: String::new(),
            nats_url: String::new(),
            mongo_url: String::new(),
            smtp_url: String::new(),
            data: Default::default(),
            logs: instance.logs(),
            demo: Vec::new(),
            supervisor: Process::of("xtask", std::process::id())?,
            processes: Vec::new(),
        };
        let started = Servers::start(programs, Durability::EveryStop, paths, &mut instance, |instance, servers| {
            run.processes = servers.processes()?;
            run.data = servers.data();
            instance.save_run(&run)
        });
        match started {
            Ok(servers) => Ok(Self {
                postgres_url: servers.postgres.as_ref().context("no PostgreSQL was started")?.superuser_url(),
                nats_url: servers.nats_url(&given),
                mongo_url: servers.mongo_url(&given),
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

    fn environment(&self) -> [(&'static str, &str); 3] {
        [
            ("ASTRO_TEST_POSTGRES_URL", &self.postgres_url),
            ("ASTRO_TEST_NATS_URL", &self.nats_url),
            ("ASTRO_TEST_MONGO_URL", &self.mongo_url),
        ]
    }

    fn dir(&self) -> Option<&Path> {
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

/// A browser and its driver.
#[derive(Debug)]
struct Browser {
    chromium: PathBuf,
    driver: PathBuf,
}

impl Browser {
    fn find_or_install(logs: &Path, progress: &Progress) -> Result<Self> {
        if let Some(found) = Self::find() {
            progress.say(found.chromium.display().to_string());
            return Ok(found);
        }
        apt::install("A browser for the tests", &["chromium", "chromium-driver"], logs, progress)?;
        let found = Self::find().context("apt's chromium and chromium-driver are not on the PATH")?;
        progress.say(found.chromium.display().to_string());
        Ok(found)
    }

    fn find() -> Option<Self> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name))?;
        Some(Self { chromium, driver: on_path("chromedriver")? })
    }
}

/// Runs the tests of the workspace, or what `args` (cargo test's own) select.
pub(crate) fn run(paths: &Paths, args: &[String]) -> Result<()> {
    let logs = paths.data.join("logs/test");
    let selects = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "-p" || arg.starts_with("--package") || arg == "--workspace");
    // Tests of a chosen crate need the browser only when they are the browser's.
    let browser_too = !selects || args.iter().any(|arg| arg.ends_with("e2e") || arg == "--workspace");
    let mut steps = Steps::new(Programs::STEPS + if browser_too { 4 } else { 1 });
    let programs = Programs::find_or_install(paths, &Given::default(), &logs, &mut steps)?;
    let mut browser = None;
    if browser_too {
        browser = Some(steps.run("Browser", |progress| Browser::find_or_install(&logs, progress))?);
        steps.run("Compiler for the browser", |progress| ui::prepare_toolchain(paths, &logs, progress))?;
    }
    let bundles =
        if browser_too { Some(steps.run("Web apps", |progress| ui::build(paths, Profile::Quick, &logs, progress))?) } else { None };

    let mut cargo_test = vec!["test".to_owned()];
    if !selects {
        cargo_test.extend(["--workspace", "--exclude", "bindgen"].map(String::from));
    }
    let cargo_args = args.iter().take_while(|arg| *arg != "--");
    let mut build = paths.cargo();
    build.args(&cargo_test).args(cargo_args).arg("--no-run");
    print_line("\nBuilding the tests:");
    if !process::run_visibly(build)?.success() {
        bail!("the tests did not build");
    }
    let servers = steps.run("Servers", |_| TestServers::start(paths, &programs))?;
    let mut tests = paths.cargo();
    tests.args(&cargo_test).args(args).envs(servers.environment());
    if let (Some(browser), Some(bundles), Some(dir)) = (browser, bundles, servers.dir()) {
        let program = crate::astro::copy(&paths.target().join("debug/astro"), dir)?;
        tests.env("ASTRO_TEST_CHROMIUM", browser.chromium).env("ASTRO_TEST_CHROMEDRIVER", browser.driver);
        tests.env("ASTRO_TEST_UI", bundles).env("ASTRO_TEST_ASTRO", program);
    }
    let status = process::run_visibly(tests)?;
    drop(servers);
    if !status.success() {
        bail!("tests failed");
    }
    Ok(())
}

/// The same servers for working on tests by hand, until Ctrl-C.
pub(crate) fn serve(paths: &Paths) -> Result<()> {
    let logs = paths.data.join("logs/test");
    let mut steps = Steps::new(Programs::STEPS + 1);
    let programs = Programs::find_or_install(paths, &Given::default(), &logs, &mut steps)?;
    let mut servers = steps.run("Servers", |_| TestServers::start(paths, &programs))?;
    print_line("");
    for (name, value) in servers.environment() {
        print_line(&format!("export {name}='{value}'"));
    }
    print_line("\nCtrl-C stops them and removes their data.");
    loop {
        if signals::interrupted() {
            return Ok(());
        }
        if let Some(servers) = &mut servers.servers {
            servers.check()?;
        }
        std::thread::sleep(signals::POLL);
    }
}
