//! Who did it: recorded with every event.

use crate::id::{AccountId, CustomerId, SupplierId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The one who asked for a command. Its text form is what the log stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// One who books, acting for themselves.
    Customer(CustomerId),
    /// A member of a supplier.
    Supplier(SupplierId, AccountId),
    /// An employee.
    Employee(AccountId),
    /// An IT operator.
    Operator(AccountId),
    /// The job scheduler, acting on time and on events.
    Scheduler,
    /// The catalogue import, run by an operator on the command line.
    Import,
    /// The system's own set-up: migrations and demo data.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer:{id}"),
            Self::Supplier(supplier, account) => write!(f, "supplier:{supplier}:{account}"),
            Self::Employee(id) => write!(f, "employee:{id}"),
            Self::Operator(id) => write!(f, "operator:{id}"),
            Self::Scheduler => f.write_str("scheduler"),
            Self::Import => f.write_str("import"),
            Self::System => f.write_str("system"),
        }
    }
}

/// The text names no actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an actor")]
pub struct NotAnActor;

impl FromStr for Actor {
    type Err = NotAnActor;
    fn from_str(text: &str) -> Result<Self, NotAnActor> {
        let bad = |_| NotAnActor;
        match text.split_once(':') {
            Some(("customer", id)) => id.parse().map(Self::Customer).map_err(bad),
            Some(("supplier", ids)) => {
                let (supplier, account) = ids.split_once(':').ok_or(NotAnActor)?;
                Ok(Self::Supplier(supplier.parse().map_err(bad)?, account.parse().map_err(bad)?))
            }
            Some(("employee", id)) => id.parse().map(Self::Employee).map_err(bad),
            Some(("operator", id)) => id.parse().map(Self::Operator).map_err(bad),
            None if text == "scheduler" => Ok(Self::Scheduler),
            None if text == "import" => Ok(Self::Import),
            None if text == "system" => Ok(Self::System),
            _ => Err(NotAnActor),
        }
    }
}
impl TryFrom<String> for Actor {
    type Error = NotAnActor;
    fn try_from(text: String) -> Result<Self, NotAnActor> {
        text.parse()
    }
}
impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}
