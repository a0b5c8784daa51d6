//! Who is signed in, known to every page. How one signs in is left to the pages.

use crate::{browser, client};
use contract::account::Me;
use dioxus::prelude::*;

/// What is known of the session.
#[derive(Debug, Clone, PartialEq)]
pub enum Session {
    /// Not asked yet.
    Unknown,
    /// Nobody.
    Visitor,
    /// Somebody.
    SignedIn(Me),
}

impl Session {
    /// Who, if somebody. One who has yet to set up a second factor may do nothing else, and counts as nobody.
    #[must_use]
    pub fn me(&self) -> Option<&Me> {
        match self {
            Self::SignedIn(me) if !me.enrolling => Some(me),
            Self::SignedIn(_) | Self::Unknown | Self::Visitor => None,
        }
    }
    /// Who has yet to set up a second factor.
    #[must_use]
    pub fn enrolling(&self) -> Option<&Me> {
        match self {
            Self::SignedIn(me) if me.enrolling => Some(me),
            Self::SignedIn(_) | Self::Unknown | Self::Visitor => None,
        }
    }
}

#[derive(Clone, Copy)]
struct Current(Signal<Session>);

/// Provides the session to all below and asks for it once, in the browser. `likely` is false where the request that asked
/// for the page is known to have brought no session: then nothing is asked.
pub fn use_session_provider(likely: bool) -> Signal<Session> {
    let mut session = use_signal(|| Session::Unknown);
    use_context_provider(|| Current(session));
    use_effect(move || {
        browser::mark_ready();
        if !likely {
            session.set(Session::Visitor);
            return;
        }
        spawn(async move {
            session.set(client::session().await.map_or(Session::Visitor, Session::SignedIn));
        });
    });
    session
}

/// The session.
#[must_use]
pub fn use_session() -> Signal<Session> {
    let Current(session) = use_context::<Current>();
    session
}
