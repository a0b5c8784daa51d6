//! The page of one's own account, the same in all four apps.

use super::{data::Data, factor::Factor, passwords::Change, sessions::Sessions};
use crate::{
    client,
    session::{Session, use_session},
};
use contract::account::Role;
use dioxus::prelude::*;

/// The page, without its heading. Shows nothing to those who are not signed in.
#[component]
pub fn AccountPage() -> Element {
    let mut session = use_session();
    let Some(me) = session.read().me().cloned() else { return VNode::empty() };
    let again = move |()| async move {
        if let Ok(me) = client::session().await {
            session.set(Session::SignedIn(me));
        }
    };
    rsx! {
        div { class: "account",
            section { class: "card padded stack-tight", "aria-labelledby": "account-you",
                h2 { id: "account-you", "You" }
                dl { class: "account-facts",
                    dt { "Name" }
                    dd { "{me.name}" }
                    dt { "E-mail" }
                    dd { "{me.email}" }
                    dt { "Role" }
                    dd { {me.role.as_str()} if me.vip { ", VIP" } }
                }
            }
            section { class: "card padded stack-tight", "aria-labelledby": "account-factor",
                h2 { id: "account-factor", "Second factor" }
                Factor { key: "{me.second_factor}", me: me.clone(), onchanged: again }
            }
            section { class: "card padded stack-tight", "aria-labelledby": "account-password",
                h2 { id: "account-password", "Password" }
                Change { staff: me.role.is_staff() }
            }
            section { class: "card padded stack-tight", "aria-labelledby": "account-sessions",
                h2 { id: "account-sessions", "Where you are signed in" }
                Sessions {}
            }
            if me.role == Role::Customer {
                section { class: "card padded stack-tight", "aria-labelledby": "account-data",
                    h2 { id: "account-data", "Your data" }
                    Data {}
                }
            }
        }
    }
}
