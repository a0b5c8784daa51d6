//! The whole platform for one test: the binary `astro` with a namespace of its own on the tests' servers.

use crate::browser::Browser;
use anyhow::{Context, Result, bail};
use fantoccini::Locator;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};
use totp_rs::{Algorithm, Secret, TOTP};
use uuid::Uuid;

/// How long the start may take on a busy machine.
const START: Duration = Duration::from_secs(60);
/// Of the demo accounts; made up for each run.
const PASSWORD: &str = "journeys of a test";
/// The files of the catalogue, and in them the demo supplier.
const FILES: [&str; 2] = ["agencies.csv", "launches.csv"];
const SUPPLIER: &str = "SPX";

pub struct Platform {
    pub address: String,
    /// E-mail and the secret of the second factor, by role.
    pub demo: BTreeMap<String, (String, Option<String>)>,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
    _child: Child,
}

impl Platform {
    /// With the real catalogue.
    pub async fn start() -> Result<Self> {
        Self::after(&[&import(&catalogue())]).await
    }

    /// With one launch of the demo supplier, and so with a rocket and a spaceport to schedule others.
    pub async fn small() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("t_{}_catalogue", Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder)?;
        for name in FILES {
            let all = std::fs::read_to_string(catalogue().join(name))?;
            let own = all.lines().skip(1).find(|line| line.split(',').any(|field| field == SUPPLIER)).context("a row of the supplier")?;
            std::fs::write(folder.join(name), format!("{}\n{own}\n", all.lines().next().context("a heading")?))?;
        }
        let platform = Self::after(&[&import(&folder)]).await?;
        std::fs::remove_dir_all(&folder)?;
        Ok(platform)
    }

    /// Without a launch.
    pub async fn empty() -> Result<Self> {
        Self::after(&[]).await
    }

    /// Migrates, runs `first`, makes the demo accounts and serves.
    async fn after(first: &[&[String]]) -> Result<Self> {
        let postgres = setting("ASTRO_TEST_POSTGRES_URL");
        let name = format!("t_{}", Uuid::new_v4().simple());
        let admin = sqlx::PgPool::connect(&postgres).await?;
        sqlx::raw_sql(&format!("CREATE DATABASE {name}")).execute(&admin).await?;
        admin.close().await;
        let (server, parameters) =
            postgres.split_once('?').map_or((postgres.as_str(), String::new()), |(url, more)| (url, format!("?{more}")));
        let database = format!("{}/{name}{parameters}", server.rsplit_once('/').context("a database in the URL")?.0);
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(folder.join("keys"))?;
        let (http, smtp) = (free_port()?, free_port()?);
        let environment = vec![
            ("ASTRO_POSTGRES_URL", database),
            ("ASTRO_NATS_URL", setting("ASTRO_TEST_NATS_URL")),
            ("ASTRO_MONGO_URL", setting("ASTRO_TEST_MONGO_URL")),
            ("ASTRO_PREFIX", name),
            ("ASTRO_LISTEN", format!("127.0.0.1:{http}")),
            ("ASTRO_SMTP_URL", format!("smtp://127.0.0.1:{smtp}")),
            ("ASTRO_UI", setting("ASTRO_TEST_UI")),
            ("ASTRO_KEYS", folder.join("keys").display().to_string()),
            ("ASTRO_DEMO_PASSWORD", PASSWORD.to_owned()),
            // Browsers of all tests share one address.
            ("ASTRO_LIMITS", "20".to_owned()),
        ];
        run(&environment, &["migrate"]).await?;
        for words in first {
            run(&environment, &words.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        }
        let accounts = run(&environment, &["demo", "--bookings", "0"]).await?;
        let mut demo = BTreeMap::new();
        for line in accounts.lines().filter(|line| line.starts_with('{')) {
            let account: Value = serde_json::from_str(line)?;
            let text = |field: &str| account[field].as_str().map(str::to_owned).context(field.to_owned());
            demo.insert(text("role")?, (text("email")?, text("totp_secret").ok()));
        }
        let log = std::fs::File::create(folder.join("astro.log"))?;
        let child = command(&environment, &["all", "--mailbox", &format!("127.0.0.1:{smtp}")])
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let address = format!("http://127.0.0.1:{http}");
        let deadline = Instant::now() + START;
        while !ready(http).await {
            if Instant::now() > deadline {
                bail!("astro is not ready: {}", std::fs::read_to_string(folder.join("astro.log"))?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { address, demo, folder, environment, _child: child })
    }

    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Where the newest mail to `email` leads, read in the mailbox with `browser`; `page` is how the address begins.
    pub async fn link(&self, browser: &Browser, email: &str, page: &str) -> Result<String> {
        let deadline = Instant::now() + START;
        loop {
            browser.open(&format!("/admin/mailbox?search={}", page.trim_end_matches('#'))).await?;
            browser.sees("Look again").await?;
            if browser.text().await?.contains(email) {
                break;
            }
            if Instant::now() > deadline {
                bail!("no mail to {email}");
            }
        }
        browser.find("the mail", Locator::XPath(&format!("//tbody/tr[contains(.,'{email}')]"))).await?.click().await?;
        browser.sees(page).await?;
        let text = browser.text().await?;
        let secret = text.split_once(page).and_then(|(_, rest)| rest.split_whitespace().next()).context("a secret")?;
        Ok(format!("{page}{secret}"))
    }

    /// Runs the binary once more, such as `audit verify`; answers what it prints.
    pub async fn astro(&self, words: &[&str]) -> Result<String> {
        run(&self.environment, words).await
    }

    /// Where screenshots and logs of this test go; kept when the test fails.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The real one.
fn catalogue() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo")
}

/// What brings the catalogue of a folder in.
fn import(folder: &Path) -> [String; 5] {
    let [agencies, launches] = FILES.map(|name| folder.join(name).display().to_string());
    ["import".to_owned(), "--agencies".to_owned(), agencies, "--launches".to_owned(), launches]
}

/// Whether it serves and its views have caught up with the log.
async fn ready(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

fn command(environment: &[(&str, String)], words: &[&str]) -> Command {
    let mut command = Command::new(setting("ASTRO_TEST_ASTRO"));
    command.args(words).envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}

async fn run(environment: &[(&str, String)], words: &[&str]) -> Result<String> {
    let output = command(environment, words).output().await?;
    if !output.status.success() {
        bail!("astro {}: {}{}", words.join(" "), String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The code that an app with this secret shows now.
pub fn code(secret: &str) -> Result<String> {
    Ok(authenticator(secret)?.generate_current()?)
}

/// The code that it shows next. It counts already: clocks differ.
pub fn next_code(secret: &str) -> Result<String> {
    let authenticator = authenticator(secret)?;
    Ok(authenticator.generate(authenticator.next_step_current()?))
}

fn authenticator(secret: &str) -> Result<TOTP> {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().map_err(|error| anyhow::anyhow!("a secret: {error:?}"))?;
    Ok(TOTP::new(Algorithm::SHA1, 6, 1, 30, secret)?)
}

/// Signs in at a desk with the demo account of a role.
pub async fn sign_in(browser: &Browser, platform: &Platform, desk: &str, role: &str) -> Result<()> {
    let (email, secret) = platform.demo.get(role).with_context(|| format!("a demo {role}"))?;
    browser.open(desk).await?;
    browser.fill("E-mail", email).await?;
    browser.fill("Password", platform.password()).await?;
    browser.click("Sign in").await?;
    if let Some(secret) = secret {
        browser.sees("The six digits").await?;
        browser.fill("Code", &code(secret)?).await?;
        browser.click("Sign in").await?;
    }
    browser.sees("Sign out").await
}

/// Opens the page of one's own account as a customer who types this password.
pub async fn enter(browser: &Browser, email: &str, password: &str) -> Result<()> {
    browser.open("/sign-in?next=/account").await?;
    browser.fill("E-mail", email).await?;
    browser.fill("Password", password).await?;
    submit(browser, "Sign in").await
}

/// Sends a form, by its name.
pub async fn submit(browser: &Browser, form: &str) -> Result<()> {
    let button = format!("form[aria-label='{form}'] button[type=submit]");
    browser.find(form, Locator::Css(&button)).await?.click().await?;
    Ok(())
}
