//! Takes a payment: records that the provider is about to be asked, asks, records the answer. What the answer does to the booking is
//! the launch's; a payment whose answer never came is looked after by the scheduler's jobs.

mod card;
mod gateway;
mod test_gateway;

pub use card::{BadCard, PaymentCard};
pub use gateway::{Answer, Captured, Delivery, Gateway, GatewayError, PaymentOrder, RefundOrder, Refunded, Standing};
pub use test_gateway::TestGateway;

use commands::{Ask, Done, Executor, Failure, StreamVersion, ask::digest, clock::Clock};
use domain::{
    Actor, Money,
    booking::{Payment, PaymentState, Stage},
    id::{BookingId, CustomerId, LaunchId, PaymentId},
    launch::{Command, Event, Launch, Refusal},
};
use std::time::Duration;

/// How long the provider may take to answer before the payment counts as unknown.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(6);

/// A wish to pay for a held booking.
#[derive(Debug, Clone)]
pub struct Order {
    /// On which launch.
    pub launch: LaunchId,
    /// For which booking.
    pub booking: BookingId,
    /// Whose.
    pub customer: CustomerId,
    /// With what.
    pub card: PaymentCard,
}

/// A payment that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The payment.
    pub payment: PaymentId,
    /// What was captured.
    pub amount: Money,
    /// Whether the seats are now sold to the customer; if not, the money goes back.
    pub confirmed: bool,
    /// The launch as it stood then.
    pub at: StreamVersion,
}

/// Why there is no payment.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// The card cannot be used here; nothing has happened.
    #[error(transparent)]
    BadCard(#[from] BadCard),
    /// The provider refused; that is recorded, and another card may be tried while the hold lasts.
    #[error("the card was declined: {reason}")]
    Declined {
        /// The payment.
        payment: PaymentId,
        /// Such as `insufficient_funds`.
        reason: String,
        /// The launch as it stood then.
        at: StreamVersion,
    },
    /// The provider did not answer, or its answer could not be recorded; it is looked up shortly.
    #[error("what became of the payment is not known yet")]
    Unknown {
        /// The payment.
        payment: PaymentId,
        /// The launch as it stood then.
        at: StreamVersion,
    },
    /// The rules refuse, or the store cannot answer.
    #[error(transparent)]
    Failed(#[from] Failure<Refusal>),
}

/// Pays for a held booking. Asking again with the same command id gives the same payment: the provider is never asked for a second one.
pub async fn pay(executor: &Executor, gateway: &dyn Gateway, clock: &dyn Clock, order: Order, ask: &Ask) -> Result<Paid, PayError> {
    gateway.accepts(&order.card)?;
    let Order { launch, booking, customer, card } = order;
    let payment = PaymentId::derived(ask.command_id, "payment");
    let kept = card.kept();
    // The digest of the request covers the card number; what is stored must not, or the number could be found by trying all of them.
    let request_hash = digest(&[b"pay", launch.0.as_bytes(), booking.0.as_bytes(), kept.brand.as_bytes(), kept.last4.as_bytes()]);
    let ask = Ask { request_hash, ..ask.clone() };
    let command = Command::InitiatePayment { booking, customer, payment, card: kept, now: clock.now() };
    let initiated = executor.execute::<Launch>(&launch, command, &ask.step("initiate")).await?;
    let unknown = || PayError::Unknown { payment, at: initiated.at.clone() };

    let fresh = initiated.events.iter().find_map(|event| match event {
        Event::PaymentInitiated { amount, .. } if !initiated.repeated => Some(Payment { amount: *amount, state: PaymentState::Initiated }),
        _ => None,
    });
    let known = match fresh {
        Some(payment) => Some(payment),
        None => {
            let look = move |state: &Launch| state.manifest()?.bookings.get(&booking)?.payments.get(&payment).cloned();
            executor.see(&launch, look).await.map_err(|_| unknown())?
        }
    };
    let Some(Payment { amount, state }) = known else { return Err(unknown()) };

    // What was given up as declined is not asked for again: the provider might take the money now.
    let answer = match state {
        PaymentState::Declined => Answer::Declined { reason: String::new() },
        PaymentState::Initiated | PaymentState::Captured => {
            let order = PaymentOrder { launch, booking, payment, amount, card };
            capture(gateway, &order).await.ok_or_else(unknown)?
        }
    };
    match record(executor, clock, launch, booking, payment, &answer, ask.actor).await {
        Ok(Recorded::Captured { confirmed, at }) => Ok(Paid { payment, amount, confirmed, at }),
        Ok(Recorded::Declined { reason, at }) => Err(PayError::Declined { payment, reason, at }),
        // The provider has answered; the watch over payments in doubt records it as soon as the store can be written again.
        Err(Failure::Busy { .. } | Failure::Unavailable(_)) => Err(unknown()),
        Err(failure) => Err(failure.into()),
    }
}

/// Asks the provider for the money; none when no answer came.
async fn capture(gateway: &dyn Gateway, order: &PaymentOrder) -> Option<Answer> {
    let payment = order.payment;
    match tokio::time::timeout(ANSWER_WAIT_MAX, gateway.capture(order)).await {
        Ok(Ok(Captured { reference })) => Some(Answer::Captured { reference }),
        Ok(Err(GatewayError::Declined { reason })) => Some(Answer::Declined { reason }),
        Ok(Err(GatewayError::Unknown(why))) => {
            tracing::warn!(payment.id = %payment, "No answer from the payment provider: {why}");
            None
        }
        Err(_) => {
            tracing::warn!(payment.id = %payment, "No answer from the payment provider in {} s", ANSWER_WAIT_MAX.as_secs());
            None
        }
    }
}

/// What a payment became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The money is here.
    Captured { confirmed: bool, at: StreamVersion },
    /// It never will be.
    Declined { reason: String, at: StreamVersion },
}

/// Records the provider's answer. Its command id follows from the payment, so that every way an answer comes in records it once.
pub(crate) async fn record(
    executor: &Executor,
    clock: &dyn Clock,
    launch: LaunchId,
    booking: BookingId,
    payment: PaymentId,
    answer: &Answer,
    actor: Actor,
) -> Result<Recorded, Failure<Refusal>> {
    let now = clock.now();
    match answer {
        Answer::Captured { reference } => {
            let ask = Ask::because_of(payment.0, payment.0, actor, "capture");
            let command = Command::CapturePayment { booking, payment, reference: reference.clone(), now };
            let Done { events, at, .. } = executor.execute::<Launch>(&launch, command, &ask).await?;
            let confirmed = if events.is_empty() {
                is_confirmed(executor, launch, booking).await?
            } else {
                events.iter().any(|event| matches!(event, Event::BookingConfirmed { .. }))
            };
            Ok(Recorded::Captured { confirmed, at })
        }
        Answer::Declined { reason } => {
            let ask = Ask::because_of(payment.0, payment.0, actor, "decline");
            let command = Command::DeclinePayment { booking, payment, reason: reason.clone(), now };
            let Done { events, at, .. } = executor.execute::<Launch>(&launch, command, &ask).await?;
            let recorded =
                events.into_iter().find_map(|event| if let Event::PaymentDeclined { reason, .. } = event { Some(reason) } else { None });
            Ok(Recorded::Declined { reason: recorded.unwrap_or_else(|| reason.clone()), at })
        }
    }
}

async fn is_confirmed(executor: &Executor, launch: LaunchId, booking: BookingId) -> Result<bool, Failure<Refusal>> {
    let look = move |state: &Launch| {
        let known = state.manifest().and_then(|manifest| manifest.bookings.get(&booking));
        known.is_some_and(|known| matches!(known.stage, Stage::Confirmed { .. }))
    };
    executor.see(&launch, look).await.map_err(|error| Failure::Unavailable(error.to_string()))
}

/// How a payment stands with us.
pub(crate) fn state_of(launch: &Launch, booking: BookingId, payment: PaymentId) -> Option<PaymentState> {
    Some(launch.manifest()?.bookings.get(&booking)?.payments.get(&payment)?.state)
}
