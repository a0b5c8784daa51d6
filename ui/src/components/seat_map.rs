//! The cabin, seat by seat. Which seats are chosen and what that costs is left to the page.

use crate::browser;
use contract::{Cabin, Money, Seat, launch::TakenSeat};
use dioxus::prelude::*;

/// How a seat stands, for the one who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatState {
    /// Nobody has it.
    Free,
    /// Chosen or kept by the one who looks.
    Mine,
    /// Kept for someone who is paying.
    Held,
    /// Somebody's.
    Sold,
    /// Nobody may have it.
    Blocked,
}

impl SeatState {
    /// The word of `data-state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Mine => "mine",
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Blocked => "blocked",
        }
    }
    const fn spoken(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Mine => "yours",
            Self::Held => "held by someone",
            Self::Sold => "sold",
            Self::Blocked => "not for sale",
        }
    }
}

/// Before which columns an aisle runs.
#[must_use]
pub fn aisles(seats_per_row: u8) -> Vec<u8> {
    match seats_per_row {
        0 | 1 => vec![],
        2..=6 => vec![seats_per_row.div_ceil(2)],
        more => vec![more / 3, more - more / 3],
    }
}

/// `window`, `aisle`, `window and aisle` or `middle`.
#[must_use]
pub fn place(column: u8, seats_per_row: u8) -> &'static str {
    let window = column == 0 || column + 1 == seats_per_row;
    let aisle = aisles(seats_per_row).iter().any(|at| column == *at || column + 1 == *at);
    match (window, aisle) {
        (true, true) => "window and aisle",
        (true, false) => "window",
        (false, true) => "aisle",
        (false, false) => "middle",
    }
}

/// `1 250 000 dollars`: without the signs that a voice stumbles over.
#[must_use]
pub fn spoken(price: Money) -> String {
    let dollars = price.to_string().trim_start_matches('$').replace(',', " ");
    format!("{dollars} dollars")
}

/// The cabin. Arrow keys move, Home and End go to the ends of a row, space or a click picks. Without `onpick` it is only looked at.
#[component]
pub fn SeatMap(
    cabin: Cabin,
    taken: Vec<TakenSeat>,
    #[props(default)] mine: Vec<Seat>,
    price: Money,
    #[props(default)] onpick: Option<Callback<Seat>>,
    #[props(default = "seat".to_owned())] prefix: String,
) -> Element {
    let columns = cabin.seats_per_row();
    let rows = cabin.rows();
    let state_of = |seat: Seat| {
        if mine.contains(&seat) {
            return SeatState::Mine;
        }
        if !cabin.sells(seat) {
            return SeatState::Blocked;
        }
        match taken.iter().find(|taken| taken.seat == seat) {
            Some(taken) if taken.held => SeatState::Held,
            Some(_) => SeatState::Sold,
            None => SeatState::Free,
        }
    };
    let first = cabin.places().find(|seat| state_of(*seat) == SeatState::Free).or_else(|| Seat::new(1, 0));
    let mut at = use_signal(|| None::<Seat>);
    let current = at().or(first);
    let aisles = aisles(columns);
    let wide = columns > 6;
    let onkeydown = {
        let prefix = prefix.clone();
        move |event: KeyboardEvent| {
            let Some(seat) = current else { return };
            let (row, column) = (seat.row(), seat.column());
            let to = match event.key() {
                Key::ArrowLeft => (row, column.saturating_sub(1)),
                Key::ArrowRight => (row, (column + 1).min(columns - 1)),
                Key::ArrowUp => (row.saturating_sub(1).max(1), column),
                Key::ArrowDown => ((row + 1).min(rows), column),
                Key::Home => (row, 0),
                Key::End => (row, columns - 1),
                _ => return,
            };
            event.prevent_default();
            if let Some(seat) = Seat::new(to.0, to.1) {
                at.set(Some(seat));
                browser::focus(&format!("{prefix}-{seat}"));
            }
        }
    };
    rsx! {
        div { class: "cabin",
            div { class: "hull-scroll",
                div {
                    class: "hull",
                    role: "grid",
                    "aria-label": "Cabin, {rows} rows of {columns} seats",
                    "aria-readonly": if onpick.is_none() { "true" } else { "false" },
                    "data-wide": if wide { "true" } else { "false" },
                    onkeydown,
                    for row in 1..=rows {
                        div { key: "{row}", class: "seatrow", role: "row",
                            span { class: "seat-number", role: "rowheader", {row.to_string()} }
                            for seat in (0..columns).filter_map(|column| Seat::new(row, column)) {
                                SeatButton {
                                    key: "{seat}",
                                    seat,
                                    state: state_of(seat),
                                    aisle: aisles.contains(&seat.column()),
                                    label: match state_of(seat) {
                                        SeatState::Free => format!("{seat}, {}, free, {}", place(seat.column(), columns), spoken(price)),
                                        other => format!("{seat}, {}, {}", place(seat.column(), columns), other.spoken()),
                                    },
                                    here: current == Some(seat),
                                    id: format!("{prefix}-{seat}"),
                                    onpick: onpick.map(|onpick| Callback::new(move |()| {
                                        at.set(Some(seat));
                                        onpick.call(seat);
                                    })),
                                }
                            }
                        }
                    }
                }
            }
            Legend { choosing: onpick.is_some() || !mine.is_empty() }
        }
    }
}

#[component]
fn SeatButton(seat: Seat, state: SeatState, aisle: bool, label: String, here: bool, id: String, onpick: Option<Callback<()>>) -> Element {
    let choosable = onpick.is_some() && matches!(state, SeatState::Free | SeatState::Mine);
    rsx! {
        span { role: "gridcell", class: "seat-cell", "data-aisle": if aisle { "true" } else { "false" },
            button {
                class: "seat",
                id,
                r#type: "button",
                tabindex: if here { "0" } else { "-1" },
                "data-state": state.as_str(),
                "aria-label": label,
                "aria-pressed": if state == SeatState::Mine { "true" } else { "false" },
                "aria-disabled": if choosable { "false" } else { "true" },
                onclick: move |_| {
                    if let Some(onpick) = onpick.filter(|_| choosable) {
                        onpick.call(());
                    }
                },
                {char::from(b'A' + seat.column()).to_string()}
            }
        }
    }
}

#[component]
fn Legend(choosing: bool) -> Element {
    rsx! {
        ul { class: "legend", "aria-label": "What the seats mean",
            li {
                i { "data-state": "free" }
                "Free"
            }
            if choosing {
                li {
                    i { "data-state": "mine" }
                    "Yours"
                }
            }
            li {
                i { "data-state": "held" }
                if choosing {
                    "Held by someone"
                } else {
                    "Held"
                }
            }
            li {
                i { "data-state": "sold" }
                "Sold"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aisles_run_where_cabins_have_them() {
        assert_eq!(aisles(1), Vec::<u8>::new());
        assert_eq!(aisles(4), [2]);
        assert_eq!(aisles(10), [3, 7]);
    }

    #[test]
    fn a_seat_says_where_it_is_and_what_it_costs() {
        assert_eq!(place(0, 4), "window");
        assert_eq!(place(2, 4), "aisle");
        assert_eq!(place(1, 6), "middle");
        assert_eq!(place(1, 2), "window and aisle");
        assert_eq!(spoken(Money::dollars(1_250_000)), "1 250 000 dollars");
    }
}
