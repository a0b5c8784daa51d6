//! Sends what is due. Everything it needs to know is in the notification; names and addresses are asked for now.

use super::{Claimed, Mailer, Notifications, Recipient, Sending};
use crate::{RUSH_REST_MAX, address::AddressBook};
use commands::clock::Clock;
use nats::Rush;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// After a few mails it rests as long as they took, at most so long: what people wait for has the processors first.
const REST_MAX: Duration = Duration::from_millis(50);

/// Sends due notifications one after the other until there is none, or `stop`.
pub(crate) async fn send_due(
    notifications: &Notifications,
    mailer: &Mailer,
    addresses: &dyn AddressBook,
    clock: &dyn Clock,
    rush: &Rush,
    stop: &CancellationToken,
) -> mongodb::error::Result<()> {
    while !stop.is_cancelled() {
        rush.rest(Duration::ZERO, RUSH_REST_MAX).await;
        let began = Instant::now();
        let mut claimed = notifications.claim(clock.now()).await?.into_iter();
        if claimed.len() == 0 {
            break;
        }
        let (mut sent, mut settled) = (Vec::new(), Ok(()));
        while settled.is_ok()
            && !stop.is_cancelled()
            && let Some(claimed) = claimed.next()
        {
            let sending = send(&claimed, mailer, addresses).await;
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
                settled = notifications.settle(&claimed, &sending, clock.now()).await;
            }
        }
        let recorded = notifications.sent(&sent, clock.now()).await;
        let let_go = notifications.let_go(claimed.as_slice()).await;
        settled.and(recorded).and(let_go)?;
        sleep(began.elapsed().min(REST_MAX)).await;
    }
    Ok(())
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
