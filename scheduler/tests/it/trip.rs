//! Trips make VIPs, and cancelled ones end it.

use crate::world::{eventually, within};
use domain::{Money, customer::Customer, id::RefundId, launch::Command};
use uuid::Uuid;

#[tokio::test]
async fn two_trips_make_a_vip_until_one_is_cancelled() {
    within(async |world| {
        let customer = world.customer().await;
        let mut booked = Vec::new();
        for _ in 0..2 {
            let launch = world.launch(200).await;
            let booking = world.hold(launch, customer, &["1A"]).await;
            assert!(world.pay(launch, booking, customer, "4242 4242 4242 4242").await.unwrap().confirmed);
            booked.push((launch, booking));
        }
        let running = world.start();
        let is_vip = async || world.executor.load::<Customer>(&customer).await.unwrap().state.is_vip();
        eventually("the customer is a VIP", async || is_vip().await.then_some(())).await;
        let (launch, booking) = booked[0];
        let refund = RefundId(Uuid::new_v4());
        let quoted = Money::dollars(700_000);
        world.put(launch, Command::CancelBooking { booking, customer, refund, quoted, now: world.now() }).await;
        eventually("the customer is none any more", async || (!is_vip().await).then_some(())).await;
        running.end().await;
    })
    .await;
}
