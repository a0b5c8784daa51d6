//! Who asks what: known of the request that is being answered, wherever in the code one is. Decides nothing.

use domain::id::AccountId;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

tokio::task_local! {
    static ASKING: Arc<Asking>;
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Asking {
    /// What it is called in logs and answers.
    pub request: Uuid,
    /// Which service it is for, where that is known.
    pub service: Option<&'static str>,
    account: OnceLock<AccountId>,
}

impl Asking {
    /// By nobody known yet.
    #[must_use]
    pub fn new(request: Uuid, service: Option<&'static str>) -> Self {
        Self { request, service, account: OnceLock::new() }
    }
    /// The account that turned out to ask.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.account.get().copied()
    }
}

/// Runs `answering` as part of `asking`.
pub async fn within<F: Future>(asking: Arc<Asking>, answering: F) -> F::Output {
    ASKING.scope(asking, answering).await
}

/// Notes who asks, once their right to say so is proved.
pub fn is_by(account: AccountId) {
    // Outside a request there is nothing to note it on; a second note is the same account.
    let _ = ASKING.try_with(|asking| asking.account.set(account));
}

/// Names what is known of the request, for a line of the log.
pub fn describe(mut tell: impl FnMut(String, String)) {
    let _ = ASKING.try_with(|asking| {
        tell("request.id".to_owned(), asking.request.to_string());
        if let Some(service) = asking.service {
            tell("service".to_owned(), service.to_owned());
        }
        if let Some(account) = asking.account() {
            tell("account.id".to_owned(), account.to_string());
        }
    });
}
