//! Versioned business numbers. Publishing a version never changes what earlier versions decided:
//! commands carry the policies in force, events the versions applied. One stream per policy.

use crate::{Decider, Money, Named};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Hours of a day, for rules stated in days.
const HOURS_A_DAY: i64 = 24;

/// `days` of 24 hours.
#[must_use]
pub fn days(days: u16) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days) * HOURS_A_DAY)
}

macro_rules! policies {
    ($($(#[$doc:meta])* $field:ident: $name:ident = $founding:expr;)*) => {
        /// Names a policy, and so its stream.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Name { $($(#[$doc])* $name,)* }

        impl Name {
            /// Every policy.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
        impl fmt::Display for Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => stringify!($field),)* })
            }
        }
        impl FromStr for Name {
            type Err = UnknownPolicy;
            fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
                match text { $(stringify!($field) => Ok(Self::$name),)* _ => Err(UnknownPolicy) }
            }
        }

        /// The numbers of one policy.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Numbers { $($(#[$doc])* $name($name),)* }

        impl Numbers {
            /// Which policy these are the numbers of.
            #[must_use]
            pub fn name(&self) -> Name {
                match self { $(Self::$name(_) => Name::$name,)* }
            }
        }

        /// All policies as they stand at one moment, each with its version; version 0 is the founding one.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Policies { $($(#[$doc])* pub $field: Versioned<$name>,)* }

        impl Default for Policies {
            fn default() -> Self {
                Self { $($field: Versioned { version: 0, numbers: $founding },)* }
            }
        }
        impl Policies {
            /// Puts a published version in force.
            pub fn put(&mut self, version: u32, numbers: &Numbers) {
                match numbers { $(Numbers::$name(numbers) => self.$field = Versioned { version, numbers: numbers.clone() },)* }
            }
        }
    };
}

policies! {
    /// How many seats one customer may have on one launch.
    seat_limit: SeatLimit = SeatLimit { standard: 4, vip: 6 };
    /// How old a passenger must be on launch day.
    passenger_age: PassengerAge = PassengerAge { from: 18, to: 70 };
    /// How long seats are kept while the customer pays.
    hold: Hold = Hold { minutes: 15, grace_minutes: 5 };
    /// What is given back on cancelling.
    cancellation: Cancellation = Cancellation { tiers: vec![Tier { days_before: 365, percent: 90 }, Tier { days_before: 90, percent: 70 }], free_days_after_delay: 14 };
    /// When a launch with too few seats sold is given up.
    viability: Viability = Viability { days_before: 90, percent_sold: 20, warnings_days_ahead: vec![30, 7] };
    /// What the platform takes of a launched launch.
    fee: Fee = Fee { basis_points: 100, loyal_basis_points: 80, loyal_after_launches: 2 };
    /// What a supplier pays for an abort.
    abort_fee: AbortFee = AbortFee { amount: Money::dollars(1_000) };
    /// When invoices fall due and reminders go out.
    invoice_terms: InvoiceTerms = InvoiceTerms { due_days: 30, remind_days_before: vec![7], remind_days_after: vec![1, 14] };
    /// What a new launch must keep.
    scheduling: Scheduling = Scheduling { lead_days: 1, turnaround_days: 0 };
}

/// The text names no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such policy")]
pub struct UnknownPolicy;

/// A policy's numbers with the version they came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<N> {
    /// From 1 for published versions; 0 is the founding one.
    pub version: u32,
    /// The numbers.
    pub numbers: N,
}

/// Seats of one customer on one launch, all own bookings together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatLimit {
    /// For most customers.
    pub standard: u8,
    /// For VIP customers.
    pub vip: u8,
}

/// Whole years on launch day, both inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassengerAge {
    /// The youngest.
    pub from: u8,
    /// The oldest.
    pub to: u8,
}

/// How long a hold lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What the customer sees.
    pub minutes: u16,
    /// Silently added for a payment in flight.
    pub grace_minutes: u16,
}

/// Refunds by time before launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// Best first; below the last tier nothing is given back and the seat stays sold.
    pub tiers: Vec<Tier>,
    /// How long after a delay a customer may cancel with a full refund.
    pub free_days_after_delay: u16,
}

/// One step of the refund table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// At least this many days before launch.
    pub days_before: u16,
    /// That much is given back.
    pub percent: u8,
}

/// When a launch is given up for lack of passengers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Viability {
    /// Decided this many days before launch.
    pub days_before: u16,
    /// Fewer than this share sold is too few.
    pub percent_sold: u8,
    /// The supplier is warned this many days ahead of the decision, earliest first.
    pub warnings_days_ahead: Vec<u16>,
}

/// The platform's share of net revenue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// Ten-thousandths.
    pub basis_points: u32,
    /// Ten-thousandths for a supplier with enough launched launches.
    pub loyal_basis_points: u32,
    /// How many make a supplier loyal.
    pub loyal_after_launches: u16,
}

/// What an abort costs the supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortFee {
    /// Charged once per abort.
    pub amount: Money,
}

/// When customer invoices fall due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceTerms {
    /// Days after issue.
    pub due_days: u16,
    /// Reminders before the due date.
    pub remind_days_before: Vec<u16>,
    /// Reminders after it.
    pub remind_days_after: Vec<u16>,
}

/// What a new launch must keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduling {
    /// Days between scheduling and launch, at least.
    pub lead_days: u16,
    /// Days between two launches of one rocket, at least; 0 allows any.
    pub turnaround_days: u16,
}

/// What may be asked of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Puts new numbers in force from now on.
    Publish {
        /// The numbers; they must be of this stream's policy.
        numbers: Numbers,
        /// When.
        now: Timestamp,
    },
}

/// What has happened to a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// New numbers are in force.
    Published {
        /// From 1.
        version: u32,
        /// The numbers.
        numbers: Numbers,
        /// When.
        at: Timestamp,
    },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Published { .. } => "published",
        }
    }
}

/// Why a policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// The stream belongs to another policy.
    #[error("these are the numbers of {given}, not of this policy")]
    OtherPolicy {
        /// What was given.
        given: Name,
    },
    /// The numbers cannot work.
    #[error("{why}")]
    Unworkable {
        /// What is wrong with them.
        why: String,
    },
}

/// Where a policy stands: its last published version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// The founding numbers are in force.
    #[default]
    Founding,
    /// A published version is in force.
    Published {
        /// Which.
        version: u32,
        /// Its numbers.
        numbers: Numbers,
    },
}

impl Decider for Policy {
    type Id = Name;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "policy";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let Command::Publish { numbers, now } = command;
        unworkable(numbers).map_or(Ok(()), |why| Err(Refusal::Unworkable { why: why.to_owned() }))?;
        let version = match self {
            Self::Founding => 1,
            Self::Published { numbers: old, .. } if old.name() != numbers.name() => {
                return Err(Refusal::OtherPolicy { given: numbers.name() });
            }
            Self::Published { numbers: old, .. } if old == numbers => return Ok(vec![]),
            Self::Published { version, .. } => version + 1,
        };
        Ok(vec![Event::Published { version, numbers: numbers.clone(), at: *now }])
    }

    fn evolve(self, event: &Event) -> Self {
        let Event::Published { version, numbers, .. } = event;
        Self::Published { version: *version, numbers: numbers.clone() }
    }
}

fn unworkable(numbers: &Numbers) -> Option<&'static str> {
    match numbers {
        Numbers::SeatLimit(n) => (n.standard == 0 || n.vip < n.standard).then_some("a customer may have at least one seat, a VIP no fewer"),
        Numbers::PassengerAge(n) => (n.from > n.to).then_some("the youngest age is above the oldest"),
        Numbers::Hold(n) => (n.minutes == 0 || n.minutes > 24 * 60 || n.grace_minutes > 60)
            .then_some("a hold lasts 1 minute to a day, its grace at most an hour"),
        Numbers::Cancellation(n) => {
            let falling = n.tiers.windows(2).all(|pair| pair[0].days_before > pair[1].days_before && pair[0].percent >= pair[1].percent);
            (!falling || n.tiers.iter().any(|tier| tier.percent > 100))
                .then_some("refund tiers go from many days to few and from much to little, at most 100 percent")
        }
        Numbers::Viability(n) => (n.percent_sold > 100 || n.warnings_days_ahead.is_empty() || n.warnings_days_ahead.contains(&0))
            .then_some("a share sold is at most 100 percent, and a supplier is warned at least a day ahead"),
        Numbers::Fee(n) => (n.basis_points > 10_000 || n.loyal_basis_points > n.basis_points)
            .then_some("a fee is at most everything, a loyal one no higher"),
        Numbers::AbortFee(n) => (n.amount.minor < 0).then_some("an abort fee is not negative"),
        Numbers::InvoiceTerms(_) | Numbers::Scheduling(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn limit(standard: u8) -> Numbers {
        Numbers::SeatLimit(SeatLimit { standard, vip: 6 })
    }

    #[test]
    fn publishing_counts_versions_from_one() {
        let (now, at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        given::<Policy>([]).when(Command::Publish { numbers: limit(3), now }).then([Event::Published {
            version: 1,
            numbers: limit(3),
            at,
        }]);
        let first = Event::Published { version: 1, numbers: limit(3), at };
        given::<Policy>([first.clone()]).when(Command::Publish { numbers: limit(2), now }).then([Event::Published {
            version: 2,
            numbers: limit(2),
            at,
        }]);
        given::<Policy>([first]).when(Command::Publish { numbers: limit(3), now }).then_nothing();
    }

    #[test]
    fn refuses_numbers_that_cannot_work() {
        given::<Policy>([])
            .when(Command::Publish { numbers: limit(0), now: Timestamp::UNIX_EPOCH })
            .then_refused_with(|refusal| matches!(refusal, Refusal::Unworkable { .. }));
    }

    #[test]
    fn every_name_reads_back() {
        for name in Name::ALL {
            assert_eq!(name.to_string().parse(), Ok(*name));
        }
    }

    fn tiers(tiers: &[(u16, u8)]) -> Numbers {
        let tiers = tiers.iter().map(|(days_before, percent)| Tier { days_before: *days_before, percent: *percent }).collect();
        Numbers::Cancellation(Cancellation { tiers, free_days_after_delay: 14 })
    }
    fn viability(percent_sold: u8, warnings_days_ahead: Vec<u16>) -> Numbers {
        Numbers::Viability(Viability { days_before: 90, percent_sold, warnings_days_ahead })
    }
    fn fee(basis_points: u32, loyal_basis_points: u32) -> Numbers {
        Numbers::Fee(Fee { basis_points, loyal_basis_points, loyal_after_launches: 2 })
    }

    #[test]
    fn each_policy_knows_which_numbers_cannot_work() {
        let bad = [
            Numbers::SeatLimit(SeatLimit { standard: 4, vip: 3 }),
            Numbers::PassengerAge(PassengerAge { from: 71, to: 70 }),
            Numbers::Hold(Hold { minutes: 0, grace_minutes: 5 }),
            Numbers::Hold(Hold { minutes: 1_441, grace_minutes: 5 }),
            Numbers::Hold(Hold { minutes: 15, grace_minutes: 61 }),
            tiers(&[(90, 70), (365, 90)]),
            tiers(&[(365, 70), (90, 90)]),
            tiers(&[(365, 90), (365, 80)]),
            tiers(&[(365, 101)]),
            viability(101, vec![30, 7]),
            viability(20, vec![]),
            viability(20, vec![30, 0]),
            fee(10_001, 80),
            fee(100, 101),
            Numbers::AbortFee(AbortFee { amount: Money::cents(-1) }),
        ];
        for numbers in bad {
            given::<Policy>([])
                .when(Command::Publish { numbers: numbers.clone(), now: Timestamp::UNIX_EPOCH })
                .then_refused_with(|refusal| matches!(refusal, Refusal::Unworkable { .. }));
        }
        for numbers in [tiers(&[]), tiers(&[(365, 90), (90, 90)]), viability(0, vec![1]), fee(0, 0)] {
            given::<Policy>([]).when(Command::Publish { numbers, now: Timestamp::UNIX_EPOCH }).then_events_with(|events| events.len() == 1);
        }
    }

    #[test]
    fn a_policys_stream_keeps_to_its_policy() {
        let first = Event::Published { version: 1, numbers: limit(3), at: Timestamp::UNIX_EPOCH };
        given::<Policy>([first])
            .when(Command::Publish { numbers: fee(100, 80), now: Timestamp::UNIX_EPOCH })
            .then_refused(Refusal::OtherPolicy { given: Name::Fee });
    }

    #[test]
    fn the_founding_numbers_are_those_of_the_rules() {
        let founding = Policies::default();
        assert_eq!(founding.seat_limit.numbers, SeatLimit { standard: 4, vip: 6 });
        assert_eq!(founding.passenger_age.numbers, PassengerAge { from: 18, to: 70 });
        assert_eq!(founding.scheduling.numbers, Scheduling { lead_days: 1, turnaround_days: 0 });
        assert_eq!(founding.hold.numbers, Hold { minutes: 15, grace_minutes: 5 });
        assert_eq!(Numbers::Cancellation(founding.cancellation.numbers), tiers(&[(365, 90), (90, 70)]));
        assert_eq!(founding.abort_fee.numbers, AbortFee { amount: Money::dollars(1_000) });
        assert_eq!(Numbers::Viability(founding.viability.numbers), viability(20, vec![30, 7]));
        assert_eq!(Numbers::Fee(founding.fee.numbers), fee(100, 80));
        let terms = InvoiceTerms { due_days: 30, remind_days_before: vec![7], remind_days_after: vec![1, 14] };
        assert_eq!(founding.invoice_terms.numbers, terms);
    }
}
