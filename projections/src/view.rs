//! What a view is: a pure fold from the events of one kind of stream into documents, and what a store may sort and filter them by.
//! Storing, positions and the loop are left to the lane and the projector.

use crate::Recorded;
use contract::finance::JournalLine;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A document that events are folded into.
pub trait View: Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the view, for instance `launches`.
    const NAME: &'static str;
    /// The kind of stream it is made from. One document is made from one stream, so that streams may come in any order.
    const STREAM: &'static str;

    /// Which document an event changes; `None` when it changes none.
    fn key(event: &Recorded) -> Option<String>;

    /// The document after the event. Fails only for an event that cannot follow what was there.
    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit>;

    /// What the store may filter and sort by: always the same names in the same order.
    fn columns(&self) -> Vec<(&'static str, Column)>;

    /// Lines the event adds to the journal, seen with the document after it.
    fn lines(&self, _event: &Recorded) -> Vec<JournalLine> {
        Vec::new()
    }
}

/// The event cannot follow what was there; its stream is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub &'static str);

/// A value beside a document, for filters and orders.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// A word or an id.
    Text(String),
    /// A count or an amount in cents.
    Number(i64),
    /// A moment.
    Moment(Timestamp),
    /// Words to search by, lower case.
    Words(Vec<String>),
}

impl From<u16> for Column {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}
impl From<&str> for Column {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<Timestamp> for Column {
    fn from(moment: Timestamp) -> Self {
        Self::Moment(moment)
    }
}
impl From<contract::Money> for Column {
    fn from(amount: contract::Money) -> Self {
        Self::Number(amount.minor)
    }
}
