//! What is bought and sold in the measurements that put commands to the rules directly: launches, customers, seats.

use anyhow::Result;
use commands::{Ask, ask::digest};
use domain::{
    Actor, Money,
    booking::Card,
    id::{BookingId, CustomerId, LaunchId, PaymentId, RocketId, SpaceportId, SupplierId},
    launch::{Command, Plan},
    passenger::{NamedPassenger, SealedPassenger},
    policy::Policies,
    rocket::Destination,
    sealed::{Blind, Sealed},
    seat::{Cabin, Seat},
    text::Line,
};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Characters of a sealed passenger, of 192 bytes of JSON: with the nonce and the tag, in base64.
const SEALED_CHARACTERS: usize = (192_usize + 24 + 16).div_ceil(3) * 4;
/// The widest cabin.
pub(crate) const SEATS_PER_ROW: usize = 10;

/// One launch, and what is asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Sale {
    pub(crate) launch: LaunchId,
    rows: usize,
    now: Timestamp,
    policies: Box<Policies>,
}

/// One booking of a [`Sale`]: its number is its seat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deal {
    pub(crate) booking: BookingId,
    customer: CustomerId,
    payment: PaymentId,
    seat: Seat,
}

impl Sale {
    /// A launch with `rows` rows of ten seats.
    pub(crate) fn new(rows: usize) -> Self {
        Self { launch: LaunchId(Uuid::now_v7()), rows, now: Timestamp::now(), policies: Box::default() }
    }

    pub(crate) fn seats(&self) -> usize {
        self.rows * SEATS_PER_ROW
    }

    pub(crate) fn schedule(&self) -> Result<Command> {
        let id = self.launch.0;
        let departs_at = (self.now.to_zoned(TimeZone::UTC) + 2.years()).timestamp();
        let plan = Plan {
            slug: format!("bench-{}", id.simple()).parse()?,
            supplier: SupplierId::derived(id, "supplier"),
            supplier_name: Line::new("Bench")?,
            rocket: RocketId::derived(id, "rocket"),
            rocket_name: Line::new("Bench One")?,
            range: Destination::Mars,
            cabin: Cabin::new(u8::try_from(self.rows)?, u8::try_from(SEATS_PER_ROW)?, BTreeSet::new())?,
            spaceport: SpaceportId::derived(id, "spaceport"),
            spaceport_name: Line::new("Cape Canaveral")?,
            zone: Line::new("America/New_York")?,
            latitude: 28.5,
            longitude: -80.5,
            destination: Destination::LowEarth,
            departs_at,
            price: Money::dollars(1_000_000),
            minimum_seats: 3,
            mission: None,
        };
        Ok(Command::Schedule {
            plan: Box::new(plan),
            retired: false,
            neighbours: Vec::new(),
            policies: self.policies.clone(),
            now: self.now,
        })
    }

    /// The deal over the `n`th seat, each with another customer.
    pub(crate) fn deal(&self, n: usize) -> Result<Deal> {
        let seat = format!("{}{}", n / SEATS_PER_ROW + 1, char::from(b'A' + u8::try_from(n % SEATS_PER_ROW)?)).parse()?;
        let id = Uuid::now_v7();
        Ok(Deal { booking: BookingId(id), customer: CustomerId::derived(id, "customer"), payment: PaymentId::derived(id, "payment"), seat })
    }

    pub(crate) fn hold(&self, deal: Deal) -> Command {
        Command::Hold {
            booking: deal.booking,
            customer: deal.customer,
            vip: false,
            seats: BTreeSet::from([deal.seat]),
            policies: self.policies.clone(),
            now: self.now,
        }
    }

    /// Another price than `n - 1` gave.
    pub(crate) fn reprice(&self, n: u64) -> Command {
        Command::Reprice { price: Money::dollars(1_000_000 + (n % 1_000).cast_signed()), now: self.now }
    }

    /// The commands that follow a hold until the seat is sold.
    pub(crate) fn sell(&self, deal: Deal) -> Result<[Command; 3]> {
        let Deal { booking, customer, payment, seat } = deal;
        // As long as the vault's text of Valentina Vladimirovna Tereshkova, with her three names and her address.
        let details = SealedPassenger {
            sealed: Sealed::from_text(format!("x1:{}", "A".repeat(SEALED_CHARACTERS))),
            finds: (0..4).map(|n| Blind::from_text(format!("{n:032x}"))).collect(),
        };
        let passenger = NamedPassenger { born: "1990-05-01".parse()?, details };
        let (now, card) = (self.now, Card { brand: "visa".into(), last4: "4242".into() });
        Ok([
            Command::NamePassengers {
                booking,
                customer,
                passengers: BTreeMap::from([(seat, passenger)]),
                policies: self.policies.clone(),
                now,
            },
            Command::InitiatePayment { booking, customer, payment, card, now },
            Command::CapturePayment { booking, payment, reference: format!("test-{}", payment.0.simple()), now },
        ])
    }
}

impl Deal {
    /// Asked for by the customer, under an id of its own.
    pub(crate) fn ask(&self) -> Ask {
        let id = Uuid::new_v4();
        Ask::new(id, Actor::Customer(self.customer), digest(&[id.as_bytes()]))
    }
}

/// Asked for by the platform itself.
pub(crate) fn ask() -> Ask {
    let id = Uuid::new_v4();
    Ask::new(id, Actor::System, digest(&[id.as_bytes()]))
}
