//! The journal view: what each launch earned, and the double-entry lines of every movement of money. Summing and paging is left to the reader.

use crate::{Column, Recorded, Unfit, View, words::tokens};
use contract::{
    BookingId, Money, Status,
    finance::{JournalLine, LaunchRevenue},
};
use domain::{
    AnyEvent, Decider,
    launch::{Event, Launch},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Money we have.
pub const CASH: &str = "cash";
/// Paid by customers for seats.
pub const CUSTOMER_DEPOSITS: &str = "customer_deposits";
/// Promised to customers and not yet given back.
pub const REFUNDS_PAYABLE: &str = "refunds_payable";
/// Charged to suppliers and not yet paid.
pub const SUPPLIER_RECEIVABLES: &str = "supplier_receivables";
/// Earned by charging for aborts.
pub const ABORT_FEES: &str = "abort_fees";

/// What a launch earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchAccount {
    /// As shown.
    pub revenue: LaunchRevenue,
    /// Abort fees charged to the supplier.
    pub fees: Money,
    /// Seats sold to each booking, as long as they are.
    pub sold_to: BTreeMap<BookingId, u16>,
}

impl View for LaunchAccount {
    const NAME: &'static str = "journal";
    const STREAM: &'static str = Launch::NAME;

    fn key(event: &Recorded) -> Option<String> {
        let AnyEvent::Launch(happened) = &event.event else { return None };
        let counts = match happened.as_ref() {
            Event::Scheduled { .. }
            | Event::Delayed { .. }
            | Event::Confirmed { .. }
            | Event::Aborted { .. }
            | Event::Launched { .. }
            | Event::Failed { .. }
            | Event::PaymentCaptured { .. }
            | Event::BookingConfirmed { .. }
            | Event::RefundRequested { .. }
            | Event::RefundPaid { .. } => true,
            Event::BookingCancelled { freed, .. } => !freed.is_empty(),
            Event::PassengerCancelled { freed, .. } => *freed,
            Event::Repriced { .. }
            | Event::ViabilityWarned { .. }
            | Event::SeatsHeld { .. }
            | Event::HoldExpired { .. }
            | Event::PassengersNamed { .. }
            | Event::PaymentInitiated { .. }
            | Event::PaymentDeclined { .. }
            | Event::RefundFailed { .. } => false,
        };
        counts.then(|| event.stream_id().to_owned())
    }

    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit> {
        let AnyEvent::Launch(happened) = &event.event else { return Err(Unfit("not an event of a launch")) };
        match (view, happened.as_ref()) {
            (None, Event::Scheduled { plan, .. }) => Ok(Self {
                revenue: LaunchRevenue {
                    launch: event.stream_id().parse().map_err(|_| Unfit("the stream id of a launch is a UUID"))?,
                    slug: plan.slug.clone(),
                    rocket_name: plan.rocket_name.to_string(),
                    destination: plan.destination,
                    supplier: plan.supplier,
                    supplier_name: plan.supplier_name.to_string(),
                    departs_at: plan.departs_at,
                    status: Status::Scheduled,
                    sold: 0,
                    capacity: u16::try_from(plan.cabin.capacity()).unwrap_or(u16::MAX),
                    captured: Money::ZERO,
                    refunded: Money::ZERO,
                    net: Money::ZERO,
                },
                fees: Money::ZERO,
                sold_to: BTreeMap::new(),
            }),
            (None, _) => Err(Unfit("the launch is not scheduled")),
            (Some(_), Event::Scheduled { .. }) => Err(Unfit("the launch is already scheduled")),
            (Some(mut view), happened) => {
                view.change(happened);
                Ok(view)
            }
        }
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        let revenue = &self.revenue;
        let found_by = [revenue.rocket_name.as_str(), &revenue.supplier_name, revenue.destination.title(), revenue.slug.as_str()];
        vec![
            ("supplier", Column::Text(revenue.supplier.to_string())),
            ("departs_at", revenue.departs_at.into()),
            ("captured", revenue.captured.into()),
            ("refunded", revenue.refunded.into()),
            ("net", revenue.net.into()),
            ("fees", self.fees.into()),
            ("tokens", Column::Words(tokens(found_by))),
        ]
    }

    fn lines(&self, event: &Recorded) -> Vec<JournalLine> {
        let AnyEvent::Launch(happened) = &event.event else { return Vec::new() };
        let (at, booking, debit, credit, amount) = match happened.as_ref() {
            Event::PaymentCaptured { booking, amount, at, .. } => (at, Some(*booking), CASH, CUSTOMER_DEPOSITS, *amount),
            Event::RefundRequested { booking, amount, at, .. } => (at, Some(*booking), CUSTOMER_DEPOSITS, REFUNDS_PAYABLE, *amount),
            Event::RefundPaid { booking, amount, at, .. } => (at, Some(*booking), REFUNDS_PAYABLE, CASH, *amount),
            Event::Aborted { fee, at, .. } => (at, None, SUPPLIER_RECEIVABLES, ABORT_FEES, *fee),
            _ => return Vec::new(),
        };
        if !amount.is_positive() {
            return Vec::new();
        }
        let line = |line, account: &str, amount| JournalLine {
            position: event.position(),
            line,
            at: *at,
            account: account.to_owned(),
            amount,
            event: event.envelope.event_type.clone(),
            launch: self.revenue.launch,
            booking,
            supplier: self.revenue.supplier,
        };
        vec![line(0, debit, amount), line(1, credit, Money::ZERO.minus(amount))]
    }
}

impl LaunchAccount {
    fn change(&mut self, event: &Event) {
        let revenue = &mut self.revenue;
        match event {
            Event::Delayed { departs_at, .. } => {
                revenue.departs_at = *departs_at;
                revenue.status = Status::Delayed;
            }
            Event::Confirmed { .. } => revenue.status = Status::Confirmed,
            Event::Aborted { fee, .. } => {
                revenue.status = Status::Aborted;
                self.fees = self.fees.plus(*fee);
            }
            Event::Launched { .. } => revenue.status = Status::Launched,
            Event::Failed { .. } => revenue.status = Status::Failed,
            Event::PaymentCaptured { amount, .. } => revenue.captured = revenue.captured.plus(*amount),
            Event::RefundRequested { amount, .. } => revenue.refunded = revenue.refunded.plus(*amount),
            Event::BookingConfirmed { booking, seats, .. } => {
                self.sold_to.insert(*booking, u16::try_from(seats.len()).unwrap_or(u16::MAX));
            }
            Event::BookingCancelled { booking, freed, .. } if !freed.is_empty() => {
                self.sold_to.remove(booking);
            }
            Event::PassengerCancelled { booking, freed: true, .. } => {
                if let Some(seats) = self.sold_to.get_mut(booking) {
                    *seats = seats.saturating_sub(1);
                }
            }
            _ => {}
        }
        let revenue = &mut self.revenue;
        revenue.sold = self.sold_to.values().sum();
        revenue.net = revenue.captured.minus(revenue.refunded);
    }
}
