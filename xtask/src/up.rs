//! `cargo xtask up`: from a fresh clone to the running platform on one address, and its end in order.
//! The servers are in `servers`, the binary in `astro`, the web apps in `ui`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::astro::{self, Surroundings};
use crate::instance::{self, Instance, Process, Run, SignIn};
use crate::mongo::Durability;
use crate::parts::{self, Certificates, PARTS, SERVICES, SETUP};
use crate::paths::Paths;
use crate::server::Server;
use crate::servers::{Given, Programs, Servers, stop_aloud};
use crate::signals::{self, Interrupted};
use crate::step::{Progress, Steps, print_line, seconds};
use crate::ui::{self, Profile};
use crate::{down, postgres, process};

/// Where people look first.
const PREFERRED_PORT: u16 = 8080;
/// How long `astro` may take until it answers.
const ASTRO_START: Duration = Duration::from_secs(120);
/// How long `astro` may take to finish what it is doing.
const ASTRO_STOP: Duration = Duration::from_secs(10);
/// How often the running servers are looked at.
const WATCH: Duration = Duration::from_millis(200);
/// How long the views may take to catch up with the log: after the import they have it all to read.
const CATCH_UP: Duration = Duration::from_secs(300);
/// How long one answer may take, and how much of it is read.
const ANSWER: Duration = Duration::from_secs(5);
const ANSWER_BYTES: u64 = 16 * 1024;
/// Said by `/ready` when views have read another log than this: they catch up with it only once they are rebuilt.
const OF_ANOTHER_LOG: &str = "\"of_this_log\":false";
/// Steps after the servers' programs are found.
const STEPS: usize = 6;

/// What `up` can be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Start over: delete this clone's data first
    #[arg(long)]
    fresh: bool,
    /// Return once all is ready; `cargo xtask down` stops it
    #[arg(long)]
    detach: bool,
    /// Serve on this port of 127.0.0.1 (default: 8080, or the next free one; the same again next time)
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Encrypt every connection and run each part as a process of its own, with its own users and certificate
    #[arg(long, conflicts_with_all = ["port", "postgres_url", "nats_url", "mongo_url"])]
    tls: bool,
    /// Build quickly instead of fast programs and small pages: to try out what was just changed
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    given: Given,
    /// The process behind --detach
    #[arg(long, hide = true)]
    supervisor: bool,
}

pub(crate) fn run(paths: &Paths, options: &Options) -> Result<()> {
    let Some(instance) = take(paths, options.fresh)? else { return Ok(()) };
    if options.detach { detach(paths, options, instance) } else { serve(paths, options, instance) }
}

/// The data folder, cleaned of what a crash left; `None` when an `up` has it already, which is then told.
fn take(paths: &Paths, fresh: bool) -> Result<Option<Instance>> {
    if fresh {
        instance::forget_damaged(&paths.data);
        down::stop(paths)?;
    }
    let Some(instance) = Instance::take(&paths.data, &paths.root)? else {
        match instance::read_run(&paths.data)? {
            Some(run) if run.ready => {
                print_line(&format!("Astro Bookings runs already at {}", run.address));
                print_sign_ins(&run.demo);
            }
            _ => print_line("Astro Bookings is being started by another `cargo xtask up`"),
        }
        return Ok(None);
    };
    let left_over = instance.clean_up_after_crash()?;
    if !left_over.is_empty() {
        print_line(&format!("The last `up` did not end in order; stopped what it left running: {}", left_over.join(", ")));
    }
    if !fresh {
        return Ok(Some(instance));
    }
    instance.delete()?;
    print_line("Deleted the data of this clone");
    Instance::take(&paths.data, &paths.root)
}

/// Everything, in the foreground, until Ctrl-C or until a server dies.
fn serve(paths: &Paths, options: &Options, mut instance: Instance) -> Result<()> {
    let begun = Instant::now();
    let logs = instance.logs();
    fs::create_dir_all(&logs)?;
    let given = &options.given;
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
        data: BTreeMap::new(),
        logs: logs.clone(),
        demo: Vec::new(),
        supervisor: Process::of("xtask", std::process::id())?,
        processes: Vec::new(),
    };
    instance.save_run(&run)?;
    let mut steps = Steps::new(Programs::STEPS + STEPS);
    let built = build(paths, options, &logs, &mut steps).and_then(|(programs, bundles, program)| {
        let program = astro::copy(&program, instance.dir())?;
        let certificates = if options.tls { Some(Certificates::make(&program, instance.dir(), &logs)?) } else { None };
        let port = match options.port {
            None if options.tls => 0,
            Some(port) if instance::is_free(port) => port,
            Some(port) => bail!("port {port} of 127.0.0.1 is in use by something else"),
            None => instance.state.port("http", Some(PREFERRED_PORT))?,
        };
        let smtp_port = instance.state.port("smtp", None)?;
        run.metrics_url = format!("http://127.0.0.1:{}/metrics", instance.state.port("metrics", None)?);
        run.address = format!("http://127.0.0.1:{port}");
        run.smtp_url = format!("smtp://127.0.0.1:{smtp_port}");
        let mut ports = BTreeMap::new();
        if let Some(certificates) = &certificates {
            for (service, who, preferred, page) in SERVICES {
                let port = instance.state.port(&format!("https {service}"), Some(preferred))?;
                ports.insert(service, port);
                run.pages.push((who.to_owned(), format!("https://{service}.localhost:{port}{page}")));
            }
            run.pages.push(("all mail".to_owned(), format!("https://core.localhost:{}/admin/mailbox", ports["core"])));
            run.address = format!("https://customer.localhost:{}", ports["customer"]);
            run.smtp_url = format!("smtps://127.0.0.1:{smtp_port}");
            run.ca = Some(certificates.ca());
        }
        let servers = steps.run("Servers", |_| {
            Servers::start(&programs, Durability::EveryWrite, certificates.as_ref(), paths, &mut instance, |instance, servers| {
                run.data = servers.data();
                run.processes = servers.processes()?;
                run.nats_url = servers.nats_url(given);
                run.mongo_url = servers.mongo_url(given);
                instance.save_run(&run)
            })
        })?;
        Ok((servers, bundles, program, port, smtp_port, certificates, ports))
    });
    let (mut servers, bundles, program, port, smtp_port, certificates, ports) = match built {
        Ok(built) => built,
        Err(error) => {
            instance.forget_run();
            return Err(error);
        }
    };
    let mut running: Vec<Server> = Vec::new();
    let ended = (|| {
        run.postgres_url = match (&given.postgres_url, &servers.postgres) {
            (Some(url), _) => url.clone(),
            (None, Some(postgres)) => postgres.application_url(&mut instance.state)?,
            (None, None) => bail!("no PostgreSQL was given or started"),
        };
        let mut surroundings = Surroundings {
            program,
            postgres_url: run.postgres_url.clone(),
            nats_url: run.nats_url.clone(),
            mongo_url: run.mongo_url.clone(),
            smtp_url: run.smtp_url.clone(),
            listen: format!("127.0.0.1:{port}"),
            public_url: run.address.clone(),
            ui: bundles,
            keys: Some(keys_folder(instance.dir())?),
            tls: certificates.as_ref().map(|certificates| [certificates.ca(), certificates.cert(SETUP), certificates.key(SETUP)]),
            core_url: ports.get("core").map(|port| format!("https://127.0.0.1:{port}")),
            demo_password: instance.state.password("demo")?,
        };
        if certificates.is_some() {
            let mongo_url = surroundings.mongo_url.clone();
            if let Some(postgres) = &servers.postgres {
                postgres.make_logins(&mut instance.state)?;
            }
            let dir = instance.dir().to_path_buf();
            parts::make_mongo_users(&surroundings, &mongo_url, &mut instance.state, &dir, &logs)?;
            let password = parts::password(&mut instance.state, SETUP)?;
            surroundings.nats_url = parts::with_user(&surroundings.nats_url, SETUP, &password)?;
            surroundings.mongo_url = format!("{}/?authSource=admin", parts::with_user(&mongo_url, "astro_setup", &password)?);
            run.nats_url.clone_from(&surroundings.nats_url);
            run.mongo_url.clone_from(&surroundings.mongo_url);
            instance.save_state()?;
        }
        steps.run("Schema, demo catalogue and accounts", |progress| {
            progress.say("schema");
            let mut migrate = surroundings.command(&["migrate"]);
            migrate.env("ASTRO_POSTGRES_URL", postgres::without_statement_timeout(&run.postgres_url));
            process::run(migrate, &logs.join("migrate.log"), |_| {})?;
            let place = run.data.get("postgres").map_or_else(|| without_password(&run.postgres_url), |data| data.display().to_string());
            if instance.state.imported_into.as_ref() != Some(&place) {
                progress.say("importing 5 726 launches");
                import(paths, &surroundings, &instance, &logs)?;
                instance.state.imported_into = Some(place);
            }
            progress.say("accounts");
            run.demo = demo_accounts(&surroundings)?;
            instance.save_state()?;
            progress.say("ready");
            Ok(())
        })?;
        let mailbox = format!("127.0.0.1:{smtp_port}");
        steps.run("Astro Bookings", |progress| {
            if let Some(certificates) = &certificates {
                return start_parts(&surroundings, certificates, &ports, &mailbox, &mut instance, &mut run, &mut running, progress);
            }
            let mut command = surroundings.command(&["all", "--listen", &surroundings.listen, "--mailbox", &mailbox]);
            command.env("ASTRO_METRICS_LISTEN", run.metrics_url.trim_start_matches("http://").trim_end_matches("/metrics"));
            running.push(Server::start("astro", command, &logs, Signal::SIGTERM, ASTRO_STOP)?);
            let astro = running.last_mut().context("astro was started")?;
            run.processes.insert(0, astro.process()?);
            instance.save_run(&run)?;
            astro.await_ready(ASTRO_START, || answer_of(port, "/health").is_some_and(|answer| is_ok(&answer)))?;
            progress.say("the views catch up with the log");
            astro.await_ready(CATCH_UP, || {
                let answer = answer_of(port, "/ready").unwrap_or_default();
                run.to_rebuild = answer.contains(OF_ANOTHER_LOG);
                is_ok(&answer) || run.to_rebuild
            })?;
            progress.say("ready");
            Ok(())
        })?;
        run.ready = true;
        instance.save_run(&run)?;
        print_welcome(&run, options.supervisor, begun.elapsed());
        loop {
            signals::check()?;
            servers.check()?;
            running.iter_mut().try_for_each(Server::check)?;
            std::thread::sleep(WATCH);
        }
    })();
    // The reason is told whole at the end; its first line must not wait for that.
    match &ended {
        Err(error) if !error.is::<Interrupted>() => {
            print_line(&format!("\n{}. Stopping:", format!("{error:#}").lines().next().unwrap_or_default()));
        }
        _ => print_line("\nStopping:"),
    }
    running.iter_mut().for_each(stop_aloud);
    servers.stop();
    instance.forget_run();
    match ended {
        // Ctrl-C once all was up is how `up` is meant to end.
        Err(error) if error.is::<Interrupted>() && run.ready => {
            print_line("All stopped, the data is kept. `cargo xtask up` goes on from here.");
            Ok(())
        }
        other => other,
    }
}

/// Finds the servers' programs and builds what is ours: the folder of the web apps, the binary.
fn build(paths: &Paths, options: &Options, logs: &Path, steps: &mut Steps) -> Result<(Programs, PathBuf, PathBuf)> {
    let programs = Programs::find_or_install(paths, &options.given, logs, steps)?;
    let profile = if options.quick { Profile::Quick } else { Profile::Small };
    steps.run("Compiler for the browser", |progress| ui::prepare_toolchain(paths, logs, progress))?;
    let bundles = steps.run("Web apps", |progress| ui::build(paths, profile, logs, progress))?;
    let program = steps.run("Services", |progress| astro::build(paths, options.quick, logs, progress))?;
    Ok((programs, bundles, program))
}

/// Each part as a process of its own, and waits until the services are ready.
#[allow(clippy::too_many_arguments)]
fn start_parts(
    setup: &Surroundings,
    certificates: &Certificates,
    ports: &BTreeMap<&str, u16>,
    mailbox: &str,
    instance: &mut Instance,
    run: &mut Run,
    running: &mut Vec<Server>,
    progress: &Progress,
) -> Result<()> {
    let (dir, logs) = (instance.dir().to_path_buf(), instance.logs());
    // The last to stop is the first to start.
    for part in PARTS.iter().rev() {
        let mut surroundings = part.surroundings(setup, certificates, &dir, &mut instance.state)?;
        if let Some(port) = ports.get(part.name) {
            surroundings.listen = format!("127.0.0.1:{port}");
        }
        let mut command = surroundings.command(part.words);
        if part.name == "core" {
            command.args(["--mailbox", mailbox]);
            command.env("ASTRO_METRICS_LISTEN", run.metrics_url.trim_start_matches("http://").trim_end_matches("/metrics"));
        }
        let mut server = Server::start(part.name, command, &logs, Signal::SIGTERM, ASTRO_STOP)?;
        run.processes.insert(0, server.process()?);
        running.insert(0, server);
        instance.save_run(run)?;
    }
    instance.save_state()?;
    for (page, limit) in [("/health", ASTRO_START), ("/ready", CATCH_UP)] {
        for (service, port) in ports {
            progress.say(format!("{service}{page}"));
            let url = format!("https://127.0.0.1:{port}{page}");
            let server = running.iter_mut().find(|server| server.name() == *service).context("every service was started")?;
            let mut to_rebuild = false;
            server.await_ready(limit, || {
                let asked = process::output(&mut setup.command(&["ready", &url]));
                to_rebuild = asked.as_ref().is_err_and(|error| error.to_string().contains(OF_ANOTHER_LOG));
                asked.is_ok() || to_rebuild
            })?;
            run.to_rebuild |= to_rebuild;
        }
    }
    progress.say("ready");
    Ok(())
}

/// The signing keys: nobody else may look into it.
fn keys_folder(dir: &Path) -> Result<PathBuf> {
    let keys = dir.join("keys");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&keys)?;
    Ok(keys)
}

fn import(paths: &Paths, surroundings: &Surroundings, instance: &Instance, logs: &Path) -> Result<()> {
    let demo = paths.root.join("deploy/demo");
    let mut import = surroundings.command(&["import", "--agencies"]);
    import.arg(demo.join("agencies.csv")).arg("--launches").arg(demo.join("launches.csv"));
    import.arg("--report").arg(instance.dir().join("import-report.csv"));
    process::run(import, &logs.join("import.log"), |_| {})
}

/// `astro demo` prints a line of JSON for each account.
fn demo_accounts(surroundings: &Surroundings) -> Result<Vec<SignIn>> {
    let printed = process::output(&mut surroundings.command(&["demo"]))?;
    let lines = printed.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).context("reading what `astro demo` printed")).collect()
}

/// What names a given database apart from others, and may be written down.
fn without_password(url: &str) -> String {
    url.rsplit_once('@').map_or(url, |(_, place)| place).to_owned()
}

/// What a GET is answered with, head and all.
fn answer_of(port: u16, path: &str) -> Option<String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().ok()
}

fn is_ok(answer: &str) -> bool {
    answer.split(' ').nth(1) == Some("200")
}

fn print_welcome(run: &Run, detached: bool, took: Duration) {
    let address = &run.address;
    print_line(&format!("\nAstro Bookings runs at {address} (after {})\n", seconds(took)));
    let pages = [
        ("customers", "/"),
        ("suppliers", "/supplier"),
        ("employees", "/employee"),
        ("operators", "/admin"),
        ("all mail", "/admin/mailbox"),
    ];
    if run.pages.is_empty() {
        for (who, path) in pages {
            print_line(&format!("  {who:<10} {address}{path}"));
        }
    }
    for (who, page) in &run.pages {
        print_line(&format!("  {who:<10} {page}"));
    }
    print_sign_ins(&run.demo);
    if run.to_rebuild {
        print_line(
            "Views have read another log than this, as after an older one was put back. They show what is not in it until they are \
             rebuilt: on the operators' page, or by `astro rebuild --all --changed`.\n",
        );
    }
    match &run.ca {
        Some(ca) => print_line(&format!(
            "Every connection is encrypted. Browsers trust it once this authority is among theirs (curl: --cacert):\n  {}\n",
            ca.display()
        )),
        None => print_line(
            "Connections are not encrypted: they all stay on this machine. `cargo xtask up --tls` encrypts them, each part a process.\n",
        ),
    }
    print_line(if detached { "`cargo xtask down` stops it and keeps the data." } else { "Ctrl-C stops it and keeps the data." });
}

fn print_sign_ins(demo: &[SignIn]) {
    if demo.is_empty() {
        return;
    }
    print_line("\nSign in as");
    for SignIn { role, email, password, totp_secret } in demo {
        let secret = totp_secret.as_ref().map_or(String::new(), |secret| format!("  second factor {secret}"));
        print_line(&format!("  {role:<10} {email:<32} {password}{secret}"));
    }
    print_line("`cargo xtask code ROLE` prints the present code of a second factor.\n");
}

/// Starts the same `up` as a process of its own, shows what it says until all is ready.
fn detach(paths: &Paths, options: &Options, instance: Instance) -> Result<()> {
    let logs = instance.logs();
    fs::create_dir_all(&logs)?;
    if !geteuid().is_root() && std::io::stdin().is_terminal() {
        // Only here is someone to answer sudo.
        Programs::find_or_install(paths, &options.given, &logs, &mut Steps::new(Programs::STEPS))?;
    }
    let log = logs.join("up.log");
    let out = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let mut command = Command::new("setsid");
    command.arg(std::env::current_exe()?).args(["up", "--supervisor"]).current_dir(&paths.root);
    for (name, given) in [("--tls", options.tls), ("--quick", options.quick)] {
        if given {
            command.arg(name);
        }
    }
    if let Some(port) = options.port {
        command.arg("--port").arg(port.to_string());
    }
    let urls = [
        ("--postgres-url", &options.given.postgres_url),
        ("--nats-url", &options.given.nats_url),
        ("--mongo-url", &options.given.mongo_url),
    ];
    for (name, url) in urls {
        if let Some(url) = url {
            command.arg(name).arg(url);
        }
    }
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    drop(instance); // the lock, for the supervisor
    let mut supervisor = command.spawn().context("starting the supervisor")?;
    let mut said = BufReader::new(File::open(&log)?);
    let mut show = move || -> Result<()> {
        let mut text = String::new();
        said.read_to_string(&mut text)?;
        if !text.is_empty() {
            print_line(text.trim_end_matches('\n'));
        }
        Ok(())
    };
    let pid = supervisor.id();
    let is_ours = |run: &Run| run.ready && run.supervisor.pid == pid;
    loop {
        let ready = instance::read_run(&paths.data)?.as_ref().is_some_and(is_ours);
        show()?;
        if ready {
            // What it prints at the end comes right behind the record.
            signals::wait_until(WATCH, || false);
            return show();
        }
        if let Some(status) = supervisor.try_wait()? {
            show()?;
            if status.success() {
                return Ok(());
            }
            bail!("`up` ended before all was ready; its output is in {}", log.display());
        }
        if signals::interrupted() {
            signals::send(pid, Signal::SIGTERM);
            supervisor.wait()?;
            show()?;
            signals::check()?;
        }
        std::thread::sleep(WATCH);
    }
}
