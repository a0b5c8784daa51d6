//! A real Chromium, used by what people see: labels, buttons, texts. Waits for what it looks for, never for a time.

use crate::platform::{free_port, setting};
use anyhow::{Context, Result, bail};
use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// How long a page may take to show something.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The control key, held until released, as WebDriver writes them.
const CONTROL: char = '\u{e009}';
const RELEASED: char = '\u{e000}';
/// Gives a field a value and tells the app so.
const SET_VALUE: &str = "const [field, value] = arguments; \
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, value); \
    for (const event of ['input', 'change']) field.dispatchEvent(new Event(event, { bubbles: true }));";

/// The driver of all browsers of a test.
pub struct Driver {
    port: u16,
    _child: Child,
}

impl Driver {
    pub async fn start() -> Result<Self> {
        let port = free_port()?;
        let child = Command::new(setting("ASTRO_TEST_CHROMEDRIVER"))
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if Instant::now() > deadline {
                bail!("chromedriver does not listen");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Self { port, _child: child })
    }

    /// Someone's browser, signed in nowhere.
    pub async fn open(&self, name: &'static str, address: &str, folder: &Path) -> Result<Browser> {
        let profile = folder.join(format!("chromium-{name}"));
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--window-size=1280,1000".to_owned(),
        ];
        args.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({
            "goog:chromeOptions": {
                "binary": setting("ASTRO_TEST_CHROMIUM"),
                "args": args,
                "prefs": {"download.default_directory": downloads(name, folder)},
            },
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let capabilities = capabilities.as_object().context("an object")?.clone();
        let client =
            ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&format!("http://127.0.0.1:{}", self.port)).await?;
        Ok(Browser { name, client, address: address.to_owned(), folder: folder.to_owned() })
    }
}

fn downloads(name: &str, folder: &Path) -> PathBuf {
    folder.join(format!("downloads-{name}"))
}

/// One person's browser.
pub struct Browser {
    name: &'static str,
    client: Client,
    address: String,
    folder: PathBuf,
}

impl Browser {
    pub async fn open(&self, path: &str) -> Result<()> {
        self.client.goto(&format!("{}{path}", self.address)).await?;
        self.ready().await
    }

    /// Waits until the page answers to clicks: the apps set `data-ready` on the document when they have taken over.
    async fn ready(&self) -> Result<()> {
        self.find("html[data-ready]", Locator::Css("html[data-ready]")).await.map(drop)
    }

    pub async fn path(&self) -> Result<String> {
        Ok(self.client.current_url().await?.path().to_owned())
    }

    /// Waits until the page shows `text` somewhere.
    pub async fn sees(&self, text: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.text().await?;
            if page.contains(text) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return self.fail(&format!("does not see {text:?} but:\n{page}")).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What the page shows, with runs of spaces as one.
    pub async fn text(&self) -> Result<String> {
        let text = self.client.execute("return document.body ? document.body.innerText : ''", vec![]).await?;
        Ok(text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Clicks the button or link that says `label`, by its text or its accessible name.
    pub async fn click(&self, label: &str) -> Result<()> {
        let own = "self::button or self::a or self::summary or @role='button' or @role='tab' or @role='gridcell'";
        let says = |how: &str| format!("//*[{own}][not(@disabled)][{how}]");
        let label_text = quoted(label);
        let exact = says(&format!("normalize-space(.)={label_text} or @aria-label={label_text}"));
        let begins = says(&format!("starts-with(normalize-space(.),{label_text}) or starts-with(@aria-label,{label_text})"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            for path in [&exact, &begins] {
                for element in self.client.find_all(Locator::XPath(path)).await? {
                    if element.is_displayed().await.unwrap_or(false) && element.click().await.is_ok() {
                        return Ok(());
                    }
                }
            }
            if Instant::now() > deadline {
                let page = self.text().await?;
                return self.fail(&format!("finds nothing to click that says {label:?} in:\n{page}")).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Types into the field labelled `label`.
    pub async fn fill(&self, label: &str, value: &str) -> Result<()> {
        let text = quoted(label);
        let named = format!("starts-with(normalize-space(.),{text})");
        let field = "self::input or self::select or self::textarea";
        let path = format!("//label[{named}]//*[{field}] | //*[{field}][@id=//label[{named}]/@for or starts-with(@aria-label,{text})]");
        let field = self.find(label, Locator::XPath(&path)).await?;
        self.set(&field, value).await
    }

    /// Types into the field with this id.
    pub async fn fill_id(&self, id: &str, value: &str) -> Result<()> {
        let field = self.find(id, Locator::Id(id)).await?;
        self.set(&field, value).await
    }

    async fn set(&self, field: &Element, value: &str) -> Result<()> {
        // Typing a date depends on the browser's language; its value does not.
        if matches!(field.attr("type").await?.as_deref(), Some("date" | "datetime-local")) {
            self.client.execute(SET_VALUE, vec![serde_json::to_value(field)?, json!(value)]).await?;
            return Ok(());
        }
        // Replaced as a person does it, by typing over all of it: the app sees each key.
        field.send_keys(&format!("{CONTROL}a{RELEASED}{value}")).await?;
        Ok(())
    }

    /// Chooses one of the options of the field with this id.
    pub async fn choose(&self, id: &str, value: &str) -> Result<()> {
        Ok(self.find(id, Locator::Id(id)).await?.select_by_value(value).await?)
    }

    /// Waits for a row of a table that says `text`.
    pub async fn row(&self, text: &str) -> Result<Element> {
        self.find(text, Locator::XPath(&row_that_says(text))).await
    }

    /// Waits until no row of a table says `text`.
    pub async fn no_row(&self, text: &str) -> Result<()> {
        self.gone(text, Locator::XPath(&row_that_says(text))).await
    }

    /// Waits until there is no such element.
    pub async fn gone(&self, what: &str, locator: Locator<'_>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.client.find_all(locator).await?.is_empty() {
            if Instant::now() > deadline {
                return self.fail(&format!("still finds {what:?}")).await;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits for an element.
    pub async fn find(&self, what: &str, locator: Locator<'_>) -> Result<Element> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for element in self.client.find_all(locator).await? {
                if what.starts_with("html") || element.is_displayed().await.unwrap_or(false) {
                    return Ok(element);
                }
            }
            if Instant::now() > deadline {
                let page = self.text().await?;
                return self.fail(&format!("does not find {what:?} in:\n{page}")).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The attribute of each matching element.
    pub async fn attributes(&self, css: &str, attribute: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await? {
            values.extend(element.attr(attribute).await?);
        }
        Ok(values)
    }

    /// What is so in the page, as an expression says.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        Ok(self.client.execute(&format!("return {expression}"), vec![]).await?)
    }

    /// What the browser saved under this name, once it has all of it.
    pub async fn downloaded(&self, name: &str) -> Result<String> {
        let path = downloads(self.name, &self.folder).join(name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match std::fs::read_to_string(&path) {
                Ok(text) if !text.is_empty() => return Ok(text),
                _ if Instant::now() > deadline => return self.fail(&format!("did not save {name}")).await,
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// A picture of the page beside the log, to look at.
    pub async fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}-{name}.png", self.name));
        std::fs::write(&path, self.client.screenshot().await?)?;
        Ok(path)
    }

    pub async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }

    async fn fail<T>(&self, what: &str) -> Result<T> {
        let picture = self.screenshot("failed").await?;
        bail!("{} at {} {what}\npicture: {}", self.name, self.client.current_url().await?, picture.display())
    }
}

fn row_that_says(text: &str) -> String {
    format!("//tbody/tr[contains(normalize-space(.),{})]", quoted(text))
}

/// `text` as an XPath string.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}
