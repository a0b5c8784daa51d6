//! A customer: the trips that make them a VIP, and their wish to be forgotten. Names and addresses are kept with the account, outside the log.

use crate::{
    Decider, Named,
    id::{BookingId, CustomerId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many booked trips make a VIP.
pub const VIP_TRIPS: usize = 2;

/// What may be asked of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens the customer's record.
    Register {
        /// When.
        now: Timestamp,
    },
    /// Counts a confirmed booking.
    RecordTrip {
        /// Which.
        booking: BookingId,
        /// When.
        now: Timestamp,
    },
    /// Stops counting a cancelled booking.
    DropTrip {
        /// Which.
        booking: BookingId,
        /// When.
        now: Timestamp,
    },
    /// Forgets the person for ever. Whether bookings are open is asked before.
    Erase {
        /// When.
        now: Timestamp,
    },
}

/// What has happened to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The record is open.
    Registered {
        /// When.
        at: Timestamp,
    },
    /// A booking counts.
    TripRecorded {
        /// Which.
        booking: BookingId,
        /// When.
        at: Timestamp,
    },
    /// A booking no longer counts.
    TripDropped {
        /// Which.
        booking: BookingId,
        /// When.
        at: Timestamp,
    },
    /// Enough trips: six seats instead of four.
    PromotedToVip {
        /// When.
        at: Timestamp,
    },
    /// Too few trips again.
    VipEnded {
        /// When.
        at: Timestamp,
    },
    /// The person is forgotten: their key, account and mail are deleted because of this.
    Erased {
        /// When.
        at: Timestamp,
    },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::TripRecorded { .. } => "trip_recorded",
            Self::TripDropped { .. } => "trip_dropped",
            Self::PromotedToVip { .. } => "promoted_to_vip",
            Self::VipEnded { .. } => "vip_ended",
            Self::Erased { .. } => "erased",
        }
    }
}

/// Why a customer refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// There is none with this id.
    #[error("there is no such customer")]
    Unknown,
}

/// Where a customer stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Customer {
    /// Not registered.
    #[default]
    Unknown,
    /// Registered.
    Active {
        /// Confirmed bookings that are not cancelled.
        trips: BTreeSet<BookingId>,
        /// Whether promoted.
        vip: bool,
    },
    /// Forgotten. Nothing counts any more, and nobody registers again under this id.
    Erased,
}

impl Customer {
    /// Whether the VIP limits hold.
    #[must_use]
    pub fn is_vip(&self) -> bool {
        matches!(self, Self::Active { vip: true, .. })
    }
}

impl Decider for Customer {
    type Id = CustomerId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "customer";
    /// 2: a customer may be forgotten.
    const STATE_VERSION: u32 = 2;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Erased, _) => Ok(vec![]),
            (Self::Unknown | Self::Active { .. }, Command::Erase { now }) => Ok(vec![Event::Erased { at: *now }]),
            (Self::Unknown, Command::Register { now }) => Ok(vec![Event::Registered { at: *now }]),
            (Self::Active { .. }, Command::Register { .. }) => Ok(vec![]),
            (Self::Unknown, Command::RecordTrip { .. } | Command::DropTrip { .. }) => Err(Refusal::Unknown),
            (Self::Active { trips, .. }, Command::RecordTrip { booking, .. }) if trips.contains(booking) => Ok(vec![]),
            (Self::Active { trips, vip }, Command::RecordTrip { booking, now }) => {
                let promoted = (!vip && trips.len() + 1 >= VIP_TRIPS).then_some(Event::PromotedToVip { at: *now });
                Ok([Event::TripRecorded { booking: *booking, at: *now }].into_iter().chain(promoted).collect())
            }
            (Self::Active { trips, .. }, Command::DropTrip { booking, .. }) if !trips.contains(booking) => Ok(vec![]),
            (Self::Active { trips, vip }, Command::DropTrip { booking, now }) => {
                let ended = (*vip && trips.len() - 1 < VIP_TRIPS).then_some(Event::VipEnded { at: *now });
                Ok([Event::TripDropped { booking: *booking, at: *now }].into_iter().chain(ended).collect())
            }
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (Self::Erased, _) | (_, Event::Erased { .. }) => Self::Erased,
            (Self::Unknown, Event::Registered { .. }) => Self::Active { trips: BTreeSet::new(), vip: false },
            (Self::Active { mut trips, vip }, Event::TripRecorded { booking, .. }) => {
                trips.insert(*booking);
                Self::Active { trips, vip }
            }
            (Self::Active { mut trips, vip }, Event::TripDropped { booking, .. }) => {
                trips.remove(booking);
                Self::Active { trips, vip }
            }
            (Self::Active { trips, .. }, Event::PromotedToVip { .. }) => Self::Active { trips, vip: true },
            (Self::Active { trips, .. }, Event::VipEnded { .. }) => Self::Active { trips, vip: false },
            (other @ Self::Active { .. }, Event::Registered { .. }) => other,
            (
                Self::Unknown,
                Event::TripRecorded { .. } | Event::TripDropped { .. } | Event::PromotedToVip { .. } | Event::VipEnded { .. },
            ) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;
    use uuid::Uuid;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    fn booking(n: u128) -> BookingId {
        BookingId(Uuid::from_u128(n))
    }
    fn recorded(n: u128) -> Event {
        Event::TripRecorded { booking: booking(n), at: AT }
    }

    #[test]
    fn the_second_trip_makes_a_vip() {
        given::<Customer>([Event::Registered { at: AT }, recorded(1)])
            .when(Command::RecordTrip { booking: booking(2), now: AT })
            .then([recorded(2), Event::PromotedToVip { at: AT }]);
    }

    #[test]
    fn a_trip_counts_once() {
        given::<Customer>([Event::Registered { at: AT }, recorded(1)])
            .when(Command::RecordTrip { booking: booking(1), now: AT })
            .then_nothing();
    }

    #[test]
    fn a_cancelled_trip_ends_the_vip() {
        given::<Customer>([Event::Registered { at: AT }, recorded(1), recorded(2), Event::PromotedToVip { at: AT }])
            .when(Command::DropTrip { booking: booking(2), now: AT })
            .then([Event::TripDropped { booking: booking(2), at: AT }, Event::VipEnded { at: AT }]);
    }

    #[test]
    fn a_customer_registers_once() {
        given::<Customer>([]).when(Command::Register { now: AT }).then([Event::Registered { at: AT }]);
        given::<Customer>([Event::Registered { at: AT }]).when(Command::Register { now: AT }).then_nothing();
    }

    #[test]
    fn one_is_forgotten_once_and_for_ever() {
        let erased = Event::Erased { at: AT };
        given::<Customer>([]).when(Command::Erase { now: AT }).then([erased.clone()]);
        let past = [Event::Registered { at: AT }, recorded(1), erased.clone()];
        given::<Customer>([past[0].clone(), past[1].clone()]).when(Command::Erase { now: AT }).then([erased]);
        for command in [
            Command::Erase { now: AT },
            Command::Register { now: AT },
            Command::RecordTrip { booking: booking(2), now: AT },
            Command::DropTrip { booking: booking(1), now: AT },
        ] {
            given::<Customer>(past.clone()).when(command).then_nothing();
        }
        assert_eq!(given::<Customer>(past).0, Customer::Erased);
    }

    #[test]
    fn nobody_counts_trips_of_a_stranger() {
        given::<Customer>([]).when(Command::RecordTrip { booking: booking(1), now: AT }).then_refused(Refusal::Unknown);
        given::<Customer>([]).when(Command::DropTrip { booking: booking(1), now: AT }).then_refused(Refusal::Unknown);
    }

    #[test]
    fn the_first_trip_makes_no_vip_and_the_third_no_second_one() {
        let registered = Event::Registered { at: AT };
        given::<Customer>([registered.clone()]).when(Command::RecordTrip { booking: booking(1), now: AT }).then([recorded(1)]);
        let vip = [registered, recorded(1), recorded(2), Event::PromotedToVip { at: AT }];
        assert!(given::<Customer>(vip.clone()).0.is_vip());
        given::<Customer>(vip).when(Command::RecordTrip { booking: booking(3), now: AT }).then([recorded(3)]);
    }

    #[test]
    fn a_vip_with_trips_to_spare_stays_one_and_a_trip_is_dropped_once() {
        let past = [Event::Registered { at: AT }, recorded(1), recorded(2), Event::PromotedToVip { at: AT }, recorded(3)];
        let dropped = Event::TripDropped { booking: booking(3), at: AT };
        given::<Customer>(past.clone()).when(Command::DropTrip { booking: booking(3), now: AT }).then([dropped]);
        given::<Customer>(past).when(Command::DropTrip { booking: booking(9), now: AT }).then_nothing();
    }
}
