//! Payments: approved, declined, lost on their way, answered twice, late.

use crate::world::{World, eventually, within};
use domain::{
    Money,
    booking::{PaymentState, RefundState, Stage},
    id::{BookingId, CustomerId, LaunchId, PaymentId, RefundId},
    launch::Command,
};
use futures::future::join_all;
use jiff::SignedDuration;
use scheduler::payment::{BadCard, Captured, PayError, PaymentCard, PaymentOrder, RefundOrder};
use uuid::Uuid;

async fn held(world: &World) -> (LaunchId, CustomerId, BookingId) {
    let launch = world.launch(200).await;
    let customer = world.customer().await;
    let booking = world.hold(launch, customer, &["2A", "2B"]).await;
    (launch, customer, booking)
}

#[tokio::test]
async fn an_approved_card_books_the_seats_and_asking_again_gives_the_same_payment() {
    within(async |world| {
        let (launch, customer, booking) = held(&world).await;
        let key = Uuid::new_v4();
        let first = world.pay_as(key, launch, booking, customer, "4242 4242 4242 4242").await.unwrap();
        assert!(first.confirmed);
        assert_eq!(first.amount, Money::dollars(2_000_000));
        assert_eq!(world.pay_as(key, launch, booking, customer, "4242 4242 4242 4242").await.unwrap(), first);
        assert_eq!(world.count(launch, "payment_captured").await, 1);
        assert_eq!(world.count(launch, "booking_confirmed").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_is_recorded_and_another_may_be_tried() {
    within(async |world| {
        let (launch, customer, booking) = held(&world).await;
        for (card, why) in [("4000 0000 0000 0002", "card_declined"), ("4000 0000 0000 9995", "insufficient_funds")] {
            let key = Uuid::new_v4();
            for _ in 0..2 {
                let declined = world.pay_as(key, launch, booking, customer, card).await;
                assert!(matches!(declined, Err(PayError::Declined { ref reason, .. }) if reason == why), "{declined:?}");
            }
        }
        assert!(world.booking(launch, booking).await.is_held());
        assert_eq!(world.count(launch, "payment_declined").await, 2);
        assert!(world.pay(launch, booking, customer, "5555 5555 5555 4444").await.unwrap().confirmed);
    })
    .await;
}

#[tokio::test]
async fn a_card_the_provider_does_not_know_changes_nothing() {
    within(async |world| {
        let (launch, customer, booking) = held(&world).await;
        let unknown = world.pay(launch, booking, customer, "4111 1111 1111 1111").await;
        assert!(matches!(unknown, Err(PayError::BadCard(BadCard::Unknown))), "{unknown:?}");
        assert!(world.booking(launch, booking).await.payments.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_looked_up_and_captured() {
    within(async |world| {
        let (launch, customer, booking) = held(&world).await;
        let unknown = world.pay(launch, booking, customer, "4000 0000 0000 0341").await;
        let Err(PayError::Unknown { payment, .. }) = unknown else { panic!("{unknown:?}") };
        assert_eq!(world.booking(launch, booking).await.payments[&payment].state, PaymentState::Initiated);
        let running = world.start();
        world.clock.advance(SignedDuration::from_secs(10));
        eventually("the payment is captured", async || {
            matches!(world.booking(launch, booking).await.stage, Stage::Confirmed { .. }).then_some(())
        })
        .await;
        running.end().await;
        assert_eq!(world.count(launch, "payment_captured").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_many_ask_the_provider_at_once_is_taken_once_each() {
    within(async |world| {
        let (launch, _, booking) = held(&world).await;
        let gateway = world.scheduler().gateway.clone();
        let payments: Vec<PaymentId> = (0..20).map(|_| PaymentId(Uuid::new_v4())).collect();
        let asked = payments.iter().flat_map(|payment| [payment; 3]).map(|payment| {
            let card = PaymentCard::parse("4242424242424242", "12/39", "123", world.now()).unwrap();
            let order = PaymentOrder { launch, booking, payment: *payment, amount: Money::dollars(1), card };
            let gateway = gateway.clone();
            async move { (order.payment, gateway.capture(&order).await) }
        });
        for (payment, answer) in join_all(asked).await {
            assert_eq!(answer, Ok(Captured { reference: format!("test-{}", payment.0.simple()) }));
        }
        let refused =
            gateway.refund(&RefundOrder { refund: RefundId(Uuid::new_v4()), payment: payments[0], amount: Money::dollars(2) }).await;
        assert!(refused.is_err(), "each was taken once: {refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_payment_the_provider_never_heard_of_is_declined_in_the_end() {
    within(async |world| {
        let (launch, customer, booking) = held(&world).await;
        let payment = PaymentId(Uuid::new_v4());
        let card = world.card("4242424242424242").kept();
        world.put(launch, Command::InitiatePayment { booking, customer, payment, card, now: world.now() }).await;
        world.clock.advance(SignedDuration::from_secs(121));
        let running = world.start();
        eventually("the payment is declined", async || {
            (world.booking(launch, booking).await.payments[&payment].state == PaymentState::Declined).then_some(())
        })
        .await;
        running.end().await;
        assert!(world.pay(launch, booking, customer, "4242 4242 4242 4242").await.unwrap().confirmed);
    })
    .await;
}

#[tokio::test]
async fn an_answer_given_twice_counts_once() {
    within(async |world| {
        let (launch, customer, booking) = held(&world).await;
        assert!(world.pay(launch, booking, customer, "4000 0000 0000 0259").await.unwrap().confirmed);
        assert_eq!(world.gateway.deliveries(10).await.unwrap().len(), 1);
        let running = world.start();
        eventually("the second answer is taken in", async || world.gateway.deliveries(10).await.unwrap().is_empty().then_some(())).await;
        running.end().await;
        assert_eq!(world.count(launch, "payment_captured").await, 1);
        assert!(world.booking(launch, booking).await.refunds.is_empty());
    })
    .await;
}

/// A payment the provider has taken, for a hold that has expired meanwhile.
async fn late(world: &World) -> (LaunchId, BookingId) {
    let (launch, customer, booking) = held(world).await;
    let payment = PaymentId(Uuid::new_v4());
    let card = world.card("4242424242424242");
    world.put(launch, Command::InitiatePayment { booking, customer, payment, card: card.kept(), now: world.now() }).await;
    let amount = Money::dollars(2_000_000);
    world.gateway.capture(&PaymentOrder { launch, booking, payment, amount, card }).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(20));
    world.put(launch, Command::ExpireHold { booking, now: world.now() }).await;
    (launch, booking)
}

#[tokio::test]
async fn a_late_payment_takes_the_same_seats_while_they_are_free() {
    within(async |world| {
        let (launch, booking) = late(&world).await;
        let running = world.start();
        eventually("the booking is confirmed", async || {
            matches!(world.booking(launch, booking).await.stage, Stage::Confirmed { .. }).then_some(())
        })
        .await;
        running.end().await;
        assert_eq!(world.manifest(launch).await.sold(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_late_payment_goes_back_when_the_seats_are_gone() {
    within(async |world| {
        let (launch, booking) = late(&world).await;
        world.book(launch, &["2B"], "4242 4242 4242 4242").await;
        let running = world.start();
        eventually("the money is back", async || {
            let known = world.booking(launch, booking).await;
            known.refunds.values().next().filter(|refund| refund.state == RefundState::Paid && refund.amount == known.paid()).map(|_| ())
        })
        .await;
        eventually("a mail says so", async || {
            world.mails().await.into_iter().find(|mail| mail.subject == "Your refund of $2,000,000 is on its way")
        })
        .await;
        running.end().await;
        assert_eq!(world.count(launch, "refund_paid").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_fails_is_tried_again() {
    within(async |world| {
        let launch = world.launch(200).await;
        let (customer, booking) = world.book(launch, &["2A"], "4000 0000 0000 5126").await;
        let quoted = Money::dollars(700_000);
        let refund = domain::id::RefundId(Uuid::new_v4());
        world.put(launch, Command::CancelBooking { booking, customer, refund, quoted, now: world.now() }).await;
        let running = world.start();
        eventually("the refund fails", async || {
            (world.booking(launch, booking).await.refunds[&refund].state == RefundState::Failed).then_some(())
        })
        .await;
        eventually("the refund is paid", async || {
            world.clock.advance(SignedDuration::from_millis(100));
            (world.booking(launch, booking).await.refunds[&refund].state == RefundState::Paid).then_some(())
        })
        .await;
        running.end().await;
        assert_eq!((world.count(launch, "refund_failed").await, world.count(launch, "refund_paid").await), (1, 1));
    })
    .await;
}
