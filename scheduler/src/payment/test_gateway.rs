//! A payment provider for development and tests: the card number says how it behaves. It remembers by our ids in MongoDB system data, as
//! a real one does, so that asking twice answers the same even after a restart; it never stores a card number.

use super::{Answer, BadCard, Captured, Delivery, Gateway, GatewayError, PaymentCard, PaymentOrder, RefundOrder, Refunded, Standing};
use crate::mongo;
use async_trait::async_trait;
use domain::id::PaymentId;
use futures::TryStreamExt;
use mongodb::{
    Collection, Database,
    bson::{Document, doc},
};
use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
};
use tokio::sync::oneshot;

/// How the provider behaves for a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Approve,
    Decline(&'static str),
    /// Takes the money, but the answer is lost.
    LoseAnswer,
    /// Answers, and delivers the same answer again.
    AnswerTwice,
    /// Takes the money; the first try to give it back fails.
    FailFirstRefund,
}

fn behaviour(card: &PaymentCard) -> Option<Behaviour> {
    Some(match card.number() {
        "4242424242424242" | "5555555555554444" => Behaviour::Approve,
        "4000000000000002" => Behaviour::Decline("card_declined"),
        "4000000000009995" => Behaviour::Decline("insufficient_funds"),
        "4000000000000341" => Behaviour::LoseAnswer,
        "4000000000000259" => Behaviour::AnswerTwice,
        "4000000000005126" => Behaviour::FailFirstRefund,
        _ => return None,
    })
}

/// The provider that answers by card number.
#[derive(Debug, Clone)]
pub struct TestGateway {
    memory: Collection<Document>,
    /// What is to be kept, gathered while other things are being written: each write waits for the disk.
    gathered: Arc<std::sync::Mutex<Vec<Fresh>>>,
    /// Whoever has the turn writes what all have gathered.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A document to be kept, and whom to tell whether one was kept under its id before.
type Fresh = (Document, oneshot::Sender<Result<bool, GatewayError>>);

impl TestGateway {
    /// Remembers in the collection `test_gateway` of the system data.
    #[must_use]
    pub fn new(system: &Database) -> Self {
        Self { memory: system.collection("test_gateway"), gathered: Arc::default(), turn: Arc::default() }
    }

    async fn recall(&self, key: &str) -> Result<Option<Document>, GatewayError> {
        self.memory.find_one(doc! { "_id": key }).await.map_err(lost)
    }

    /// Keeps `fresh`, or says what was kept under its id before.
    async fn keep(&self, key: &str, fresh: Document) -> Result<Option<Document>, GatewayError> {
        let (reply, known) = oneshot::channel();
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).push((fresh, reply));
        let turn = self.turn.lock().await;
        let gathered = std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        self.write(gathered).await;
        drop(turn);
        let gone = |_| GatewayError::Unknown("whoever was writing has gone".to_owned());
        if known.await.map_err(gone)?? { self.recall(key).await } else { Ok(None) }
    }

    /// Writes all that are new, and tells everyone.
    async fn write(&self, gathered: Vec<Fresh>) {
        if gathered.is_empty() {
            return;
        }
        let documents = gathered.iter().map(|(document, _)| document);
        let written = self.memory.insert_many(documents).ordered(false).await;
        let known = written.map(|_| HashSet::new()).or_else(|error| mongo::duplicates(&error).ok_or_else(|| error.to_string()));
        for (index, (_, reply)) in gathered.into_iter().enumerate() {
            // Who asked may have gone.
            let _ = reply.send(known.as_ref().map(|known| known.contains(&index)).map_err(|why| GatewayError::Unknown(why.clone())));
        }
    }
}

fn lost(error: mongodb::error::Error) -> GatewayError {
    GatewayError::Unknown(error.to_string())
}

/// What the ids of answers still to be delivered start with.
const DELIVERY: &str = "delivery:";

/// Every id that starts so; the index of the ids finds them.
fn prefixed(start: &str) -> Document {
    doc! { "$gte": start, "$lt": format!("{start}~") }
}

fn payment_key(payment: PaymentId) -> String {
    format!("payment:{payment}")
}

fn answer(kept: &Document) -> Result<Answer, GatewayError> {
    let text = |field: &str| kept.get_str(field).unwrap_or_default().to_owned();
    match kept.get_str("outcome") {
        Ok("captured") => Ok(Answer::Captured { reference: text("reference") }),
        Ok("declined") => Ok(Answer::Declined { reason: text("reason") }),
        _ => Err(GatewayError::Unknown("the test provider's memory is damaged".to_owned())),
    }
}

fn delivery(kept: &Document) -> Option<Delivery> {
    Some(Delivery {
        id: kept.get_str("_id").ok()?.to_owned(),
        launch: kept.get_str("launch").ok()?.parse().ok()?,
        booking: kept.get_str("booking").ok()?.parse().ok()?,
        payment: kept.get_str("payment").ok()?.parse().ok()?,
        answer: answer(kept).ok()?,
    })
}

#[async_trait]
impl Gateway for TestGateway {
    fn accepts(&self, card: &PaymentCard) -> Result<(), BadCard> {
        behaviour(card).map(|_| ()).ok_or(BadCard::Unknown)
    }

    async fn capture(&self, order: &PaymentOrder) -> Result<Captured, GatewayError> {
        let Some(behaviour) = behaviour(&order.card) else {
            return Err(GatewayError::Declined { reason: "unknown_card".to_owned() });
        };
        let key = payment_key(order.payment);
        let mut fresh = doc! {
            "_id": &key,
            "kind": "payment",
            "payment": order.payment.to_string(),
            "launch": order.launch.to_string(),
            "booking": order.booking.to_string(),
            "amount": order.amount.minor,
            "failing_refunds": i32::from(behaviour == Behaviour::FailFirstRefund),
        };
        match behaviour {
            Behaviour::Decline(reason) => fresh.extend(doc! { "outcome": "declined", "reason": reason }),
            Behaviour::Approve | Behaviour::LoseAnswer | Behaviour::AnswerTwice | Behaviour::FailFirstRefund => {
                fresh.extend(doc! { "outcome": "captured", "reference": format!("test-{}", order.payment.0.simple()) });
            }
        }
        let known = self.keep(&key, fresh.clone()).await?;
        if known.is_none() && behaviour == Behaviour::AnswerTwice {
            let mut again = fresh.clone();
            again.extend(doc! { "_id": format!("{DELIVERY}{}", order.payment), "kind": "delivery" });
            self.memory.insert_one(again).await.map_err(lost)?;
        }
        if known.is_none() && behaviour == Behaviour::LoseAnswer {
            return Err(GatewayError::Unknown("the answer was lost on its way".to_owned()));
        }
        match answer(&known.unwrap_or(fresh))? {
            Answer::Captured { reference } => Ok(Captured { reference }),
            Answer::Declined { reason } => Err(GatewayError::Declined { reason }),
        }
    }

    async fn look_up(&self, payment: PaymentId) -> Result<Standing, GatewayError> {
        match self.recall(&payment_key(payment)).await? {
            Some(kept) => answer(&kept).map(Standing::Answered),
            None => Ok(Standing::NotFound),
        }
    }

    async fn refund(&self, order: &RefundOrder) -> Result<Refunded, GatewayError> {
        let of_payment = format!("refund:{}:", order.payment);
        let key = format!("{of_payment}{}", order.refund);
        let reference = format!("test-{}", order.refund.0.simple());
        if self.recall(&key).await?.is_some() {
            return Ok(Refunded { reference });
        }
        let payment = payment_key(order.payment);
        let failing = doc! { "_id": &payment, "failing_refunds": { "$gt": 0 } };
        let once_less = doc! { "$inc": { "failing_refunds": -1 } };
        if self.memory.find_one_and_update(failing, once_less).await.map_err(lost)?.is_some() {
            return Err(GatewayError::Declined { reason: "refund_failed".to_owned() });
        }
        let declined = |reason: &str| Err(GatewayError::Declined { reason: reason.to_owned() });
        let Some(paid) = self.recall(&payment).await? else { return declined("unknown_payment") };
        let captured = if matches!(paid.get_str("outcome"), Ok("captured")) { paid.get_i64("amount").unwrap_or_default() } else { 0 };
        // The refund is written down before the sum is checked, so that two at once cannot both find room.
        let fresh = doc! { "_id": &key, "kind": "refund", "payment": order.payment.to_string(), "amount": order.amount.minor };
        if self.keep(&key, fresh).await?.is_some() {
            return Ok(Refunded { reference });
        }
        let refunds = self.memory.find(doc! { "_id": prefixed(&of_payment) }).await.map_err(lost)?;
        let refunds: Vec<Document> = refunds.try_collect().await.map_err(lost)?;
        let given_back: i64 = refunds.iter().filter_map(|refund| refund.get_i64("amount").ok()).sum();
        if given_back > captured {
            self.memory.delete_one(doc! { "_id": &key }).await.map_err(lost)?;
            return declined("more_than_captured");
        }
        Ok(Refunded { reference })
    }

    async fn deliveries(&self, limit: usize) -> Result<Vec<Delivery>, GatewayError> {
        let waiting = self.memory.find(doc! { "_id": prefixed(DELIVERY) }).limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let kept: Vec<Document> = waiting.await.map_err(lost)?.try_collect().await.map_err(lost)?;
        Ok(kept.iter().filter_map(delivery).collect())
    }

    async fn acknowledge(&self, delivery: &Delivery) -> Result<(), GatewayError> {
        self.memory.delete_one(doc! { "_id": &delivery.id }).await.map_err(lost)?;
        Ok(())
    }
}
