//! The export as one page without scripts, to read and print: complete in itself, since it is opened from a disk.

use contract::{
    booking::{Booking, Trip},
    export::Export,
};
use scheduler::letter::escape;
use std::fmt::{Display, Write};

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Your data at Astro Bookings</title>\
<meta name=\"viewport\" content=\"width=device-width\"><style>\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111}\
h1{font-size:1.8rem}h2{margin-top:2.5rem;border-bottom:1px solid #999}h3{margin:1.5rem 0 .5rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;\
border-bottom:1px solid #ddd}pre{white-space:pre-wrap;font:inherit;margin:0}tr{break-inside:avoid}\
</style></head><body>";

/// The page.
pub(super) fn render(export: &Export) -> String {
    let mut page = Page(HEAD.to_owned());
    page.line("h1", "Your data at Astro Bookings");
    page.line("p", format!("Everything we keep about you, as of {}.", export.made_at));
    let account = &export.account;
    page.line("h2", "Account");
    page.facts(&[
        ("Name", &account.name),
        ("E-mail", &account.email),
        ("Account", &account.id),
        ("Since", &account.created_at),
        ("VIP", &if account.vip { "yes" } else { "no" }),
        ("Second factor", &if account.second_factor { "yes" } else { "no" }),
    ]);
    page.line("h2", "Bookings");
    for trip in &export.bookings {
        page.booking(trip);
    }
    if export.bookings.is_empty() {
        page.line("p", "None.");
    }
    page.line("h2", "Mails");
    page.table(&["When", "About", "Text"], export.mails.iter().map(|mail| [mail.at.to_string(), mail.subject.clone(), mail.text.clone()]));
    page.line("h2", "Sessions");
    let sessions = export.sessions.iter();
    page.table(
        &["Since", "Last used", "Device", "Address"],
        sessions.map(|one| [one.started_at.to_string(), one.seen_at.to_string(), one.device.clone(), one.address.clone()]),
    );
    page.line("h2", "What happened to the account");
    let events = export.security_events.iter();
    page.table(&["When", "What", "From"], events.map(|one| [one.at.to_string(), one.kind.replace('_', " "), one.address.clone()]));
    page.0 += "</body></html>";
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, tag: &str, text: impl Display) {
        let _ = write!(self.0, "<{tag}>{}</{tag}>", escape(&text.to_string()));
    }

    fn facts(&mut self, facts: &[(&str, &dyn Display)]) {
        self.table(&[], facts.iter().map(|(name, value)| [(*name).to_owned(), value.to_string()]));
    }

    fn table<const N: usize>(&mut self, heads: &[&str], rows: impl ExactSizeIterator<Item = [String; N]>) {
        if rows.len() == 0 {
            return self.line("p", "None.");
        }
        self.0 += "<table>";
        if !heads.is_empty() {
            self.0 += "<tr>";
            heads.iter().for_each(|head| self.line("th", head));
            self.0 += "</tr>";
        }
        for row in rows {
            self.0 += "<tr>";
            for cell in row {
                let _ = write!(self.0, "<td><pre>{}</pre></td>", escape(&cell));
            }
            self.0 += "</tr>";
        }
        self.0 += "</table>";
    }

    fn booking(&mut self, Trip { booking, launch, .. }: &Trip) {
        let Booking { reference, passengers, payments, refunds, timeline, .. } = booking;
        self.line("h3", format!("{reference}: {} to {}", launch.rocket_name, launch.destination.title()));
        let seats: Vec<String> = booking.seats.iter().map(ToString::to_string).collect();
        self.facts(&[
            ("Departs", &launch.departure.at),
            ("Seats", &seats.join(", ")),
            ("Price", &booking.total),
            ("Paid", &booking.paid),
            ("Refunded", &booking.refunded),
        ]);
        let born = |day: &Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
        self.table(
            &["Seat", "Passenger", "E-mail", "Phone", "Born"],
            passengers.iter().map(|one| [one.seat.to_string(), one.name.clone(), one.email.clone(), one.phone.clone(), born(&one.born)]),
        );
        let paid = payments.iter().map(|one| [one.at.to_string(), "payment".to_owned(), one.amount.to_string(), one.card.clone()]);
        let back = refunds.iter().map(|one| [one.at.to_string(), "refund".to_owned(), one.amount.to_string(), String::new()]);
        let money: Vec<[String; 4]> = paid.chain(back).collect();
        self.table(&["When", "Money", "Amount", "Card"], money.into_iter());
        self.table(&["When", "What", ""], timeline.iter().map(|one| [one.at.to_string(), one.title.clone(), one.text.clone()]));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use contract::{
        AccountId,
        account::{AccountState, Role},
        export::{ExportedAccount, ExportedMail},
        operations::NotificationState,
    };
    use jiff::Timestamp;

    #[test]
    fn nothing_in_the_page_is_markup_of_others() {
        let evil = "<script>alert('1')</script>\"&";
        let export = Export {
            made_at: Timestamp::UNIX_EPOCH,
            stale: false,
            account: ExportedAccount {
                id: AccountId(uuid::Uuid::nil()),
                name: evil.to_owned(),
                email: "ada@example.org".to_owned(),
                role: Role::Customer,
                state: AccountState::Active,
                vip: false,
                second_factor: false,
                created_at: Timestamp::UNIX_EPOCH,
            },
            bookings: vec![],
            mails: vec![ExportedMail {
                at: Timestamp::UNIX_EPOCH,
                sent_at: None,
                state: NotificationState::Sent,
                subject: evil.to_owned(),
                text: evil.to_owned(),
            }],
            sessions: vec![],
            security_events: vec![],
        };
        let page = render(&export);
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 3);
        assert!(page.contains("<p>None.</p>") && page.ends_with("</body></html>"));
    }
}
