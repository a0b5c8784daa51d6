//! `cargo xtask test` and `cargo xtask servers`: what tests need is found, built and started around `cargo test`.
//! What is tested is in each crate.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::mongo::Durability;
use crate::paths::{Paths, on_path};
use crate::servers::{Given, Programs};
use crate::step::{Progress, Steps, print_line};
use crate::test_servers::TestServers;
use crate::ui::{self, Profile};
use crate::{apt, process, signals};

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
        cargo_test.extend(["--workspace", "--exclude", "bindgen", "--no-fail-fast"].map(String::from));
    }
    let cargo_args = args.iter().take_while(|arg| *arg != "--");
    let mut build = paths.cargo();
    build.args(&cargo_test).args(cargo_args).arg("--no-run");
    print_line("\nBuilding the tests:");
    if !process::run_visibly(build)?.success() {
        bail!("the tests did not build");
    }
    if selects && browser_too {
        // A chosen crate's tests do not bring the binary that they drive.
        let mut build = paths.cargo();
        build.args(["build", "-p", "api", "--bin", "astro"]);
        if !process::run_visibly(build)?.success() {
            bail!("astro did not build");
        }
    }
    let mut servers = steps.run("Servers", |_| TestServers::start(paths, &programs, Durability::EveryStop))?;
    let mut tests = paths.cargo();
    tests.args(&cargo_test).args(args).envs(servers.environment("ASTRO_TEST")).envs(programs.environment("ASTRO_TEST"));
    if let (Some(browser), Some(bundles), Some(dir)) = (browser, bundles, servers.dir()) {
        let program = crate::astro::copy(&paths.target().join("debug/astro"), dir)?;
        tests.env("ASTRO_TEST_CHROMIUM", browser.chromium).env("ASTRO_TEST_CHROMEDRIVER", browser.driver);
        tests.env("ASTRO_TEST_UI", bundles).env("ASTRO_TEST_ASTRO", program);
    }
    let status = process::run_visibly(tests)?;
    if !status.success() {
        // A server that died under them is the better reason.
        servers.check()?;
        bail!("tests failed");
    }
    Ok(())
}

/// The same servers for working on tests by hand, until Ctrl-C.
pub(crate) fn serve(paths: &Paths) -> Result<()> {
    let logs = paths.data.join("logs/test");
    let mut steps = Steps::new(Programs::STEPS + 1);
    let programs = Programs::find_or_install(paths, &Given::default(), &logs, &mut steps)?;
    let mut servers = steps.run("Servers", |_| TestServers::start(paths, &programs, Durability::EveryStop))?;
    print_line("");
    for (name, value) in servers.environment("ASTRO_TEST") {
        print_line(&format!("export {name}='{value}'"));
    }
    for (name, program) in programs.environment("ASTRO_TEST") {
        print_line(&format!("export {name}='{}'", program.display()));
    }
    print_line("\nCtrl-C stops them and removes their data.");
    loop {
        if signals::interrupted() {
            return Ok(());
        }
        servers.check()?;
        std::thread::sleep(signals::POLL);
    }
}
