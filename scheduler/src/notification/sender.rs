//! Sends what is due. Everything it needs to know is in the notification; names and addresses are asked for now.

use super::{CLAIMED_MAX, Claimed, Mailer, Notifications, Recipient, Sending};
use crate::{RUSH_REST_MAX, address::AddressBook};
use commands::clock::Clock;
use futures::future::join_all;
use nats::Rush;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// After a few mails it rests as long as they took, at most so long: what people wait for has the processors first.
const REST_MAX: Duration = Duration::from_millis(50);
/// How many mails are sent at the same time: sending one is mostly waiting for the mail server.
pub(super) const SENT_AT_ONCE: usize = 4;

/// Sends due notifications, a few at a time, until there is none, or `stop`.
pub(crate) async fn send_due(
    notifications: &Notifications,
    mailer: &Mailer,
    addresses: &dyn AddressBook,
    clock: &dyn Clock,
    rush: &Rush,
    stop: &CancellationToken,
) -> mongodb::error::Result<()> {
    loop {
        let due = notifications.due(clock.now()).await?;
        if due.is_empty() {
            return Ok(());
        }
        for ids in due.chunks(CLAIMED_MAX) {
            rush.rest(Duration::ZERO, RUSH_REST_MAX).await;
            if stop.is_cancelled() {
                return Ok(());
            }
            let began = Instant::now();
            send_some(notifications, ids, mailer, addresses, clock, stop).await?;
            sleep(began.elapsed().min(REST_MAX)).await;
        }
    }
}

/// Sends those of `ids` that are ours.
async fn send_some(
    notifications: &Notifications,
    ids: &[String],
    mailer: &Mailer,
    addresses: &dyn AddressBook,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> mongodb::error::Result<()> {
    let mut claimed = notifications.claim(ids, clock.now()).await?.into_iter();
    let (mut sent, mut settled) = (Vec::new(), Ok(()));
    while settled.is_ok() && !stop.is_cancelled() && claimed.len() > 0 {
        let tried = claimed.by_ref().take(SENT_AT_ONCE).map(async |claimed| (send(&claimed, mailer, addresses).await, claimed));
        for (sending, claimed) in join_all(tried).await {
            let (id, template) = (&claimed.id, claimed.letter.template());
            match &sending {
                Sending::Sent => tracing::info!(notification.id = %id, "Sent mail {template}"),
                Sending::Failed(why) => tracing::warn!(notification.id = %id, "Mail not sent, to be tried again: {why}"),
                Sending::Hopeless(why) => tracing::warn!(notification.id = %id, "Mail not sent and given up: {why}"),
                Sending::Uncertain(why) => tracing::warn!(notification.id = %id, "Mail perhaps sent: {why}"),
            }
            if sending == Sending::Sent {
                sent.push(claimed);
            } else {
                settled = settled.and(notifications.settle(&claimed, &sending, clock.now()).await);
            }
        }
    }
    let recorded = notifications.sent(&sent, clock.now()).await;
    let let_go = notifications.let_go(claimed.as_slice()).await;
    settled.and(recorded).and(let_go)
}

async fn send(claimed: &Claimed, mailer: &Mailer, addresses: &dyn AddressBook) -> Sending {
    let person = match claimed.recipient {
        Recipient::Customer(id) => addresses.customer(id).await,
        Recipient::Supplier(id) => addresses.supplier(id).await,
        Recipient::Account(id) => addresses.account(id).await,
    };
    match person {
        Ok(Some(person)) => mailer.send(&person, claimed.letter.render(&person, mailer.site()), &claimed.message_id).await,
        Ok(None) => Sending::Hopeless("the recipient has no address any more".to_owned()),
        Err(error) => Sending::Failed(error.to_string()),
    }
}
