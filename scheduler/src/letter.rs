//! What mails say. A letter holds facts, not personal data: names and addresses are put in when it is sent. Whether and when it is sent
//! is the notification's.

use crate::address::Person;
use domain::{
    Money,
    booking::Basis,
    id::{BookingId, LaunchId},
    launch::{AbortReason, Plan},
    seat::Seat,
};
use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};

/// A launch as letters name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    /// The launch.
    pub launch: LaunchId,
    /// Its readable address.
    pub slug: String,
    /// Who flies.
    pub supplier: String,
    /// With what.
    pub rocket: String,
    /// From where.
    pub spaceport: String,
    /// Where to, as shown.
    pub destination: String,
    /// The spaceport's IANA time zone.
    pub zone: String,
    /// When.
    pub departs_at: Timestamp,
}

impl Flight {
    /// The launch of this plan.
    #[must_use]
    pub fn of(launch: LaunchId, plan: &Plan) -> Self {
        Self {
            launch,
            slug: plan.slug.to_string(),
            supplier: plan.supplier_name.to_string(),
            rocket: plan.rocket_name.to_string(),
            spaceport: plan.spaceport_name.to_string(),
            destination: plan.destination.title().to_owned(),
            zone: plan.zone.to_string(),
            departs_at: plan.departs_at,
        }
    }
    fn title(&self) -> String {
        format!("{} to {}", self.rocket, self.destination)
    }
}

/// What a mail is about. The variant's stored name is the notification's template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
#[allow(missing_docs)] // each field is named for what it holds
pub enum Letter {
    /// To the customer: the seats are theirs.
    BookingConfirmed { flight: Flight, booking: BookingId, seats: Vec<Seat>, total: Money },
    /// To the customer: the booking is given up, as they asked.
    BookingCancelled { flight: Flight, booking: BookingId, seats: Vec<Seat>, refund: Money, percent: u8, basis: Basis },
    /// To the customer: one passenger is given up, as they asked.
    PassengerCancelled { flight: Flight, booking: BookingId, seat: Seat, refund: Money, percent: u8, basis: Basis },
    /// To the customer: the launch was given up, and with it the booking.
    LaunchAborted { flight: Flight, booking: BookingId, reason: Option<AbortReason>, refund: Money },
    /// To the customer: nobody paid in time.
    HoldExpired { flight: Flight, booking: BookingId, seats: Vec<Seat> },
    /// To the customer: money is back.
    RefundPaid { flight: Flight, booking: BookingId, amount: Money },
    /// To the customer: another moment; the bookings are all theirs on the launch.
    LaunchDelayed { flight: Flight, bookings: Vec<BookingId>, was: Timestamp, reason: String, free_until: Timestamp },
    /// To the supplier: seats were sold.
    SupplierBooked { flight: Flight, seats: u16, total: Money, sold: u16, capacity: u16 },
    /// To the supplier: too few seats are sold.
    ViabilityWarned { flight: Flight, sold: u16, needed: u16, aborts_at: Timestamp },
    /// To one who asked for an account: the link that opens it.
    ConfirmAccount { token: Token, until: Timestamp },
    /// To one whose address somebody, perhaps they themselves, wanted to open a second account with.
    AlreadyRegistered {},
    /// To one who forgot the password: the link to set another.
    ResetPassword { token: Token, until: Timestamp },
    /// To one whose password was changed.
    PasswordChanged { at: Timestamp },
    /// To new staff: the link to choose a password.
    StaffInvitation { token: Token, role: String, until: Timestamp },
}

/// The secret of a link. Goes into the fragment of its address, which browsers do not send on; never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// This one.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// For readers without HTML.
    pub text: String,
    /// For all others.
    pub html: String,
}

/// The parts of a mail, before they become text and HTML.
struct Draft {
    subject: String,
    lead: Vec<String>,
    facts: Vec<(&'static str, String)>,
    rest: Vec<String>,
    link: (&'static str, String),
}

impl Letter {
    /// The template's name, a part of the notification's id; never rename.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        match self {
            Self::BookingConfirmed { .. } => "booking_confirmed",
            Self::BookingCancelled { .. } => "booking_cancelled",
            Self::PassengerCancelled { .. } => "passenger_cancelled",
            Self::LaunchAborted { .. } => "launch_aborted",
            Self::HoldExpired { .. } => "hold_expired",
            Self::RefundPaid { .. } => "refund_paid",
            Self::LaunchDelayed { .. } => "launch_delayed",
            Self::SupplierBooked { .. } => "supplier_booked",
            Self::ViabilityWarned { .. } => "viability_warned",
            Self::ConfirmAccount { .. } => "confirm_account",
            Self::AlreadyRegistered {} => "already_registered",
            Self::ResetPassword { .. } => "reset_password",
            Self::PasswordChanged { .. } => "password_changed",
            Self::StaffInvitation { .. } => "staff_invitation",
        }
    }

    /// Whether it has a link that opens something: shown to nobody once it is sent.
    #[must_use]
    pub const fn has_secret(&self) -> bool {
        matches!(self, Self::ConfirmAccount { .. } | Self::ResetPassword { .. } | Self::StaffInvitation { .. })
    }

    /// The mail to `person`, with links into the site at `site` (without a slash at the end).
    #[must_use]
    pub fn render(&self, person: &Person, site: &str) -> Rendered {
        self.draft(site).render(person)
    }

    fn draft(&self, site: &str) -> Draft {
        let trip = |booking: &BookingId| ("See your trip", format!("{site}/trips/{booking}"));
        match self {
            Self::BookingConfirmed { flight, booking, seats, total } => Draft {
                subject: format!("Your seats on {} are booked", flight.title()),
                lead: vec!["Thank you. Your payment has arrived and your seats are yours.".to_owned()],
                facts: facts(flight, &[("Booking", booking.reference()), ("Seats", list(seats)), ("Paid", total.to_string())]),
                rest: vec![
                    "You can cancel the whole booking or a single passenger on the page of your trip. We show what you get back before you \
                     confirm."
                        .to_owned(),
                ],
                link: trip(booking),
            },
            Self::BookingCancelled { flight, booking, seats, refund, percent, basis } => Draft {
                subject: format!("Your booking on {} is cancelled", flight.title()),
                lead: vec!["As you asked, we have cancelled your booking.".to_owned(), money_back(*refund, *percent, basis)],
                facts: facts(flight, &[("Booking", booking.reference()), ("Seats", list(seats)), ("Refund", refund.to_string())]),
                rest: vec![],
                link: trip(booking),
            },
            Self::PassengerCancelled { flight, booking, seat, refund, percent, basis } => Draft {
                subject: format!("Seat {seat} on {} is cancelled", flight.title()),
                lead: vec![
                    format!("As you asked, we have cancelled the passenger in seat {seat}. Your other seats are unchanged."),
                    money_back(*refund, *percent, basis),
                ],
                facts: facts(flight, &[("Booking", booking.reference()), ("Seat", seat.to_string()), ("Refund", refund.to_string())]),
                rest: vec![],
                link: trip(booking),
            },
            Self::LaunchAborted { flight, booking, reason, refund } => {
                let why = match reason {
                    Some(AbortReason::Weather) => " because of the weather",
                    Some(AbortReason::Technical) => " for technical reasons",
                    Some(AbortReason::Economic) => " for economic reasons",
                    Some(AbortReason::Viability) => " because too few seats were sold",
                    None => "",
                };
                let money = if refund.is_positive() {
                    format!("You get back everything you paid: {refund}. There is nothing you need to do.")
                } else {
                    "You had not paid, so nothing was charged.".to_owned()
                };
                Draft {
                    subject: format!("{} will not fly", flight.title()),
                    lead: vec![
                        format!("We are sorry: {} has given up this launch{why}, and your booking on it has ended.", flight.supplier),
                        money,
                    ],
                    facts: facts(flight, &[("Booking", booking.reference()), ("Refund", refund.to_string())]),
                    rest: vec![],
                    link: trip(booking),
                }
            }
            Self::HoldExpired { flight, booking, seats } => Draft {
                subject: format!("Your seats on {} are free again", flight.title()),
                lead: vec![
                    "We kept your seats while you were booking, but no payment arrived in time. They are on sale again, and nothing was \
                     charged."
                        .to_owned(),
                ],
                facts: facts(flight, &[("Booking", booking.reference()), ("Seats", list(seats))]),
                rest: vec!["If you still want to fly, choose your seats again: they may still be free.".to_owned()],
                link: ("Choose seats", format!("{site}/launches/{}", flight.slug)),
            },
            Self::RefundPaid { flight, booking, amount } => Draft {
                subject: format!("Your refund of {amount} is on its way"),
                lead: vec![format!("We have sent {amount} back to the card you paid with. Banks take up to five working days to show it.")],
                facts: facts(flight, &[("Booking", booking.reference()), ("Refund", amount.to_string())]),
                rest: vec![],
                link: trip(booking),
            },
            Self::LaunchDelayed { flight, bookings, was, reason, free_until } => {
                let ids: Vec<String> = bookings.iter().map(|booking| booking.reference()).collect();
                Draft {
                    subject: format!("{} departs later than planned", flight.title()),
                    lead: vec![
                        format!("{} has moved this launch to a later moment: {reason}", flight.supplier),
                        "Your booking stays as it is. You need to do nothing if the new date suits you.".to_owned(),
                    ],
                    facts: facts(flight, &[("Was", moment(*was, &flight.zone)), ("Booking", ids.join(", "))]),
                    rest: vec![format!("If it does not, you may cancel with a full refund until {}.", moment(*free_until, &flight.zone))],
                    link: match bookings.as_slice() {
                        [booking] => trip(booking),
                        _ => ("See your trips", format!("{site}/trips")),
                    },
                }
            }
            Self::SupplierBooked { flight, seats, total, sold, capacity } => Draft {
                subject: format!("{seats} {} sold on {}", if *seats == 1 { "seat" } else { "seats" }, flight.title()),
                lead: vec!["A booking on your launch is paid.".to_owned()],
                facts: facts(
                    flight,
                    &[("Seats", seats.to_string()), ("Amount", total.to_string()), ("Sold so far", format!("{sold} of {capacity} seats"))],
                ),
                rest: vec![],
                link: ("See the launch", format!("{site}/supplier/launches/{}", flight.slug)),
            },
            Self::ViabilityWarned { flight, sold, needed, aborts_at } => Draft {
                subject: format!("Too few seats sold on {}", flight.title()),
                lead: vec![format!(
                    "{sold} of the {needed} seats this launch needs are sold. If that does not change, it is given up on {} and every \
                     booking is refunded.",
                    moment(*aborts_at, &flight.zone)
                )],
                facts: facts(flight, &[("Sold", sold.to_string()), ("Needed", needed.to_string())]),
                rest: vec!["You can lower the price or move the launch to a later date.".to_owned()],
                link: ("See the launch", format!("{site}/supplier/launches/{}", flight.slug)),
            },
            Self::ConfirmAccount { token, until } => Draft {
                subject: "Confirm your e-mail address".to_owned(),
                lead: vec!["Somebody, we hope you, asked for an account with this address. Open the link to confirm it.".to_owned()],
                facts: vec![("Until", moment(*until, "UTC"))],
                rest: vec![NOT_YOU.to_owned()],
                link: ("Confirm the address", format!("{site}/confirm#{}", token.0)),
            },
            Self::AlreadyRegistered {} => Draft {
                subject: "You have an account already".to_owned(),
                lead: vec![
                    "Somebody, perhaps you, asked for an account with this address. It has one already, and that has not changed."
                        .to_owned(),
                ],
                facts: vec![],
                rest: vec!["If you forgot the password, you can set another on the page for signing in.".to_owned(), NOT_YOU.to_owned()],
                link: ("Sign in", format!("{site}/sign-in")),
            },
            Self::ResetPassword { token, until } => Draft {
                subject: "Set another password".to_owned(),
                lead: vec!["Somebody, we hope you, asked to set another password. The link works once.".to_owned()],
                facts: vec![("Until", moment(*until, "UTC"))],
                rest: vec![NOT_YOU.to_owned()],
                link: ("Set another password", format!("{site}/reset#{}", token.0)),
            },
            Self::PasswordChanged { at } => Draft {
                subject: "Your password was changed".to_owned(),
                lead: vec!["The password of your account was changed. Everyone else who was signed in to it is signed out.".to_owned()],
                facts: vec![("When", moment(*at, "UTC"))],
                rest: vec!["If that was not you, set another password at once.".to_owned()],
                link: ("Set another password", format!("{site}/forgotten")),
            },
            Self::StaffInvitation { token, role, until } => Draft {
                subject: "Your account at Astro Bookings".to_owned(),
                lead: vec![
                    "An account was made for you. Open the link to choose a password; after that you set up a second factor.".to_owned(),
                ],
                facts: vec![("Role", role.clone()), ("Until", moment(*until, "UTC"))],
                rest: vec![NOT_YOU.to_owned()],
                link: ("Choose a password", format!("{site}/reset#{}", token.0)),
            },
        }
    }
}

fn money_back(refund: Money, percent: u8, basis: &Basis) -> String {
    let why = match basis {
        Basis::Unpaid => return "You had not paid, so nothing was charged.".to_owned(),
        Basis::TimeLeft { days } => format!("with {days} days left before launch"),
        Basis::Delayed { .. } => "because the launch was delayed after you booked".to_owned(),
        Basis::Aborted => "because the launch was aborted".to_owned(),
    };
    if refund.is_positive() {
        format!("You get back {percent} % of what you paid, {refund}, {why}.")
    } else {
        format!("Nothing is given back {why}.")
    }
}

fn facts(flight: &Flight, more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    [
        ("Launch", format!("{}, {}", flight.title(), flight.supplier)),
        ("From", flight.spaceport.clone()),
        ("Departs", moment(flight.departs_at, &flight.zone)),
    ]
    .into_iter()
    .chain(more.iter().cloned())
    .collect()
}

fn list(seats: &[Seat]) -> String {
    seats.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `at` where it happens and in UTC; UTC only where the zone is not known here.
fn moment(at: Timestamp, zone: &str) -> String {
    let utc = at.to_zoned(TimeZone::UTC);
    match tz::db().get(zone) {
        Ok(zone) if zone != TimeZone::UTC => {
            format!("{} ({} UTC)", at.to_zoned(zone).strftime("%A, %-d %B %Y, %H:%M %Z"), utc.strftime("%-d %b %H:%M"))
        }
        _ => utc.strftime("%A, %-d %B %Y, %H:%M UTC").to_string(),
    }
}

/// The text on one line: nothing in it can start a header or a line of its own.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// The text as it stands in HTML, in attributes too.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

const CLOSING: &str = "Astro Bookings";
/// Under mails that strangers can cause.
const NOT_YOU: &str = "If this was not you, there is nothing you need to do.";

impl Draft {
    fn render(self, person: &Person) -> Rendered {
        let Self { subject, lead, facts, rest, link: (label, url) } = self;
        let name = one_line(&person.name);
        let greeting = if name.is_empty() { "Hello,".to_owned() } else { format!("Hello {name},") };

        let mut text = format!("{greeting}\n\n");
        for paragraph in &lead {
            let _ = writeln!(text, "{}\n", one_line(paragraph));
        }
        let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
        for (label, value) in &facts {
            let _ = writeln!(text, "  {label:width$}  {}", one_line(value));
        }
        text.push('\n');
        for paragraph in &rest {
            let _ = writeln!(text, "{}\n", one_line(paragraph));
        }
        let _ = write!(text, "{label}: {url}\n\n{CLOSING}\n");

        let mut html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title></head>\
             <body style=\"margin:0;padding:24px;background:#f4f5f7;color:#14181f;font:16px/1.5 system-ui,sans-serif\">\
             <div style=\"max-width:560px;margin:0 auto;padding:24px 28px;background:#fff;border:1px solid #dfe3e8;border-radius:8px\">\
             <h1 style=\"margin:0 0 16px;font-size:20px\">{0}</h1><p>{1}</p>",
            escape(&one_line(&subject)),
            escape(&greeting)
        );
        let paragraphs = |html: &mut String, paragraphs: &[String]| {
            for paragraph in paragraphs {
                let _ = write!(html, "<p>{}</p>", escape(&one_line(paragraph)));
            }
        };
        paragraphs(&mut html, &lead);
        html.push_str("<table style=\"width:100%;border-collapse:collapse;margin:16px 0\">");
        for (label, value) in &facts {
            let _ = write!(
                html,
                "<tr><th style=\"text-align:left;vertical-align:top;padding:6px 16px 6px 0;font-weight:500;color:#5b6472\">{}</th>\
                 <td style=\"padding:6px 0\">{}</td></tr>",
                escape(label),
                escape(&one_line(value))
            );
        }
        html.push_str("</table>");
        paragraphs(&mut html, &rest);
        let _ = write!(
            html,
            "<p><a href=\"{}\" style=\"color:#1d4ed8\">{}</a></p><p style=\"color:#5b6472\">{CLOSING}</p></div></body></html>",
            escape(&url),
            escape(label)
        );
        Rendered { subject: one_line(&subject), text, html }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use uuid::Uuid;

    fn flight() -> Flight {
        Flight {
            launch: LaunchId(Uuid::from_u128(1)),
            slug: "falcon-9".into(),
            supplier: "Space <X>".into(),
            rocket: "Falcon 9".into(),
            spaceport: "Cape Canaveral".into(),
            destination: "Low Earth Orbit".into(),
            zone: "America/New_York".into(),
            departs_at: "2028-01-02T17:30:00Z".parse().unwrap(),
        }
    }
    fn person(name: &str) -> Person {
        Person { name: name.into(), email: "ada@example.org".into() }
    }

    #[test]
    fn says_amounts_seats_and_both_time_zones() {
        let seats = vec!["3A".parse().unwrap(), "3B".parse().unwrap()];
        let booking = BookingId(Uuid::from_u128(0x0190_b0de_7b6e_7c4e_8d3f_3c4b_5a69_7887));
        let letter = Letter::BookingConfirmed { flight: flight(), booking, seats, total: Money::dollars(1_250_000) };
        let Rendered { subject, text, html } = letter.render(&person("Ada"), "http://localhost:8080");
        assert_eq!(subject, "Your seats on Falcon 9 to Low Earth Orbit are booked");
        for part in ["Hello Ada,", "3A, 3B", "$1,250,000", "Sunday, 2 January 2028, 12:30 EST (2 Jan 17:30 UTC)", "/trips/0190b0de"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(html.contains("Space &lt;X&gt;") && !html.contains("<X>"));
    }

    #[test]
    fn a_name_cannot_add_lines() {
        let letter = Letter::RefundPaid { flight: flight(), booking: BookingId(Uuid::nil()), amount: Money::dollars(1) };
        let Rendered { text, .. } = letter.render(&person("Ada\r\nBcc: all@example.org"), "");
        assert!(text.starts_with("Hello Ada  Bcc: all@example.org,\n\n"));
    }

    #[test]
    fn a_stored_template_is_named_as_its_id_says() {
        let until = Timestamp::UNIX_EPOCH;
        let token = Token::new("5ec2e7".to_owned());
        for letter in [
            Letter::RefundPaid { flight: flight(), booking: BookingId(Uuid::nil()), amount: Money::dollars(1) },
            Letter::ConfirmAccount { token: token.clone(), until },
            Letter::AlreadyRegistered {},
            Letter::ResetPassword { token: token.clone(), until },
            Letter::PasswordChanged { at: until },
            Letter::StaffInvitation { token, role: "operator".into(), until },
        ] {
            let stored = serde_json::to_value(&letter).unwrap();
            assert_eq!(stored["template"], letter.template());
            assert_eq!(serde_json::from_value::<Letter>(stored).unwrap(), letter);
        }
    }

    #[test]
    fn the_secret_of_a_link_is_in_its_fragment_and_in_no_log() {
        let letter = Letter::ResetPassword { token: Token::new("5ec2e7".to_owned()), until: Timestamp::UNIX_EPOCH };
        assert!(letter.render(&person("Ada"), "https://astro.example").text.contains("https://astro.example/reset#5ec2e7\n"));
        assert!(!format!("{letter:?}").contains("5ec2e7"));
    }
}
