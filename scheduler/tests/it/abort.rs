//! An aborted launch is unwound whole, also when the scheduler dies in the middle.

use crate::world::{World, eventually, start, within};
use async_trait::async_trait;
use domain::{
    Money,
    booking::{RefundState, Stage},
    id::{LaunchId, PaymentId, RefundId},
    launch::{AbortReason, Command},
    policy::Policies,
};
use scheduler::{
    Scheduler,
    payment::{BadCard, Captured, Delivery, Gateway, GatewayError, PaymentCard, PaymentOrder, RefundOrder, Refunded, Standing},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio_util::sync::CancellationToken;

/// A provider that notes each refund asked for, and says when there were so many.
#[derive(Debug)]
struct Noting {
    inner: Arc<dyn Gateway>,
    refunds: Mutex<BTreeMap<RefundId, u32>>,
    enough: usize,
    said: CancellationToken,
}

#[async_trait]
impl Gateway for Noting {
    fn accepts(&self, card: &PaymentCard) -> Result<(), BadCard> {
        self.inner.accepts(card)
    }
    async fn capture(&self, order: &PaymentOrder) -> Result<Captured, GatewayError> {
        self.inner.capture(order).await
    }
    async fn look_up(&self, payment: PaymentId) -> Result<Standing, GatewayError> {
        self.inner.look_up(payment).await
    }
    async fn refund(&self, order: &RefundOrder) -> Result<Refunded, GatewayError> {
        let refunded = self.inner.refund(order).await?;
        let mut refunds = self.refunds.lock().unwrap();
        *refunds.entry(order.refund).or_default() += 1;
        if refunds.len() >= self.enough {
            self.said.cancel();
        }
        Ok(refunded)
    }
    async fn deliveries(&self, limit: usize) -> Result<Vec<Delivery>, GatewayError> {
        self.inner.deliveries(limit).await
    }
    async fn acknowledge(&self, delivery: &Delivery) -> Result<(), GatewayError> {
        self.inner.acknowledge(delivery).await
    }
}

async fn abort(world: &World, launch: LaunchId) {
    let policies = Box::new(Policies::default());
    world.put(launch, Command::Abort { reason: AbortReason::Technical, policies, now: world.now() }).await;
}

#[tokio::test]
async fn every_booking_is_refunded_once_though_the_scheduler_dies_in_the_middle() {
    within(async |world| {
        let launch = world.launch(200).await;
        let seats: Vec<String> = (1..=6).flat_map(|row| ["A", "B"].map(|letter| format!("{row}{letter}"))).collect();
        for seat in &seats {
            world.book(launch, &[seat], "4242 4242 4242 4242").await;
        }
        let unpaid = world.customer().await;
        world.hold(launch, unpaid, &["6D"]).await;
        abort(&world, launch).await;

        let said = CancellationToken::new();
        let noting = Arc::new(Noting { inner: world.gateway.clone(), refunds: Mutex::default(), enough: 3, said: said.clone() });
        let dying = start(Scheduler { gateway: noting.clone(), ..world.scheduler() });
        said.cancelled().await;
        dying.end().await;
        assert!(world.count(launch, "refund_paid").await < seats.len(), "it was meant to die before all was done");

        let running = start(Scheduler { gateway: noting.clone(), ..world.scheduler() });
        eventually("everything is refunded", async || {
            let manifest = world.manifest(launch).await;
            let over = manifest.bookings.values().all(|booking| {
                let refunds = booking.refunds.values().all(|refund| refund.state == RefundState::Paid);
                booking.stage == Stage::Cancelled && booking.refunded() == booking.paid() && refunds
            });
            over.then_some(())
        })
        .await;
        world.settled().await;
        // 12 confirmations to customers and 12 to the supplier, 13 aborts, 12 refunds.
        eventually("all mails are sent", async || (world.mails().await.len() >= 49).then_some(())).await;
        running.end().await;

        assert_eq!(world.count(launch, "refund_requested").await, seats.len());
        assert_eq!(world.count(launch, "refund_paid").await, seats.len());
        assert_eq!(world.count(launch, "booking_cancelled").await, seats.len() + 1);
        let manifest = world.manifest(launch).await;
        let back = manifest.bookings.values().fold(Money::ZERO, |sum, booking| sum.plus(booking.refunded()));
        assert_eq!(back, Money::dollars(12_000_000));
        let given_back: i64 = sqlx::query_scalar("SELECT count(*) FROM test_gateway.refunds").fetch_one(&world.pool).await.unwrap();
        assert_eq!(given_back, 12);

        let mails = world.mails().await;
        assert_eq!(mails.len(), 49);
        let aborted: Vec<_> = mails.iter().filter(|mail| mail.subject.ends_with("will not fly")).collect();
        assert_eq!(aborted.len(), 13);
        assert!(aborted.iter().all(|mail| mail.text.contains("for technical reasons")));
        let to_unpaid = aborted.iter().find(|mail| mail.to == format!("{unpaid}@example.org")).unwrap();
        assert!(to_unpaid.text.contains("nothing was charged"), "{}", to_unpaid.text);
    })
    .await;
}
