//! What we need of a payment provider. Providers' own words stay behind this trait.

use super::{BadCard, PaymentCard};
use async_trait::async_trait;
use domain::{
    Money,
    id::{BookingId, LaunchId, PaymentId, RefundId},
};

/// A payment provider. Every request carries an id of ours as its idempotency key: asking twice does once.
#[async_trait]
pub trait Gateway: std::fmt::Debug + Send + Sync {
    /// Says without asking anyone whether the provider takes such a card.
    fn accepts(&self, card: &PaymentCard) -> Result<(), BadCard>;
    /// Takes the money.
    async fn capture(&self, order: &PaymentOrder) -> Result<Captured, GatewayError>;
    /// What the provider knows of a payment.
    async fn look_up(&self, payment: PaymentId) -> Result<Standing, GatewayError>;
    /// Gives money back.
    async fn refund(&self, order: &RefundOrder) -> Result<Refunded, GatewayError>;
    /// Answers the provider delivers by itself, as a web hook would: late ones, and ones it gave before. At most `limit`.
    async fn deliveries(&self, limit: usize) -> Result<Vec<Delivery>, GatewayError>;
    /// Tells the provider that a delivery was dealt with.
    async fn acknowledge(&self, delivery: &Delivery) -> Result<(), GatewayError>;
}

/// Money to be taken.
#[derive(Debug, Clone)]
pub struct PaymentOrder {
    /// For which launch; handed back with deliveries.
    pub launch: LaunchId,
    /// For which booking; handed back with deliveries.
    pub booking: BookingId,
    /// The idempotency key.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// From where.
    pub card: PaymentCard,
}

/// The money was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// What the provider calls it.
    pub reference: String,
}

/// Money to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundOrder {
    /// The idempotency key.
    pub refund: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
}

/// The money was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// What the provider calls it.
    pub reference: String,
}

/// Why there is no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The provider says no.
    #[error("declined: {reason}")]
    Declined {
        /// One word, such as `insufficient_funds`.
        reason: String,
    },
    /// No answer came: it may or may not have happened.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// An answer of the provider about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The money was taken.
    Captured {
        /// What the provider calls it.
        reference: String,
    },
    /// It was not.
    Declined {
        /// One word, such as `card_declined`.
        reason: String,
    },
}

/// What a provider knows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was answered.
    Answered(Answer),
    /// It was never asked for this payment.
    NotFound,
}

/// An answer delivered by the provider itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What the provider calls the delivery.
    pub id: String,
    /// As ordered.
    pub launch: LaunchId,
    /// As ordered.
    pub booking: BookingId,
    /// As ordered.
    pub payment: PaymentId,
    /// The answer.
    pub answer: Answer,
}
