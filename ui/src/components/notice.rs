//! Notices: one thing to know, and what to do about it.

use dioxus::prelude::*;

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoticeKind {
    /// To know.
    #[default]
    Info,
    /// It worked.
    Good,
    /// Take care.
    Warn,
    /// It did not work.
    Bad,
}

impl NoticeKind {
    /// The word of `data-kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A notice; what failed is spoken at once, all else when there is a pause.
#[component]
pub fn Notice(#[props(default)] kind: NoticeKind, #[props(default)] id: Option<String>, children: Element) -> Element {
    rsx! {
        div {
            class: "notice",
            id,
            tabindex: "-1",
            "data-kind": kind.as_str(),
            role: if kind == NoticeKind::Bad { "alert" } else { "status" },
            {children}
        }
    }
}
