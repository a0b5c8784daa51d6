//! Choosing a password, and changing it.

use super::show_what_is_wrong;
use crate::{
    client::{self, field_errors},
    components::{Button, ButtonKind, Field, Notice, NoticeKind},
};
use contract::{
    Problem,
    account::{ChangePassword, PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, STAFF_PASSWORD_CHARACTERS_MIN},
};
use dioxus::prelude::*;

/// Why a password cannot be taken, before anyone is asked. Which are too easy to guess only the service knows.
#[must_use]
pub fn unfit(password: &str, staff: bool) -> Option<String> {
    let least = if staff { STAFF_PASSWORD_CHARACTERS_MIN } else { PASSWORD_CHARACTERS_MIN };
    if password.chars().count() < least {
        Some(format!("Use at least {least} characters."))
    } else if password.len() > PASSWORD_BYTES_MAX {
        Some(format!("Use at most {PASSWORD_BYTES_MAX} bytes."))
    } else {
        None
    }
}

/// A field for a new password. `staff` is none where it is not known whose it is.
#[component]
pub fn NewPassword(
    id: String,
    label: String,
    value: String,
    #[props(default = Some(false))] staff: Option<bool>,
    #[props(default)] error: Option<String>,
    oninput: Callback<String>,
) -> Element {
    let least = match staff {
        Some(true) => format!("At least {STAFF_PASSWORD_CHARACTERS_MIN} characters"),
        Some(false) => format!("At least {PASSWORD_CHARACTERS_MIN} characters"),
        None => format!("At least {PASSWORD_CHARACTERS_MIN} characters, {STAFF_PASSWORD_CHARACTERS_MIN} for staff"),
    };
    // The error says as much.
    let hint = error.is_none().then(|| format!("{least}. A few words are better than signs"));
    rsx! {
        Field {
            id,
            label,
            kind: "password",
            value,
            hint,
            error,
            autocomplete: "new-password",
            oninput,
        }
    }
}

/// Changing one's own password.
#[component]
pub(super) fn Change(staff: bool) -> Element {
    let mut current = use_signal(String::new);
    let mut new = use_signal(String::new);
    let mut errors = use_signal(|| (None::<String>, None::<String>));
    let mut problem = use_signal(|| None::<Problem>);
    let mut done = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        done.set(false);
        errors.set((current.read().is_empty().then(|| "Write your current password.".to_owned()), unfit(&new.read(), staff)));
        if errors.read().0.is_none() && errors.read().1.is_none() {
            busy.set(true);
            match client::change_password(&ChangePassword { current: current(), new: new() }).await {
                Ok(()) => {
                    done.set(true);
                    current.set(String::new());
                    new.set(String::new());
                }
                Err(why) => {
                    let fields = field_errors(&why);
                    let of = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, why)| format!("This {why}."));
                    errors.set((of("current"), of("new")));
                    problem.set(fields.is_empty().then_some(why));
                }
            }
            busy.set(false);
        }
        show_what_is_wrong().await;
    };
    rsx! {
        form { class: "stack-tight", method: "post", novalidate: true, "aria-label": "Change the password", onsubmit: submit,
            if done() {
                Notice { kind: NoticeKind::Good, "The password is changed. All other sessions have ended." }
            }
            if let Some(why) = problem() {
                Notice { kind: NoticeKind::Bad, {why.message} }
            }
            Field {
                id: "current",
                label: "Current password",
                kind: "password",
                value: current(),
                error: errors.read().0.clone(),
                autocomplete: "current-password",
                oninput: move |value| current.set(value),
            }
            NewPassword {
                id: "new",
                label: "New password",
                value: new(),
                staff: Some(staff),
                error: errors.read().1.clone(),
                oninput: move |value| new.set(value),
            }
            div { class: "row", Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Change the password" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_password_is_told_before_anyone_is_asked() {
        assert!(unfit("elevenchars", false).is_some());
        assert_eq!(unfit("twelve chars", false), None);
        assert!(unfit("twelve chars", true).is_some());
        assert!(unfit(&"x".repeat(1025), true).is_some());
    }
}
