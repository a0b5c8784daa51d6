//! `cargo xtask`: everything a developer or newcomer runs. This file only reads the command line.

mod advisories;
mod apt;
mod astro;
mod bench;
mod check;
mod code;
mod down;
mod fuzz;
mod instance;
mod licences;
mod lists;
mod mongo;
mod nats_server;
mod parts;
mod paths;
mod postgres;
mod process;
mod sbom;
mod schemathesis;
mod server;
mod servers;
mod shared_builds;
mod signals;
mod step;
mod test;
mod test_servers;
mod ui;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::paths::Paths;
use crate::signals::Interrupted;
use crate::ui::Profile;

/// What a shell reports of a program that ended by Ctrl-C.
const ENDED_BY_INTERRUPT: u8 = 130;

/// Everything a developer or newcomer of Astro Bookings runs
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the whole platform on one address: find or install servers, build, migrate, import the demo, serve
    Up(up::Options),
    /// Stop what `up` started; the data is kept
    Down,
    /// Print the present code of a demo account's second factor
    Code {
        /// The role, such as operator, or the address
        role: String,
    },
    /// Run all tests against servers of their own; what follows goes to `cargo test`
    Test {
        /// Arguments of `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run the tests' servers until Ctrl-C and print their addresses, to work on tests by hand
    Servers,
    /// Run every static gate: format, clippy, documentation, browser builds, dependency rules, licences, API snapshots
    Check {
        /// Only the gates whose name holds one of these words
        gates: Vec<String>,
    },
    /// Measure the platform over HTTP, each figure beside its yardstick; what follows goes to the crate `bench`
    Bench {
        /// Arguments of `bench`: --only NAME, --runs N, --json
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Write what the product is made of as CycloneDX JSON
    Sbom {
        /// Where to; `target/sbom.json` when left out
        file: Option<std::path::PathBuf>,
    },
    /// Fuzz what reads strangers' bytes: tokens, envelopes, catalogue rows, queries
    Fuzz {
        /// For how long, each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Only these targets
        targets: Vec<String>,
    },
    /// Ask every operation of the four OpenAPI documents as every role, on a platform of its own
    Schemathesis {
        /// Examples for each operation
        #[arg(long, default_value_t = 25)]
        examples: u32,
    },
    /// Copy the public database of advisories from a folder that holds it
    Advisories {
        /// The folder, with `crates/<name>/RUSTSEC-….md` in it
        database: std::path::PathBuf,
    },
    /// Build the four web apps for the browser
    Ui {
        /// Quick to build instead of small
        #[arg(long)]
        dev: bool,
    },
}

fn main() -> ExitCode {
    let line = Line::parse();
    let run = || {
        signals::listen()?;
        let paths = Paths::find()?;
        shared_builds::take_over(&paths)?;
        match line.command {
            Command::Up(options) => up::run(&paths, &options),
            Command::Down => down::run(&paths),
            Command::Code { role } => code::run(&paths, &role),
            Command::Test { args } => test::run(&paths, &args),
            Command::Servers => test::serve(&paths),
            Command::Bench { args } => bench::run(&paths, &args),
            Command::Check { gates } => check::run(&paths, &gates),
            Command::Fuzz { seconds, targets } => fuzz::run(&paths, seconds, &targets),
            Command::Schemathesis { examples } => schemathesis::run(&paths, examples),
            Command::Sbom { file } => sbom::run(&paths, file.as_deref()),
            Command::Advisories { database } => advisories::copy(&paths, &database),
            Command::Ui { dev } => ui::run(&paths, if dev { Profile::Quick } else { Profile::Small }),
        }
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(ENDED_BY_INTERRUPT),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
