//! Components by themselves.

use contract::{Cabin, Code, Money, Problem, Seat, launch::TakenSeat};
use dioxus::prelude::*;
use std::collections::BTreeSet;
use ui::components::{Failed, Meter, SeatMap};

fn html(element: Element) -> String {
    dioxus_ssr::render_element(element)
}

#[test]
fn a_cabin_says_of_each_seat_where_it_is_how_it_stands_and_what_it_costs() {
    let seat = |text: &str| text.parse::<Seat>().unwrap();
    let mut dom = VirtualDom::new(|| {
        let seat = |text: &str| text.parse::<Seat>().unwrap();
        rsx! {
            SeatMap {
                cabin: Cabin::new(2, 4, BTreeSet::from([seat("2D")])).unwrap(),
                taken: vec![TakenSeat { seat: seat("1A"), held: false }, TakenSeat { seat: seat("1B"), held: true }],
                mine: vec![seat("2C")],
                price: Money::dollars(1_250_000),
                onpick: Callback::new(|_| {}),
            }
        }
    });
    dom.rebuild_in_place();
    let page = dioxus_ssr::render(&dom);
    for spoken in [
        "1A, window, sold",
        "1B, aisle, held by someone",
        "1D, window, free, 1 250 000 dollars",
        "2C, aisle, yours",
        "2D, window, not for sale",
    ] {
        assert!(page.contains(&format!("aria-label=\"{spoken}\"")), "{spoken} in {page}");
    }
    assert_eq!(page.matches("tabindex=\"0\"").count(), 1, "one seat is reached with Tab, the others with arrows");
    assert!(page.contains(&format!("id=\"seat-{}\"", seat("2A"))));
}

#[test]
fn what_failed_says_what_and_why() {
    let problem = Problem { code: Code::Unavailable, message: "Try again in a moment.".to_owned(), details: Default::default() };
    let page = html(rsx! {
        Failed { what: "The board", problem }
    });
    assert!(page.contains("The board could not be shown") && page.contains("Try again in a moment.") && page.contains("role=\"alert\""));
}

#[test]
fn a_meter_needs_no_style_attribute() {
    let page = html(rsx! {
        Meter { taken: 45, total: 48, label: "3 of 48 seats left", low: true }
    });
    assert!(page.contains("width=\"94\"") && page.contains("aria-label=\"3 of 48 seats left\"") && !page.contains("style="));
}
