//! A table people live in: the head sticks, arrow keys move, a row opens beside the list, on a phone rows become cards.
//! What is in the cells is left to the page.

use super::Sift;
use crate::browser;
use dioxus::prelude::*;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Words.
    #[default]
    Text,
    /// Ids and times: one width for all digits.
    Data,
    /// Amounts: one width for all digits, to the right.
    Number,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    name: &'static str,
    align: Align,
    later: bool,
    lead: bool,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self { name, align: Align::Text, later: false, lead: false }
    }
    /// A column of ids or times.
    #[must_use]
    pub const fn data(name: &'static str) -> Self {
        Self { align: Align::Data, ..Self::text(name) }
    }
    /// A column of amounts.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self { align: Align::Number, ..Self::text(name) }
    }
    /// Gives way to the detail when a row is open.
    #[must_use]
    pub const fn later(self) -> Self {
        Self { later: true, ..self }
    }
    /// Stands beside the first column on a phone.
    #[must_use]
    pub const fn lead(self) -> Self {
        Self { lead: true, ..self }
    }
    fn class(self) -> String {
        let align = match self.align {
            Align::Text => "",
            Align::Data => "data",
            Align::Number => "r",
        };
        format!("{align}{}", if self.later { " later" } else { "" })
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Tells it apart, also in the address when it is open.
    pub key: String,
    /// One for each column.
    pub cells: Vec<Element>,
}

/// The table. With `sift`, rows open under `base`; without, they are only read.
#[component]
pub fn Table(
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    #[props(default)] base: String,
    #[props(default)] sift: Option<Sift>,
    #[props(default)] short: bool,
    #[props(default)] busy: bool,
    children: Element,
) -> Element {
    let navigator = use_navigator();
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let opens = sift.is_some();
    let sift = sift.unwrap_or_default();
    let go = {
        let (base, sift) = (base.clone(), sift.clone());
        move |key: &str| {
            navigator.replace(sift.opening(key).under(&base));
        }
    };
    let on_key = {
        let (go, open) = (go.clone(), sift.open.clone());
        move |event: KeyboardEvent| {
            if !opens || keys.is_empty() {
                return;
            }
            let here = keys.iter().position(|key| *key == open);
            let next = match (event.key(), here) {
                (Key::ArrowDown, Some(here)) => (here + 1).min(keys.len() - 1),
                (Key::ArrowUp, Some(here)) => here.saturating_sub(1),
                (Key::ArrowDown | Key::ArrowUp | Key::Home, _) => 0,
                (Key::End, _) => keys.len() - 1,
                (Key::ArrowRight, Some(_)) => {
                    event.prevent_default();
                    return browser::focus("detail");
                }
                (Key::Escape, Some(here)) => {
                    go("");
                    return browser::focus(&format!("row-{}", keys[here]));
                }
                _ => return,
            };
            event.prevent_default();
            go(&keys[next]);
            browser::focus(&format!("row-{}", keys[next]));
        }
    };
    rsx! {
        div { class: "card list", "data-short": if short { "true" }, "aria-busy": if busy { "true" },
            div { class: "scroll",
                table { class: "grid", role: "table", "data-opens": if opens { "true" }, onkeydown: on_key,
                    caption { "{caption}" }
                    thead { role: "rowgroup",
                        tr { role: "row",
                            for column in columns.iter() {
                                th { key: "{column.name}", role: "columnheader", scope: "col", class: column.class(), "{column.name}" }
                            }
                        }
                    }
                    tbody { role: "rowgroup",
                        for row in rows {
                            tr { key: "{row.key}", role: "row", "data-open": if opens && row.key == sift.open { "true" },
                                onclick: {
                                    let (go, key) = (go.clone(), row.key.clone());
                                    move |event: MouseEvent| {
                                        let apart = event.modifiers();
                                        if opens && !(apart.ctrl() || apart.meta() || apart.shift()) {
                                            event.prevent_default();
                                            go(&key);
                                        }
                                    }
                                },
                                for (index , (cell , column)) in row.cells.into_iter().zip(columns.iter()).enumerate() {
                                    td { key: "{index}", role: "cell", class: column.class(), "data-label": column.name, "data-lead": if column.lead { "true" },
                                        if index == 0 && opens {
                                            a {
                                                class: "open",
                                                id: "row-{row.key}",
                                                href: sift.opening(&row.key).under(&base),
                                                "aria-current": if row.key == sift.open { "true" },
                                                {cell}
                                            }
                                        } else {
                                            div { {cell} }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            {children}
        }
    }
}
