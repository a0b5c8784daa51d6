//! The way from the spaceport to the destination, drawn from the launch's data. One family of strokes for all destinations.

use contract::Destination;
use dioxus::prelude::*;

/// Centre and radius of the Earth in the picture.
const EARTH: (f64, f64, f64) = (260.0, 470.0, 290.0);
const STARS: [(f64, f64, f64); 12] = [
    (60.0, 50.0, 1.2),
    (150.0, 90.0, 0.9),
    (420.0, 30.0, 1.3),
    (486.0, 150.0, 1.0),
    (330.0, 62.0, 0.8),
    (250.0, 24.0, 1.1),
    (500.0, 70.0, 0.8),
    (36.0, 180.0, 0.9),
    (204.0, 142.0, 0.7),
    (96.0, 128.0, 0.7),
    (376.0, 104.0, 0.9),
    (296.0, 120.0, 0.7),
];

/// Where on the picture the spaceport lies.
fn site(latitude: f64, longitude: f64) -> (f64, f64) {
    let (x, y, radius) = EARTH;
    let x_site = x + (longitude.clamp(-180.0, 180.0) / 180.0) * 175.0;
    let height = (radius * radius - (x_site - x).powi(2)).sqrt();
    (x_site, y - height * (0.86 + latitude.clamp(-90.0, 90.0) / 90.0 * 0.1))
}

/// `28.4 N 80.6 W`.
#[must_use]
pub fn coordinates(latitude: f64, longitude: f64) -> String {
    let (north, east) = (if latitude < 0.0 { 'S' } else { 'N' }, if longitude < 0.0 { 'W' } else { 'E' });
    format!("{:.1} {north} {:.1} {east}", latitude.abs(), longitude.abs())
}

/// How far it goes, as written beside the destination.
#[must_use]
pub const fn reach(destination: Destination) -> &'static str {
    match destination {
        Destination::Suborbital => "100 km and back",
        Destination::LowEarth => "408 km",
        Destination::Station => "418 km",
        Destination::Moon => "384,400 km",
        Destination::Mars => "225,000,000 km",
    }
}

/// The picture. It says the same in words.
#[component]
pub fn Trajectory(spaceport: String, latitude: f64, longitude: f64, destination: Destination) -> Element {
    let (x, y) = site(latitude, longitude);
    let east = x <= 300.0; // the flight goes to the side with more room
    let side = |right: f64| if east { right } else { 520.0 - right };
    let (path, end, turn) = match destination {
        Destination::Suborbital => {
            let (x2, y2) = site(latitude, longitude + if east { 70.0 } else { -70.0 });
            let mid = f64::midpoint(x, x2);
            (
                format!("M{x:.0} {y:.0} C{:.0} 60 {:.0} 60 {x2:.0} {y2:.0}", mid - 22.0, mid + 22.0),
                (mid, 96.0),
                if east { 90.0 } else { -90.0 },
            )
        }
        Destination::LowEarth => {
            let end = (side(470.0), 226.0);
            (
                format!("M{x:.0} {y:.0} C{:.0} 118 {:.0} 96 {:.0} 226", x + (end.0 - x) * 0.1, side(330.0), end.0),
                end,
                if east { 142.0 } else { -142.0 },
            )
        }
        Destination::Station => {
            let end = (side(430.0), 192.0);
            (
                format!("M{x:.0} {y:.0} C{:.0} 96 {:.0} 92 {:.0} 192", x + (end.0 - x) * 0.1, side(310.0), end.0),
                end,
                if east { 132.0 } else { -132.0 },
            )
        }
        Destination::Moon => {
            let end = (side(404.0), 96.0);
            (
                format!("M{x:.0} {y:.0} C{:.0} 70 {:.0} 190 {:.0} 96", x + (end.0 - x) * 0.02, side(300.0), end.0),
                end,
                if east { 38.0 } else { -38.0 },
            )
        }
        Destination::Mars => {
            let end = (side(424.0), 84.0);
            (
                format!("M{x:.0} {y:.0} C{:.0} 10 {:.0} 250 {:.0} 84", x - (end.0 - x) * 0.18, side(350.0), end.0),
                end,
                if east { 22.0 } else { -22.0 },
            )
        }
    };
    let label = format!("Trajectory from {spaceport} to {}", destination.title());
    let anchor = if east { "end" } else { "start" };
    rsx! {
        svg { class: "trajectory", view_box: "0 0 520 380", role: "img", "aria-label": label,
            defs {
                radialGradient { id: "earth", cx: "40%", cy: "30%",
                    stop { class: "earth-1", offset: "0" }
                    stop { class: "earth-2", offset: ".7" }
                    stop { class: "earth-3", offset: "1" }
                }
                linearGradient { id: "plume", x1: if east { "0" } else { "1" }, x2: if east { "1" } else { "0" },
                    stop { class: "plume-1", offset: "0" }
                    stop { class: "plume-2", offset: ".75" }
                }
            }
            g { class: "stars",
                for (index , (x , y , r)) in STARS.into_iter().enumerate() {
                    circle { key: "{index}", cx: "{x}", cy: "{y}", r: "{r}" }
                }
            }
            match destination {
                Destination::Moon => rsx! {
                    g { transform: "translate({side(446.0)} 92)",
                        circle { class: "moon", r: "32" }
                        circle { class: "crater", cx: "-9", cy: "-8", r: "7" }
                        circle { class: "crater", cx: "11", cy: "6", r: "5" }
                        circle { class: "crater", cx: "-5", cy: "14", r: "4" }
                        circle { class: "orbit", r: "46", fill: "none" }
                    }
                },
                Destination::Mars => rsx! {
                    g { transform: "translate({side(462.0)} 78)",
                        circle { class: "mars", r: "26" }
                        path { class: "crater-line", d: "M-22-8c14 6 28 6 43 1M-25 6c16 7 34 7 49 1", fill: "none" }
                        circle { class: "orbit", r: "39", fill: "none" }
                    }
                    path { class: "orbit", d: "M-20 120C140-30 420-20 560 90", fill: "none" }
                },
                Destination::Station => rsx! {
                    g { class: "station", transform: "translate({side(446.0)} 206) rotate({turn - 90.0})",
                        path { d: "M-30-8h18v16h-18zM12-8h18v16h-18zM-12 0h24M0-12v24", fill: "none" }
                        circle { r: "5" }
                    }
                },
                Destination::Suborbital | Destination::LowEarth => rsx! {},
            }
            circle { class: "earth", cx: "{EARTH.0}", cy: "{EARTH.1}", r: "{EARTH.2}" }
            if matches!(destination, Destination::LowEarth | Destination::Station) {
                ellipse { class: "orbit", cx: "260", cy: "250", rx: "235", ry: "62", fill: "none" }
            }
            if destination == Destination::Suborbital {
                path { class: "orbit", d: "M30 116H490", fill: "none" }
                text { class: "label", x: if east { "490" } else { "30" }, y: "108", "text-anchor": anchor, "edge of space, 100 km" }
            }
            path { class: "plume", d: path, fill: "none" }
            circle { class: "site", cx: "{x}", cy: "{y}", r: "4" }
            text { class: "label", x: "{x}", y: "{y + 24.0}", "text-anchor": "middle", {coordinates(latitude, longitude)} }
            g { transform: "translate({end.0} {end.1}) rotate({turn})",
                path { class: "rocket", d: "M0-11c5 5 6 12 5 18h-10c-1-6 0-13 5-18z" }
                path { class: "flame", d: "M-3 8h6l-3 9z" }
            }
            match destination {
                Destination::Suborbital => rsx! {},
                Destination::LowEarth | Destination::Station => rsx! {
                    text { class: "label", x: "{side(500.0)}", y: "{end.1 - 44.0}", "text-anchor": anchor, {reach(destination)} }
                },
                Destination::Moon | Destination::Mars => rsx! {
                    text { class: "label", x: "{side(500.0)}", y: "158", "text-anchor": anchor, {reach(destination)} }
                },
            }
        }
    }
}
