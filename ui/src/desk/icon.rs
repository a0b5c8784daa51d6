//! One family of strokes, drawn here: no icon font, no emoji.

use dioxus::prelude::*;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A day at a glance.
    Day,
    /// A list of bookings.
    Ticket,
    /// A rocket.
    Rocket,
    /// A path off the ground.
    Orbit,
    /// Bars.
    Bars,
    /// A book of two columns.
    Journal,
    /// Layers read from a log.
    Layers,
    /// An envelope.
    Mail,
    /// Lines of text.
    Lines,
    /// Links of a chain.
    Chain,
    /// A bell.
    Bell,
    /// Two people.
    People,
    /// Away with it.
    Close,
    /// Back.
    Back,
    /// It holds.
    Check,
    /// It does not.
    Alarm,
    /// Light and dark.
    Theme,
}

impl Shape {
    const fn path(self) -> &'static str {
        match self {
            Self::Day => "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4M8 14h3",
            Self::Ticket => "M3 8a2 2 0 0 0 2-2h14a2 2 0 0 0 2 2v2a2 2 0 0 0 0 4v2a2 2 0 0 0-2 2H5a2 2 0 0 0-2-2v-2a2 2 0 0 0 0-4zM14 6v12",
            Self::Rocket => {
                "M12 3c3 2 4.500 5.500 4.500 9l-2 4h-5l-2-4C7.500 8.500 9 5 12 3zM7.500 12L5 15v3l4-2M16.500 12L19 15v3l-4-2M12 10v.01M12 19v2"
            }
            Self::Orbit => "M3 20c8 0 15-6 17-16M20 4l-5 1M20 4l1 5M3 20h6",
            Self::Bars => "M4 20h16M7 16v-5M12 16V6M17 16v-8",
            Self::Journal => "M12 5v15M4 5c3-1 6-1 8 0 2-1 5-1 8 0v14c-3-1-6-1-8 0-2-1-5-1-8 0z",
            Self::Layers => "M12 4l9 5-9 5-9-5zM3 14l9 5 9-5",
            Self::Mail => "M3 6h18v12H3zM3 7l9 7 9-7",
            Self::Lines => "M4 6h16M4 10h10M4 14h16M4 18h7",
            Self::Chain => {
                "M10 14a4 4 0 0 1 0-5.600l3-3a4 4 0 0 1 5.600 5.600l-1.500 1.500M14 10a4 4 0 0 1 0 5.600l-3 3a4 4 0 0 1-5.600-5.600L7 11.500"
            }
            Self::People => {
                "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6M3 19c0-3.3 2.7-5 6-5s6 1.7 6 5M15 5.2a3 3 0 0 1 0 5.6M17 14.4c2.4.6 4 2.1 4 4.6"
            }
            Self::Bell => "M6 17V11a6 6 0 0 1 12 0v6M4 17h16M10 20h4",
            Self::Close => "M6 6l12 12M18 6L6 18",
            Self::Back => "M14 6l-6 6 6 6",
            Self::Check => "M5 13l4 4L19 7",
            Self::Alarm => "M12 4l9 16H3zM12 10v4M12 17v.01",
            Self::Theme => "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
        }
    }
}

/// A drawing beside words; says nothing itself.
#[component]
pub fn Icon(shape: Shape) -> Element {
    rsx! {
        svg { view_box: "0 0 24 24", fill: "none", stroke: "currentColor", stroke_width: "1.7", stroke_linecap: "round", stroke_linejoin: "round", "aria-hidden": "true",
            path { d: shape.path() }
        }
    }
}
