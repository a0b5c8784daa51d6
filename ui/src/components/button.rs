//! Buttons, and links that look like them.

use dioxus::prelude::*;

/// How much an action matters in its view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonKind {
    /// The single most wanted action.
    Primary,
    /// Any other.
    #[default]
    Quiet,
    /// One that takes something away.
    Danger,
}

impl ButtonKind {
    /// The word of `data-kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Quiet => "quiet",
            Self::Danger => "danger",
        }
    }
}

/// A button. While `busy` it says so, keeps its width and does nothing.
#[component]
pub fn Button(
    #[props(default)] kind: ButtonKind,
    #[props(default)] submit: bool,
    #[props(default)] busy: bool,
    #[props(default)] disabled: bool,
    #[props(default)] id: Option<String>,
    #[props(default)] label: Option<String>,
    #[props(default)] onclick: Callback<MouseEvent>,
    children: Element,
) -> Element {
    rsx! {
        button {
            class: "btn",
            id,
            r#type: if submit { "submit" } else { "button" },
            "data-kind": kind.as_str(),
            "data-state": if busy { "busy" } else { "ready" },
            "aria-busy": if busy { "true" } else { "false" },
            "aria-label": label,
            disabled: disabled || busy,
            onclick: move |event| onclick.call(event),
            {children}
        }
    }
}
