//! A payment provider for development and tests: the card number says how it behaves. It remembers by our ids, in a schema of its own, as a
//! real one does, so that asking twice answers the same even after a restart; it never stores a card number.

use super::{Answer, BadCard, Captured, Delivery, Gateway, GatewayError, PaymentCard, PaymentOrder, RefundOrder, Refunded, Standing};
use async_trait::async_trait;
use domain::id::{BookingId, LaunchId, PaymentId};
use nats::transaction::begin;
use sqlx::PgPool;
use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
};
use tokio::sync::oneshot;
use uuid::Uuid;

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
    pool: PgPool,
    /// Payments to be kept, gathered while others are being written: each write waits for the disk.
    gathered: Arc<std::sync::Mutex<Vec<Gathered>>>,
    /// Whoever has the turn writes what all have gathered.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A payment as the provider keeps it.
#[derive(Debug)]
struct Kept {
    payment: Uuid,
    launch: Uuid,
    booking: Uuid,
    amount: i64,
    /// Why it was declined; none when it was captured.
    declined: Option<String>,
    failing_refunds: i32,
}

/// A payment to be kept, and whom to tell whether one was kept under its id before.
type Gathered = (Kept, oneshot::Sender<Result<bool, GatewayError>>);

impl TestGateway {
    /// Remembers in the schema `test_gateway` of the event store's database.
    #[must_use]
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), gathered: Arc::default(), turn: Arc::default() }
    }

    async fn recall(&self, payment: Uuid) -> Result<Option<Answer>, GatewayError> {
        let kept: Option<Option<String>> = sqlx::query_scalar("SELECT declined FROM test_gateway.payments WHERE payment = $1")
            .bind(payment)
            .fetch_optional(&self.pool)
            .await
            .map_err(lost)?;
        Ok(kept.map(|declined| answer(payment, declined)))
    }

    /// Keeps `fresh`; says whether a payment was kept under its id before.
    async fn keep(&self, fresh: Kept) -> Result<bool, GatewayError> {
        let (reply, known) = oneshot::channel();
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).push((fresh, reply));
        let turn = self.turn.lock().await;
        let gathered = std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        if !gathered.is_empty() {
            self.write(gathered).await;
        }
        drop(turn);
        known.await.map_err(|_| GatewayError::Unknown("whoever was writing has gone".to_owned()))?
    }

    /// Writes all that are new, and tells everyone.
    async fn write(&self, gathered: Vec<Gathered>) {
        let ids = |of: fn(&Kept) -> Uuid| gathered.iter().map(|(kept, _)| of(kept)).collect::<Vec<_>>();
        let written = sqlx::query_scalar(
            "INSERT INTO test_gateway.payments (payment, launch, booking, amount, declined, failing_refunds) \
             SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::int[]) \
             ON CONFLICT DO NOTHING RETURNING payment",
        )
        .bind(ids(|kept| kept.payment))
        .bind(ids(|kept| kept.launch))
        .bind(ids(|kept| kept.booking))
        .bind(gathered.iter().map(|(kept, _)| kept.amount).collect::<Vec<_>>())
        .bind(gathered.iter().map(|(kept, _)| kept.declined.clone()).collect::<Vec<_>>())
        .bind(gathered.iter().map(|(kept, _)| kept.failing_refunds).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await;
        let mut new = written.map(HashSet::<Uuid>::from_iter);
        for (kept, reply) in gathered {
            // Of two that were gathered together under one id the second is known. Who asked may have gone.
            let _ = reply.send(match &mut new {
                Ok(new) => Ok(!new.remove(&kept.payment)),
                Err(error) => Err(GatewayError::Unknown(error.to_string())),
            });
        }
    }

    async fn give_back(&self, order: &RefundOrder) -> Result<Result<(), &'static str>, sqlx::Error> {
        let payment = order.payment.0;
        let mut transaction = begin(&self.pool, "BEGIN").await?;
        let paid: Option<(i64, bool, i32)> =
            sqlx::query_as("SELECT amount, declined IS NULL, failing_refunds FROM test_gateway.payments WHERE payment = $1 FOR UPDATE")
                .bind(payment)
                .fetch_optional(&mut *transaction)
                .await?;
        let Some((amount, captured, failing)) = paid else { return Ok(Err("unknown_payment")) };
        let (given_back, known): (i64, bool) = sqlx::query_as(
            "SELECT COALESCE(sum(amount), 0)::bigint, COALESCE(bool_or(refund = $2), false) FROM test_gateway.refunds WHERE payment = $1",
        )
        .bind(payment)
        .bind(order.refund.0)
        .fetch_one(&mut *transaction)
        .await?;
        let refused = if known {
            return Ok(Ok(()));
        } else if failing > 0 {
            sqlx::query("UPDATE test_gateway.payments SET failing_refunds = failing_refunds - 1 WHERE payment = $1")
                .bind(payment)
                .execute(&mut *transaction)
                .await?;
            Err("refund_failed")
        } else if !captured || given_back + order.amount.minor > amount {
            Err("more_than_captured")
        } else {
            sqlx::query("INSERT INTO test_gateway.refunds (refund, payment, amount) VALUES ($1, $2, $3)")
                .bind(order.refund.0)
                .bind(payment)
                .bind(order.amount.minor)
                .execute(&mut *transaction)
                .await?;
            Ok(())
        };
        transaction.commit().await?;
        Ok(refused)
    }
}

fn lost(error: sqlx::Error) -> GatewayError {
    GatewayError::Unknown(error.to_string())
}

/// What the provider calls a payment or a refund.
fn reference(id: Uuid) -> String {
    format!("test-{}", id.simple())
}

fn answer(payment: Uuid, declined: Option<String>) -> Answer {
    match declined {
        None => Answer::Captured { reference: reference(payment) },
        Some(reason) => Answer::Declined { reason },
    }
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
        let fresh = Kept {
            payment: order.payment.0,
            launch: order.launch.0,
            booking: order.booking.0,
            amount: order.amount.minor,
            declined: if let Behaviour::Decline(reason) = behaviour { Some(reason.to_owned()) } else { None },
            failing_refunds: i32::from(behaviour == Behaviour::FailFirstRefund),
        };
        let mut answered = answer(fresh.payment, fresh.declined.clone());
        if self.keep(fresh).await? {
            answered = self.recall(order.payment.0).await?.ok_or_else(|| GatewayError::Unknown("a payment was forgotten".to_owned()))?;
        } else if behaviour == Behaviour::AnswerTwice {
            sqlx::query("INSERT INTO test_gateway.deliveries (payment) VALUES ($1)")
                .bind(order.payment.0)
                .execute(&self.pool)
                .await
                .map_err(lost)?;
        } else if behaviour == Behaviour::LoseAnswer {
            return Err(GatewayError::Unknown("the answer was lost on its way".to_owned()));
        }
        match answered {
            Answer::Captured { reference } => Ok(Captured { reference }),
            Answer::Declined { reason } => Err(GatewayError::Declined { reason }),
        }
    }

    async fn look_up(&self, payment: PaymentId) -> Result<Standing, GatewayError> {
        Ok(self.recall(payment.0).await?.map_or(Standing::NotFound, Standing::Answered))
    }

    async fn refund(&self, order: &RefundOrder) -> Result<Refunded, GatewayError> {
        match self.give_back(order).await.map_err(lost)? {
            Ok(()) => Ok(Refunded { reference: reference(order.refund.0) }),
            Err(reason) => Err(GatewayError::Declined { reason: reason.to_owned() }),
        }
    }

    async fn deliveries(&self, limit: usize) -> Result<Vec<Delivery>, GatewayError> {
        let rows: Vec<(Uuid, Uuid, Uuid, Option<String>)> = sqlx::query_as(
            "SELECT p.payment, p.launch, p.booking, p.declined FROM test_gateway.deliveries d, \
                LATERAL (SELECT * FROM test_gateway.payments k WHERE k.payment = d.payment LIMIT 1) p LIMIT $1",
        )
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(lost)?;
        let delivery = |(payment, launch, booking, declined): (Uuid, Uuid, Uuid, Option<String>)| Delivery {
            id: payment.to_string(),
            launch: LaunchId(launch),
            booking: BookingId(booking),
            payment: PaymentId(payment),
            answer: answer(payment, declined),
        };
        Ok(rows.into_iter().map(delivery).collect())
    }

    async fn acknowledge(&self, delivery: &Delivery) -> Result<(), GatewayError> {
        let done = sqlx::query("DELETE FROM test_gateway.deliveries WHERE payment = $1").bind(delivery.payment.0);
        done.execute(&self.pool).await.map_err(lost)?;
        Ok(())
    }
}
