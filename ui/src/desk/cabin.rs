//! A cabin to read, not to choose from.

use contract::{Cabin, Seat, launch::TakenSeat};
use dioxus::prelude::*;

/// The seats of a launch and what became of them.
#[component]
pub fn MiniCabin(cabin: Cabin, taken: Vec<TakenSeat>) -> Element {
    let state = |seat: Seat| match taken.iter().find(|taken| taken.seat == seat) {
        _ if cabin.blocked().contains(&seat) => ("blocked", "blocked"),
        Some(taken) if taken.held => ("held", "held"),
        Some(_) => ("sold", "sold"),
        None => ("free", "free"),
    };
    let columns = cabin.seats_per_row();
    let aisle = if columns > 2 { columns.div_ceil(2) } else { 0 };
    let sold = taken.iter().filter(|taken| !taken.held).count();
    let held = taken.len() - sold;
    rsx! {
        div { class: "mini-cabin",
            div { class: "hull-small", role: "img", tabindex: "0", "aria-label": "Cabin of {cabin.rows()} rows of {columns} seats: {sold} sold, {held} held, {cabin.capacity() - taken.len()} free",
                for row in 1..=cabin.rows() {
                    div { class: "line-of-seats", key: "{row}",
                        span { "{row}" }
                        for seat in (0..columns).filter_map(|column| Seat::new(row, column)) {
                            if aisle > 0 && seat.column() == aisle {
                                i { class: "aisle" }
                            }
                            i { class: "mini-seat", "data-state": state(seat).0, title: "{seat}, {state(seat).1}",
                                {char::from(b'A' + seat.column()).to_string()}
                            }
                        }
                    }
                }
            }
            div { class: "mini-legend",
                span { i { class: "mini-seat", "data-state": "sold" } "Sold" }
                span { i { class: "mini-seat", "data-state": "held" } "Held" }
                span { i { class: "mini-seat", "data-state": "free" } "Free" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cabin_says_what_became_of_its_seats() {
        let seat = |label: &str| label.parse::<Seat>().expect("a seat");
        let cabin = Cabin::new(2, 4, [seat("2D")].into()).expect("a cabin");
        let taken = vec![TakenSeat { seat: seat("1A"), held: false }, TakenSeat { seat: seat("1B"), held: true }];
        let html = dioxus_ssr::render_element(rsx! { MiniCabin { cabin, taken } });
        assert!(html.contains("1 sold, 1 held, 5 free"), "{html}");
        for said in ["1A, sold", "1B, held", "1C, free", "2D, blocked"] {
            assert!(html.contains(said), "{said}: {html}");
        }
    }
}
