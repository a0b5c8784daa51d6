//! `cargo xtask bench`: builds for people, starts servers as durable as those of `up`, and calls the crate `bench`, which measures.

use anyhow::{Context, Result, bail};

use crate::mongo::Durability;
use crate::paths::Paths;
use crate::servers::{Given, Programs};
use crate::step::Steps;
use crate::test_servers::TestServers;
use crate::ui::{self, Profile};
use crate::{astro, process};

/// Steps after the servers' programs are found.
const STEPS: usize = 5;

/// Measures; `args` are the crate's own.
pub(crate) fn run(paths: &Paths, args: &[String]) -> Result<()> {
    let logs = paths.data.join("logs/bench");
    let mut steps = Steps::new(Programs::STEPS + STEPS);
    let programs = Programs::find_or_install(paths, &Given::default(), &logs, &mut steps)?;
    steps.run("Compiler for the browser", |progress| ui::prepare_toolchain(paths, &logs, progress))?;
    let bundles = steps.run("Web apps", |progress| ui::build(paths, Profile::Small, &logs, progress))?;
    let program = steps.run("Services", |progress| astro::build(paths, false, &logs, progress))?;
    steps.run("Bench", |progress| {
        let mut cargo = paths.cargo();
        cargo.args(["build", "--release", "-p", "bench"]);
        process::run(cargo, &logs.join("bench-build.log"), process::cargo_progress(progress))
    })?;
    let servers = steps.run("Servers", |_| TestServers::start(paths, &programs, Durability::EveryWrite))?;
    let mut bench = std::process::Command::new(paths.target().join("release/bench"));
    bench.args(args).envs(servers.environment("ASTRO_BENCH"));
    bench.env("ASTRO_BENCH_ASTRO", astro::copy(&program, servers.dir().context("the servers have no folder")?)?);
    bench.env("ASTRO_BENCH_UI", bundles).env("ASTRO_BENCH_DEMO", paths.root.join("deploy/demo"));
    bench.env("ASTRO_BENCH_REPORT", paths.root.join("docs/BENCHMARKS.md"));
    bench.env("ASTRO_BENCH_PGBENCH", programs.pgbench().context("pgbench comes with PostgreSQL")?);
    if !process::run_visibly(bench)?.success() {
        bail!("measuring failed");
    }
    Ok(())
}
