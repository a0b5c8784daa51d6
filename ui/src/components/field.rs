//! Form fields: a label, what is typed, a hint, and the error beside it.

use dioxus::prelude::*;

/// A field of one line. The error is tied to the input, so that it is spoken with it.
#[component]
pub fn Field(
    /// The id of the input; also its name unless `name` is given.
    id: String,
    label: String,
    value: String,
    oninput: Callback<String>,
    #[props(default)] onblur: Callback<()>,
    #[props(default)] error: Option<String>,
    #[props(default)] hint: Option<String>,
    #[props(default = "text".to_owned())] kind: String,
    #[props(default)] name: Option<String>,
    #[props(default)] autocomplete: Option<String>,
    #[props(default)] inputmode: Option<String>,
    #[props(default)] placeholder: Option<String>,
    #[props(default)] min: Option<String>,
    #[props(default)] max: Option<String>,
    #[props(default)] maxlength: Option<String>,
    #[props(default)] data: bool,
    #[props(default)] disabled: bool,
) -> Element {
    let invalid = error.is_some();
    let described = describing(&id, invalid, hint.is_some());
    rsx! {
        div { class: "field", "data-state": if invalid { "invalid" } else { "valid" },
            label { r#for: "{id}", {label} }
            input {
                class: if data { "num" } else { "" },
                id: "{id}",
                name: name.unwrap_or_else(|| id.clone()),
                r#type: kind,
                value,
                autocomplete,
                inputmode,
                placeholder,
                min,
                max,
                maxlength,
                disabled,
                "aria-invalid": if invalid { "true" } else { "false" },
                "aria-describedby": described,
                oninput: move |event| oninput.call(event.value()),
                onblur: move |_| onblur.call(()),
            }
            Below { id: id.clone(), error, hint }
        }
    }
}

/// A choice of one of `options`, each a value and its words.
#[component]
pub fn Choice(
    id: String,
    label: String,
    value: String,
    options: Vec<(String, String)>,
    onchange: Callback<String>,
    #[props(default)] error: Option<String>,
    #[props(default)] hint: Option<String>,
    #[props(default)] name: Option<String>,
    #[props(default)] disabled: bool,
) -> Element {
    let invalid = error.is_some();
    let described = describing(&id, invalid, hint.is_some());
    rsx! {
        div { class: "field", "data-state": if invalid { "invalid" } else { "valid" },
            label { r#for: "{id}", {label} }
            select {
                id: "{id}",
                name: name.unwrap_or_else(|| id.clone()),
                disabled,
                "aria-invalid": if invalid { "true" } else { "false" },
                "aria-describedby": described,
                onchange: move |event| onchange.call(event.value()),
                for (option , words) in options {
                    option { key: "{option}", selected: option == value, value: option.clone(), {words} }
                }
            }
            Below { id: id.clone(), error, hint }
        }
    }
}

#[component]
fn Below(id: String, error: Option<String>, hint: Option<String>) -> Element {
    rsx! {
        if let Some(error) = error {
            p { class: "field-error", id: "{id}-error", {error} }
        }
        if let Some(hint) = hint {
            p { class: "field-hint", id: "{id}-hint", {hint} }
        }
    }
}

fn describing(id: &str, error: bool, hint: bool) -> Option<String> {
    match (error, hint) {
        (true, true) => Some(format!("{id}-error {id}-hint")),
        (true, false) => Some(format!("{id}-error")),
        (false, true) => Some(format!("{id}-hint")),
        (false, false) => None,
    }
}
