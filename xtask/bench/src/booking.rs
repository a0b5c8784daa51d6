//! The load over HTTP: customers, signed in, who hold a seat, name its passenger and pay.

use crate::{
    Options, RUN,
    astro::Astro,
    bare,
    executor::CLIENTS,
    figure::{Figure, median, percentile},
    load::{Load, ROWS_MAX, SEATS, Schedules, Season, milliseconds, together},
    pgbench::Inserts,
    sales::SEATS_PER_ROW,
    wire::Wire,
};
use anyhow::{Context, Result, bail};
use http::{Method, header};
use projections::Projection;
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval_at};

/// The seats one customer may have on a launch.
const SEATS_EACH: usize = 4;
/// Customers enough to fill it.
const CUSTOMERS: usize = SEATS / SEATS_EACH;
/// Requests of one booking, each a command.
const COMMANDS: usize = 3;
/// How much of the most that was reached is offered, to see how long answers take then.
const OFFERED: f64 = 0.7;

/// A supplier who schedules large launches, and customers to fill them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Inner>);

struct Inner {
    address: String,
    supplier: String,
    rocket: Value,
    spaceport: Value,
    customers: Vec<String>,
}

impl Desk {
    pub(crate) async fn open(astro: &Astro) -> Result<Self> {
        let http = Client::new();
        let address = astro.address().to_owned();
        let accounts = astro.demo_accounts(CUSTOMERS).await?;
        let session = format!("{address}/api/core/session");
        let supplier = accounts.iter().find(|account| account.role == "supplier").context("no demo supplier")?;
        let supplier = sign(&http, &session, &supplier.sign_in()?).await?;
        let rocket = json!({"name": "Bench", "range": "mars", "rows": ROWS_MAX, "seats_per_row": SEATS_PER_ROW});
        let mut wire = Wire::connect(&address).await?;
        let rocket = wire.command(&supplier, Method::POST, "/api/supplier/rockets", &rocket).await?["id"].clone();
        let spaceports = http.get(format!("{address}/api/supplier/spaceports")).header(header::COOKIE, &supplier).send().await?;
        let spaceport = spaceports.error_for_status()?.json::<Value>().await?["items"][0]["id"].clone();
        let mut customers = Vec::new();
        for account in accounts.iter().filter(|account| account.role == "customer").take(CUSTOMERS) {
            customers.push(sign(&http, &session, &account.sign_in()?).await?);
        }
        Ok(Self(Arc::new(Inner { address, supplier, rocket, spaceport, customers })))
    }

    pub(crate) async fn wire(&self) -> Result<Wire> {
        Wire::connect(&self.0.address).await
    }

    fn customer(&self, n: usize) -> &str {
        &self.0.customers[n % CUSTOMERS]
    }

    /// Holds the `n`th seat of the launch for the customer whose turn it is.
    pub(crate) async fn hold(&self, wire: &mut Wire, launch: &str, n: usize) -> Result<Value> {
        let seat = format!("{}{}", n / SEATS_PER_ROW + 1, char::from(b'A' + u8::try_from(n % SEATS_PER_ROW)?));
        wire.command(self.customer(n), Method::POST, &format!("/api/customer/launches/{launch}/holds"), &json!({"seats": [seat]})).await
    }

    /// Sells the `n`th seat; answers how long each request took.
    async fn sell(&self, wire: &mut Wire, launch: &str, n: usize) -> Result<[f64; COMMANDS]> {
        let customer = self.customer(n);
        let asked = Instant::now();
        let held = self.hold(wire, launch, n).await?;
        let hold = milliseconds(asked);
        let booking = held["booking"].as_str().context("no booking")?;
        let at = format!("/api/customer/launches/{launch}/bookings/{booking}");
        let passenger = json!({"passengers": [{"seat": held["seats"][0], "name": "Ada Lovelace", "email": "ada@example.org", "phone": "+44 20 7946 0000", "born": "1990-12-10"}]});
        let asked = Instant::now();
        wire.command(customer, Method::PUT, &format!("{at}/passengers"), &passenger).await?;
        let name = milliseconds(asked);
        let card = json!({"card_number": "4242424242424242", "expiry": "12/39", "cvc": "123"});
        let asked = Instant::now();
        let paid = wire.command(customer, Method::POST, &format!("{at}/payments"), &card).await?;
        if paid["confirmed"] != true {
            bail!("not confirmed: {}", paid);
        }
        Ok([hold, name, milliseconds(asked)])
    }

    /// All clients sell one launch after another, as fast as they are answered, or `per_second` bookings a second between them, evenly.
    async fn sell_all(&self, clients: usize, per_second: Option<f64>) -> Result<Load> {
        let mut wires = Vec::new();
        for _ in 0..clients {
            wires.push(self.wire().await?);
        }
        let season = Season::open(self.clone()).await?;
        let begun = Instant::now();
        let client = |(client, mut wire): (usize, Wire)| {
            let (desk, season) = (self.clone(), season.clone());
            let mut turns = per_second.map(|rate| {
                let pace = Duration::from_secs_f64(clients as f64 / rate);
                let mut turns = interval_at((begun + pace.mul_f64(client as f64 / clients as f64)).into(), pace);
                turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
                turns
            });
            async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < RUN {
                    if let Some(turns) = &mut turns {
                        turns.tick().await;
                    }
                    let (launch, n) = season.seat().await?;
                    latencies.extend(desk.sell(&mut wire, &launch, n).await?);
                }
                Ok(latencies)
            }
        };
        together(wires.into_iter().enumerate().map(client), begun).await
    }
}

impl Schedules for Desk {
    /// Its id.
    type Launch = String;
    async fn schedule(&self) -> Result<String> {
        let Inner { supplier, rocket, spaceport, .. } = &*self.0;
        let plan = json!({"rocket": rocket, "spaceport": spaceport, "destination": "low_earth", "departs_local": "2029-03-01T12:00", "price": "250000", "minimum_seats": 1});
        let launch = self.wire().await?.command(supplier, Method::POST, "/api/supplier/launches", &plan).await?;
        Ok(launch["id"].as_str().context("no launch id")?.to_owned())
    }
}

impl Desk {
    /// How many commands a second there are while no view is kept up to date: what is left is the request, the command, the payment and what the
    /// scheduler does.
    async fn sell_without_views(&self, astro: &Astro, runs: usize) -> Result<f64> {
        let databases = astro.databases().await?;
        for projection in Projection::ALL {
            projections::pause(&databases, projection).await?;
        }
        let mut rates = Vec::new();
        for _ in 0..runs {
            astro.at_rest().await?;
            let load = self.sell_all(CLIENTS, None).await?;
            eprintln!("  {:.0} commands/s without views", load.per_second);
            rates.push(load.per_second);
        }
        for projection in Projection::ALL {
            projections::resume(&databases, projection).await?;
        }
        Ok(median(&mut rates))
    }
}

/// Every figure of this file.
pub(crate) async fn figures(options: &Options, astro: &Astro, desk: &Desk) -> Result<Vec<Figure>> {
    let (mut rates, mut inserts, mut bare) = (Vec::new(), Inserts::default(), Vec::new());
    let (mut full, mut offered) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        astro.at_rest().await?;
        inserts.measure(options, astro.database_url()).await?;
        bare.push(bare::requests_per_second(astro.database_url()).await?);
        let load = desk.sell_all(CLIENTS, None).await?;
        eprintln!("  {:.0} commands/s", load.per_second);
        rates.push(load.per_second);
        full.extend(load.latencies);
    }
    let rate = median(&mut rates);
    for _ in 0..options.runs {
        astro.at_rest().await?;
        offered.extend(desk.sell_all(CLIENTS, Some(OFFERED * rate / COMMANDS as f64)).await?.latencies);
    }
    let without_views = desk.sell_without_views(astro, options.runs).await?;
    let (runs, bare) = (options.runs, median(&mut bare));
    Ok(vec![
        Figure::beside("http with all views paused", without_views, "commands/s", runs, inserts.prepared()),
        Figure::beside("http hold, name and pay on one launch, 64 connections", rate, "commands/s", runs, inserts.prepared()),
        Figure::beside("http hold, name and pay against pgbench as it comes", rate, "commands/s", runs, inserts.as_it_comes()),
        Figure::beside(
            "http hold, name and pay against a bare handler",
            rate,
            "commands/s",
            runs,
            ("a handler that inserts one row, requests/s", bare),
        ),
        Figure::beside("http bare handler that inserts one row", bare, "requests/s", runs, inserts.prepared()),
        Figure::alone("http p99 of a command then", percentile(&mut full, 99), "ms").runs(runs),
        Figure::alone("http p50 of a command at 70 % of that", percentile(&mut offered, 50), "ms").runs(runs),
        Figure::alone("http p99 of a command at 70 % of that", percentile(&mut offered, 99), "ms").runs(runs),
    ])
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
