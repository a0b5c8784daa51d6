//! What a booking comes to, and until when the seats are kept.

use crate::{browser, format};
use contract::{Money, Seat, booking::Term, launch::Departure};
use dioxus::prelude::*;
use jiff::{SignedDuration, Timestamp};

/// How often a countdown moves, in milliseconds.
const TICK_MS: u32 = 1_000;
/// When the time left is spoken, in seconds before the end.
const SPOKEN_AT_SECONDS: [i64; 3] = [300, 60, 20];

/// Once it is over, how often that is told: the service ends holds a moment after their time.
const TOLD_TIMES_MAX: u32 = 20;
/// Between those, in ticks.
const TOLD_EVERY_TICKS: u32 = 3;

/// Minutes and seconds left, and the clock time it ends. Tells when it is over, until it goes away.
#[component]
pub(super) fn HoldClock(seats: Vec<Seat>, expires_at: Timestamp, onover: Callback<()>) -> Element {
    let mut now = use_signal(browser::now);
    use_future(move || async move {
        let mut ticks_over = 0;
        while ticks_over < TOLD_TIMES_MAX * TOLD_EVERY_TICKS {
            browser::sleep(TICK_MS).await;
            now.set(browser::now());
            if *now.peek() >= expires_at {
                if ticks_over % TOLD_EVERY_TICKS == 0 {
                    onover.call(());
                }
                ticks_over += 1;
            }
        }
    });
    let left = (expires_at.as_second() - now().as_second()).max(0);
    let clock = format!("{:02}:{:02}", left / 60, left % 60);
    let until = format::clock(format::civil(expires_at, browser::viewer_offset_minutes(expires_at).unwrap_or(0)));
    let spoken = SPOKEN_AT_SECONDS.iter().any(|at| (at - 3..=*at).contains(&left));
    rsx! {
        div { class: "hold", "data-state": if left < 120 { "soon" } else { "calm" },
            b { role: "timer", "aria-label": "{left / 60} minutes left", {clock} }
            span {
                if left > 0 {
                    {format::and(&seats)}
                    if seats.len() == 1 { " is" } else { " are" }
                    " kept for you until {until}. Pay before then and "
                    if seats.len() == 1 { "it stays yours." } else { "they stay yours." }
                } else {
                    "The hold ended at {until}."
                }
            }
        }
        p { class: "visually-hidden", role: "status",
            if spoken {
                "{format::duration(left)} left to pay."
            }
        }
    }
}

/// The sum: seats, taxes, total.
#[component]
pub(super) fn Sum(seats: String, number: u64, price_each: Money, total: Money, words: String) -> Element {
    rsx! {
        dl { class: "sum",
            dt { "{format::plural(number, \"seat\", \"seats\")}, {seats}" }
            dd { class: "num", {total.to_string()} }
            dd { class: "note muted small", "{price_each} each, taxes included" }
            dt { class: "total", {words} }
            dd { class: "num total", {total.to_string()} }
        }
    }
}

/// What cancelling gives back, as dates by the spaceport's clock.
#[component]
pub(super) fn Terms(terms: Vec<Term>, departure: Departure) -> Element {
    let dated: Vec<(u8, String)> = terms
        .iter()
        .filter_map(|term| {
            let until = departure.at.checked_sub(SignedDuration::from_hours(i64::from(term.days_before) * 24)).ok()?;
            (until > browser::now()).then(|| (term.percent, format::day(format::civil(until, departure.offset_minutes))))
        })
        .collect();
    rsx! {
        ul { class: "terms",
            for (percent , day) in dated {
                li { key: "{percent}",
                    b { class: "num", "{percent} %" }
                    span { "back if you cancel by {day}" }
                }
            }
            li {
                b { class: "num", "100 %" }
                span { "back if the launch is aborted" }
            }
        }
    }
}
