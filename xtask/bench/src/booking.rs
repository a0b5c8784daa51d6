//! The load: customers who hold a seat, name a passenger and pay, over HTTP, signed in, on one launch.

use crate::astro::Astro;
use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, header};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use uuid::Uuid;

/// The largest cabin: 60 rows of 10.
const ROWS: usize = 60;
const SEATS_PER_ROW: usize = 10;
/// The seats one customer may have on a launch.
const SEATS_EACH: usize = 4;
/// Customers enough to fill it.
const CUSTOMERS: usize = ROWS * SEATS_PER_ROW / SEATS_EACH;
/// Of the customers.
const PASSWORD: &str = "a long enough password";

/// A supplier who schedules large launches, and customers to fill them.
pub(crate) struct Desk {
    http: Client,
    address: String,
    supplier: String,
    rocket: Value,
    spaceport: Value,
    customers: Arc<Vec<String>>,
}

/// What a load came to.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Of each whole booking, in milliseconds.
    pub(crate) latencies: Vec<f64>,
}

/// A command that was answered: its body and its position.
pub(crate) struct Answer {
    pub(crate) body: Value,
    pub(crate) position: String,
}

impl Desk {
    pub(crate) async fn open(astro: &Astro) -> Result<Self> {
        let http = Client::builder().pool_max_idle_per_host(256).build()?;
        let address = astro.address().to_owned();
        let accounts = astro.demo_accounts().await?;
        let email = accounts.iter().find(|(role, _)| role == "supplier").map(|(_, email)| email.clone()).context("no demo supplier")?;
        let supplier = sign(&http, &format!("{address}/api/core/session"), &json!({"email": email, "password": astro.password()})).await?;
        let mut desk = Self { http, address, supplier, rocket: Value::Null, spaceport: Value::Null, customers: Arc::default() };
        let rocket = json!({"name": "Bench", "range": "mars", "rows": ROWS, "seats_per_row": SEATS_PER_ROW});
        desk.rocket = desk.command(&desk.supplier, Method::POST, "/api/supplier/rockets", &rocket).await?.body["id"].clone();
        desk.spaceport = desk.get(&desk.supplier, "/api/supplier/spaceports", "").await?[0]["id"].clone();
        let mut customers = Vec::new();
        for n in 0..CUSTOMERS {
            let account = json!({"name": format!("Bench {n}"), "email": format!("bench-{}@example.org", Uuid::new_v4().simple()), "password": PASSWORD});
            customers.push(sign(&desk.http, &format!("{}/api/core/accounts", desk.address), &account).await?);
        }
        desk.customers = Arc::new(customers);
        Ok(desk)
    }

    /// A new launch of 600 seats; answers its id.
    pub(crate) async fn launch(&self) -> Result<String> {
        let plan = json!({"rocket": self.rocket, "spaceport": self.spaceport, "destination": "low_earth", "departs_local": "2029-03-01T12:00", "price": "250000", "minimum_seats": 1});
        let launch = self.command(&self.supplier, Method::POST, "/api/supplier/launches", &plan).await?;
        Ok(launch.body["id"].as_str().context("no launch id")?.to_owned())
    }

    /// `clients` book one seat after another on one launch until it is full or `run` is over.
    pub(crate) async fn book(&self, clients: usize, run: Duration) -> Result<Load> {
        let launch: Arc<str> = self.launch().await?.into();
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let tasks: Vec<_> = (0..clients)
            .map(|_| {
                let (desk, launch, next) = (self.share(), launch.clone(), next.clone());
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while begun.elapsed() < run {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= ROWS * SEATS_PER_ROW {
                            break;
                        }
                        let started = Instant::now();
                        desk.book_one(&launch, n).await?;
                        latencies.push(started.elapsed().as_secs_f64() * 1000.0);
                    }
                    anyhow::Ok(latencies)
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(Load { per_second: latencies.len() as f64 / begun.elapsed().as_secs_f64(), latencies })
    }

    fn share(&self) -> Self {
        Self {
            http: self.http.clone(),
            address: self.address.clone(),
            supplier: self.supplier.clone(),
            rocket: self.rocket.clone(),
            spaceport: self.spaceport.clone(),
            customers: self.customers.clone(),
        }
    }

    /// Holds the `n`th seat of the launch for the customer whose turn it is.
    pub(crate) async fn hold(&self, launch: &str, n: usize) -> Result<Answer> {
        let seat = format!("{}{}", n / SEATS_PER_ROW + 1, char::from(b'A' + u8::try_from(n % SEATS_PER_ROW)?));
        self.command(self.customer(n), Method::POST, &format!("/api/customer/launches/{launch}/holds"), &json!({"seats": [seat]})).await
    }

    pub(crate) fn customer(&self, n: usize) -> &str {
        &self.customers[n % CUSTOMERS]
    }

    async fn book_one(&self, launch: &str, n: usize) -> Result<()> {
        let customer = self.customer(n);
        let held = self.hold(launch, n).await?.body;
        let booking = held["booking"].as_str().context("no booking")?;
        let at = format!("/api/customer/launches/{launch}/bookings/{booking}");
        let passenger = json!({"passengers": [{"seat": held["seats"][0], "name": "Ada Lovelace", "email": "ada@example.org", "phone": "+44 20 7946 0000", "born": "1990-12-10"}]});
        self.command(customer, Method::PUT, &format!("{at}/passengers"), &passenger).await?;
        let card = json!({"card_number": "4242424242424242", "expiry": "12/39", "cvc": "123"});
        let paid = self.command(customer, Method::POST, &format!("{at}/payments"), &card).await?;
        if paid.body["confirmed"] != true {
            bail!("not confirmed: {}", paid.body);
        }
        Ok(())
    }

    pub(crate) async fn command(&self, cookie: &str, method: Method, path: &str, body: &Value) -> Result<Answer> {
        let request = self.http.request(method, format!("{}{path}", self.address)).header(header::COOKIE, cookie);
        let answer = request.header("Idempotency-Key", Uuid::new_v4().to_string()).json(body).send().await?;
        let status = answer.status();
        let position = answer.headers().get("Astro-Position").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        Ok(Answer { body: serde_json::from_str(&text).unwrap_or_default(), position })
    }

    /// Reads, not older than `position` when one is given.
    pub(crate) async fn get(&self, cookie: &str, path: &str, position: &str) -> Result<Value> {
        let mut request = self.http.get(format!("{}{path}", self.address)).header(header::COOKIE, cookie);
        if !position.is_empty() {
            request = request.header("Astro-Position", position);
        }
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

/// Signs in or up; answers the cookies as a browser would send them.
async fn sign(http: &Client, url: &str, body: &Value) -> Result<String> {
    let answer = http.post(url).json(body).send().await?;
    if !answer.status().is_success() {
        bail!("{url}: {} {}", answer.status(), answer.text().await?);
    }
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()?.split(';').next());
    Ok(cookies.collect::<Vec<_>>().join("; "))
}
