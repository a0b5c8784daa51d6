//! Accounts, for all four apps: the form to sign in by, setting up a second factor, and the page of one's own account.
//! Asking for an account and links of mails are the customer app's.

mod data;
mod enter;
mod factor;
mod page;
mod passwords;
mod sessions;

pub use enter::Enter;
pub use factor::SetUp;
pub use page::AccountPage;
pub use passwords::{NewPassword, unfit};

use crate::browser;

/// How long a page takes to show errors before the focus can go there, in milliseconds.
const SHOWN_AFTER_MS: u32 = 30;

/// Moves the focus to what is wrong, once it shows.
pub async fn show_what_is_wrong() {
    browser::sleep(SHOWN_AFTER_MS).await;
    browser::focus_first("[aria-invalid=true], .notice[data-kind=bad]");
}
