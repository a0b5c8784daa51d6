//! Sends what is due. Everything it needs to know is in the notification; names and addresses are asked for now.

use super::{Claimed, Mailer, Notifications, Recipient, Sending};
use crate::address::AddressBook;
use commands::clock::Clock;
use tokio_util::sync::CancellationToken;

/// Sends due notifications one after the other until there is none, or `stop`.
pub(crate) async fn send_due(
    notifications: &Notifications,
    mailer: &Mailer,
    addresses: &dyn AddressBook,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> mongodb::error::Result<()> {
    while !stop.is_cancelled()
        && let Some(claimed) = notifications.claim(clock.now()).await?
    {
        let sending = send(&claimed, mailer, addresses).await;
        notifications.settle(&claimed, &sending, clock.now()).await?;
        let id = &claimed.id;
        match &sending {
            Sending::Sent => tracing::info!(notification.id = %id, "Sent mail {}", claimed.letter.template()),
            Sending::Failed(why) => tracing::warn!(notification.id = %id, "Mail not sent, to be tried again: {why}"),
            Sending::Hopeless(why) => tracing::warn!(notification.id = %id, "Mail not sent and given up: {why}"),
            Sending::Uncertain(why) => tracing::warn!(notification.id = %id, "Mail perhaps sent: {why}"),
        }
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
