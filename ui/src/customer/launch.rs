//! One launch: what it is, its cabin to choose seats in, its story; changes by others show as they happen.

use super::{
    BoardAddress, HOME, Route,
    board::{nearly_full, status_detail},
    frame::Night,
    launch_address,
    live::{Line, use_live},
    loaded::use_loaded,
    summary::Terms,
};
use crate::{
    browser,
    client::{self, use_intent},
    components::{
        Button, ButtonKind, Empty, Failed, LaunchPill, Loading, Moment, Notice, NoticeKind, SeatMap, Stale, Timeline, Title, Trajectory,
    },
    format,
    session::{Session, use_session},
};
use contract::{
    Code, Problem, Seat, Status,
    booking::HoldSeats,
    launch::{LaunchPage, Offer},
};
use dioxus::prelude::*;

/// The page.
#[component]
pub(super) fn Launch(slug: ReadSignal<String>, seats: ReadSignal<String>) -> Element {
    let loaded = use_loaded(move || {
        let slug = slug.read().clone();
        async move { client::fresh(|| client::launch(&slug), |_| false).await }
    })?;
    match loaded.answer.as_deref() {
        None => rsx! {
            Night {}
            main { class: "page after-night", id: "content", Loading { lines: 9 } }
        },
        Some(Err(problem)) if problem.code == Code::NotFound => rsx! {
            Title { text: "No such launch" }
            Night {}
            main { class: "page after-night text", id: "content",
                Empty { title: "There is no such launch",
                    p { "It may have been renamed, or the address is incomplete." }
                    p { Link { to: HOME, "See launches with seats" } }
                }
            }
        },
        Some(Err(problem)) => rsx! {
            Title { text: "Launch" }
            Night {}
            main { class: "page after-night", id: "content",
                Failed { what: "The launch", problem: problem.clone(), onretry: loaded.reload }
            }
        },
        Some(Ok(page)) => rsx! {
            Shown { key: "{page.card.id}", first: page.clone(), seats: seats() }
        },
    }
}

#[component]
fn Shown(first: LaunchPage, seats: String) -> Element {
    let slug = first.card.slug.to_string();
    let mut newest = use_signal(|| None::<LaunchPage>);
    let mut chosen = use_signal(|| seats.split(',').filter_map(|seat| seat.parse().ok()).collect::<Vec<Seat>>());
    let mut news = use_signal(String::new);
    let mut lost = use_signal(Vec::<Seat>::new);
    let current = {
        let first = first.clone();
        move || newest.read().clone().filter(|page| page.position >= first.position).unwrap_or_else(|| first.clone())
    };
    let before = use_hook(|| std::rc::Rc::new(std::cell::RefCell::new(first.clone())));
    let onchange = use_callback(move |page: LaunchPage| {
        let mut before = before.borrow_mut();
        if page.position < before.position {
            return; // the stream may repeat what is known
        }
        news.set(what_changed(&before, &page));
        let gone: Vec<Seat> = chosen.peek().iter().copied().filter(|seat| page.taken.iter().any(|taken| taken.seat == *seat)).collect();
        if !gone.is_empty() {
            chosen.write().retain(|seat| !gone.contains(seat));
            lost.set(gone);
        }
        *before = page.clone();
        newest.set(Some(page));
    });
    let live_slug = use_signal(|| slug.clone());
    let line = use_live(live_slug.into(), onchange);
    let page = current();
    let card = page.card.clone();
    let session = use_session();
    let vip = session.read().me().is_some_and(|me| me.vip);
    let offer = first.offer.clone();
    let most = offer.as_ref().map_or(usize::MAX, |offer| usize::from(if vip { offer.seats_max_vip } else { offer.seats_max }));
    let open = matches!(card.status, Status::Scheduled | Status::Confirmed | Status::Delayed);
    let sold_out = open && card.left() == 0;
    let onpick = use_callback(move |seat: Seat| {
        lost.set(vec![]);
        let mut seats = chosen.write();
        if let Some(at) = seats.iter().position(|chosen| *chosen == seat) {
            seats.remove(at);
        } else if seats.len() >= most {
            news.set(format!("{most} seats are the most one customer may have on a launch."));
        } else {
            seats.push(seat);
            seats.sort_unstable();
        }
    });
    // Seats from the address may be gone by now.
    let mine: Vec<Seat> = chosen
        .read()
        .iter()
        .copied()
        .filter(|seat| page.cabin.sells(*seat) && !page.taken.iter().any(|taken| taken.seat == *seat))
        .take(most)
        .collect();
    let local = format::local(&card.departure);
    let title = format!("{} to {}, {}", card.rocket_name, card.destination.title(), format::day(local));
    rsx! {
        Title { text: title }
        Night {
            div { class: "launch-lead",
                div {
                    p { class: "eyebrow",
                        "{format::long_day(local)}, {format::local_clock(&card.departure)}"
                        ViewerTime { at: card.departure.at, spaceport_offset: card.departure.offset_minutes }
                    }
                    h1 {
                        {card.spaceport_name.clone()}
                        span { class: "arrow", role: "img", "aria-label": "to", "\u{2192}" }
                        span { class: "nowrap", {card.destination.title()} }
                    }
                    div { class: "launch-by",
                        span {
                            if let Some(mission) = &card.mission {
                                b { {mission.clone()} }
                                ", "
                            }
                            "{card.rocket_name} by "
                            Link { to: Route::Board { address: BoardAddress::default().with(|query| query.supplier = Some(card.supplier)) },
                                {card.supplier_name.clone()}
                            }
                        }
                        LaunchPill { status: card.status, detail: status_detail(&card) }
                    }
                }
                Trajectory {
                    spaceport: card.spaceport_name.clone(),
                    latitude: card.latitude,
                    longitude: card.longitude,
                    destination: card.destination,
                }
            }
        }
        main { class: "page split", id: "content",
            div { class: "stack",
                if page.stale {
                    Stale {}
                }
                dl { class: "facts",
                    Fact { name: "Price per seat", value: card.price.to_string(), data: true }
                    Fact { name: "Seats left", value: format!("{} of {}", card.left(), card.capacity), data: true }
                    Fact { name: "Rocket", value: card.rocket_name.clone() }
                    if offer.is_some() {
                        Fact { name: "You may book", value: format::plural(most as u64, "seat", "seats") }
                    }
                }
                OverNotice { page: page.clone() }
                section { class: "card", "aria-labelledby": "seats-title",
                    div { class: "head",
                        h2 { id: "seats-title", if open { "Choose your seats" } else { "The cabin" } }
                        span { class: "muted small head-news", role: "status", {news()} }
                        LivePill { line: line() }
                    }
                    SeatMap {
                        cabin: page.cabin.clone(),
                        taken: page.taken.clone(),
                        mine: mine.clone(),
                        price: card.price,
                        onpick: (open && !sold_out).then_some(onpick),
                    }
                    noscript {
                        p { class: "noscript", "Choosing seats and booking need JavaScript. Everything about the launch is on this page without it." }
                    }
                }
                section { class: "card padded",
                    h2 { class: "section-title", "What has happened" }
                    Timeline { steps: story(&page) }
                }
            }
            Choice { page: page.clone(), offer, mine, lost: lost(), open, onlost: Callback::new(move |seats: Vec<Seat>| {
                chosen.write().retain(|seat| !seats.contains(seat));
                lost.set(seats);
            }) }
        }
    }
}

#[component]
fn Fact(name: String, value: String, #[props(default)] data: bool) -> Element {
    rsx! {
        div {
            dt { {name} }
            dd { class: if data { "num" } else { "" }, {value} }
        }
    }
}

#[component]
fn LivePill(line: Line) -> Element {
    match line {
        Line::Live => rsx! {
            span { class: "live", "data-state": "live", title: "Changes by others show at once", "Live" }
        },
        Line::Connecting => rsx! {},
    }
}

/// The viewer's own time, known in the browser only and shown where it differs.
#[component]
pub(super) fn ViewerTime(at: jiff::Timestamp, spaceport_offset: i32) -> Element {
    let mut offset = use_signal(|| None::<i32>);
    use_effect(move || offset.set(browser::viewer_offset_minutes(at)));
    let words = offset().filter(|offset| *offset != spaceport_offset).map(|offset| {
        let (there, here) = (format::civil(at, spaceport_offset), format::civil(at, offset));
        let day = if there.date() == here.date() { String::new() } else { format!("{} {}, ", here.day(), format::month(here.month())) };
        format!(" ({day}{} your time)", format::clock(here))
    });
    rsx! {
        span { {words.unwrap_or_default()} }
    }
}

/// Why nothing can be booked, where that is so; when cancelling is free after a delay.
#[component]
fn OverNotice(page: LaunchPage) -> Element {
    let last = page.history.last().map(|last| last.text.clone()).unwrap_or_default();
    match page.card.status {
        Status::Aborted => rsx! {
            Notice { kind: NoticeKind::Bad,
                "This launch was aborted. {last} Everyone who had booked gets all their money back."
            }
        },
        Status::Launched => rsx! {
            Notice { kind: NoticeKind::Good, "This launch has flown. Its page stays as a record." }
        },
        Status::Failed => rsx! {
            Notice { kind: NoticeKind::Bad, "This launch was lost. {last}" }
        },
        Status::Delayed => rsx! {
            if let Some(until) = page.free_cancellation_until {
                Notice { kind: NoticeKind::Warn,
                    "The date moved. Bookings made before that may be cancelled for a full refund until {format::day(format::civil(until, page.card.departure.offset_minutes))}."
                }
            }
        },
        Status::Scheduled | Status::Confirmed => rsx! {},
    }
}

fn story(page: &LaunchPage) -> Vec<Moment> {
    let offset = page.card.departure.offset_minutes;
    let tone = |event: &str| match event {
        "confirmed" | "launched" => "good",
        "delayed" | "repriced" | "viability_warned" => "warn",
        "aborted" | "failed" => "bad",
        _ => "",
    };
    let step = |happening: &contract::launch::Happening| Moment {
        title: happening.title.clone(),
        when: format::day(format::civil(happening.at, offset)),
        text: happening.text.clone(),
        tone: tone(&happening.event),
    };
    page.history.iter().rev().map(step).collect()
}

/// What another did to the seats, in one sentence.
fn what_changed(before: &LaunchPage, after: &LaunchPage) -> String {
    let of = |page: &LaunchPage| page.taken.iter().map(|taken| taken.seat).collect::<Vec<_>>();
    let (had, has) = (of(before), of(after));
    let taken: Vec<Seat> = has.iter().copied().filter(|seat| !had.contains(seat)).collect();
    let freed: Vec<Seat> = had.iter().copied().filter(|seat| !has.contains(seat)).collect();
    let sentence = |seats: &[Seat], words: &str| match seats {
        [] => None,
        [_] => Some(format!("{} was just {words}.", format::seats(seats))),
        more if more.len() <= 6 => Some(format!("{} were just {words}.", format::seats(more))),
        more => Some(format!("{} seats were just {words}.", more.len())),
    };
    if before.card.price != after.card.price {
        return format!("The price is now {}.", after.card.price);
    }
    if before.card.status != after.card.status {
        return format!("The launch is now {}.", format::status(after.card.status).to_lowercase());
    }
    [sentence(&taken, "taken"), sentence(&freed, "freed")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What was chosen, what it comes to, and the way on.
#[component]
fn Choice(page: LaunchPage, offer: Option<Offer>, mine: Vec<Seat>, lost: Vec<Seat>, open: bool, onlost: Callback<Vec<Seat>>) -> Element {
    let mut session = use_session();
    let intent = use_intent();
    let mut busy = use_signal(|| false);
    let mut problem = use_signal(|| None::<Problem>);
    let slug = page.card.slug.to_string();
    let label = mine.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let total = page.card.price.times(mine.len());
    let visitor = *session.read() == Session::Visitor;
    let back = launch_address(&slug, &label);
    let chosen = !mine.is_empty();
    let hold = {
        let mine = mine.clone();
        move |_| {
            let (slug, seats) = (slug.clone(), mine.clone());
            async move {
                busy.set(true);
                problem.set(None);
                match client::hold(intent, &slug, &HoldSeats { seats }).await {
                    Ok(held) => {
                        navigator().push(Route::Book { launch: slug, booking: held.booking.to_string() });
                    }
                    Err(why) => {
                        if why.code == Code::SeatsTaken {
                            let seats = why.details.get("seats").and_then(|seats| serde_json::from_value(seats.clone()).ok());
                            onlost.call(seats.unwrap_or_default());
                        }
                        if why.code == Code::SignInRequired {
                            session.set(Session::Visitor); // it has ended since; the way on is then to sign in
                        }
                        problem.set(Some(why));
                    }
                }
                busy.set(false);
            }
        }
    };
    rsx! {
        aside { class: "card panel", "aria-label": "Your booking", "data-state": if chosen { "chosen" } else { "empty" },
            h2 { class: "panel-title", "Your seats" }
            if !lost.is_empty() {
                Notice { kind: NoticeKind::Warn,
                    {format::and(&lost)}
                    if lost.len() == 1 { " was" } else { " were" }
                    " just taken by someone else. Choose again: the rest of your choice is kept."
                }
            }
            if let Some(why) = problem() {
                if why.code != Code::SeatsTaken || lost.is_empty() {
                    Notice { kind: NoticeKind::Bad, {why.message} }
                }
            }
            if !open {
                p { class: "muted", "This launch takes no bookings." }
            } else if page.card.left() == 0 && !chosen {
                p { class: "muted", "Sold out. Seats come back when a hold ends or someone cancels; this page shows it at once." }
            } else if chosen {
                dl { class: "sum",
                    dt { "{format::plural(mine.len() as u64, \"seat\", \"seats\")}, {format::and(&mine)}" }
                    dd { class: "num", {total.to_string()} }
                    dt { class: "muted", "Taxes" }
                    dd { class: "num muted", "included" }
                    dt { class: "total", "To pay" }
                    dd { class: "num total", {total.to_string()} }
                }
            } else {
                p { class: "muted",
                    if nearly_full(&page.card) {
                        "Only {format::plural(u64::from(page.card.left()), \"seat\", \"seats\")} left. "
                    }
                    "Choose up to your limit in the cabin. Nothing is charged yet: your seats are kept "
                    if let Some(offer) = &offer {
                        "for {offer.hold_minutes} minutes "
                    }
                    "while you pay."
                }
            }
            if open && chosen {
                if visitor {
                    Link { class: "btn", "data-kind": "primary", "data-wide": "true", to: Route::SignIn { next: back.clone() }, "Sign in to book" }
                    p { class: "small muted panel-aside",
                        "New here? "
                        Link { class: "text", to: Route::SignUp { next: back }, "Open an account" }
                        ". Your choice is kept."
                    }
                } else {
                    Button { kind: ButtonKind::Primary, busy: busy(), onclick: hold, "Keep these seats" }
                }
            }
            ul { class: "terms",
                li {
                    b { class: "num", "$0" }
                    span { "to keep seats while you fill in the details" }
                }
                li {
                    b { class: "num", {format!("{}", page.card.minimum_seats)} }
                    span {
                        "seats confirm the launch, "
                        {format::count(u64::from(page.card.sold))}
                        " sold so far"
                    }
                }
            }
            Terms { terms: offer.map(|offer| offer.terms).unwrap_or_default(), departure: page.card.departure.clone() }
        }
    }
}
