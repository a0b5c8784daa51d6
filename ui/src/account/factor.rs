//! The second factor: setting it up with an app on the phone, recovery codes, taking it away.

use super::show_what_is_wrong;
use crate::{
    browser,
    client::{self, field_errors},
    components::{Button, ButtonKind, Field, Notice, NoticeKind},
};
use contract::{
    Code, Problem,
    account::{ConfirmTotp, Me, Reauthenticate, RecoveryCodes, StartTotp, TotpStart},
};
use dioxus::prelude::*;

/// A picture as an address: nothing in it is a script, and the content security policy allows no other origin.
fn picture(svg: &str) -> String {
    let mut address = "data:image/svg+xml,".to_owned();
    for byte in svg.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => address.push(char::from(byte)),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// Four letters at a time, as people type them.
fn in_fours(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Sets a second factor up, to the recovery codes.
#[component]
pub fn SetUp(needs_password: bool, onready: Callback<()>) -> Element {
    let mut password = use_signal(String::new);
    let mut start = use_signal(|| None::<TotpStart>);
    let mut codes = use_signal(|| None::<RecoveryCodes>);
    let mut code = use_signal(String::new);
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let begin = move || async move {
        busy.set(true);
        problem.set(None);
        let ask = StartTotp { password: needs_password.then_some(password()) };
        match client::start_totp(&ask).await {
            Ok(begun) => start.set(Some(begun)),
            Err(why) => problem.set(Some(why)),
        }
        busy.set(false);
        show_what_is_wrong().await;
    };
    use_future(move || async move {
        if !needs_password {
            begin().await;
        }
    });
    if let Some(codes) = codes() {
        return rsx! {
            Notice { kind: NoticeKind::Good, "The second factor is in force." }
            Recovery { codes: codes.codes, onkept: move |()| onready.call(()) }
        };
    }
    let wrong = problem.read().as_ref().and_then(|why| (why.code == Code::SecondFactorWrong).then(|| why.message.clone()));
    let fields = problem.read().as_ref().map(field_errors).unwrap_or_default();
    let wrong_password = fields.iter().find(|(field, _)| field == "password").map(|(_, why)| format!("This {why}."));
    rsx! {
        if needs_password {
            p { "Signing in takes your password only. With a second factor it also takes a code from your phone." }
        }
        if let Some(why) = problem().filter(|_| wrong.is_none() && wrong_password.is_none()) {
            Notice { kind: NoticeKind::Bad, {why.message} }
        }
        match start() {
            None if needs_password => rsx! {
                form {
                    class: "stack-tight",
                    method: "post",
                    novalidate: true,
                    "aria-label": "Set up a second factor",
                    onsubmit: move |event: FormEvent| {
                        event.prevent_default();
                        begin()
                    },
                    Field {
                        id: "factor-password",
                        label: "Your password",
                        kind: "password",
                        value: password(),
                        error: wrong_password,
                        autocomplete: "current-password",
                        oninput: move |value| password.set(value),
                    }
                    div { class: "row", Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Set up a second factor" } }
                }
            },
            None => rsx! {
                Button { busy: busy(), onclick: move |_| begin(), if busy() { "Making a secret" } else { "Begin again" } }
            },
            Some(begun) => rsx! {
                form {
                    class: "stack-tight",
                    method: "post",
                    novalidate: true,
                    "aria-label": "Confirm the second factor",
                    onsubmit: move |event: FormEvent| async move {
                        event.prevent_default();
                        busy.set(true);
                        problem.set(None);
                        match client::confirm_totp(&ConfirmTotp { code: code() }).await {
                            Ok(new) => codes.set(Some(new)),
                            Err(why) => problem.set(Some(why)),
                        }
                        busy.set(false);
                        show_what_is_wrong().await;
                    },
                    p { "1. Open an authenticator app on your phone and scan this picture." }
                    img { class: "qr", src: picture(&begun.qr), width: "220", height: "220", alt: "QR code with the secret written below" }
                    p { class: "small", "Cannot scan it? Type this secret in: "
                        code { class: "num", id: "totp-secret", {in_fours(&begun.secret)} }
                    }
                    p { "2. Write the six digits that the app shows." }
                    Field {
                        id: "totp-code",
                        label: "Code",
                        value: code(),
                        error: wrong,
                        autocomplete: "one-time-code",
                        inputmode: "numeric",
                        maxlength: "10",
                        data: true,
                        oninput: move |value| code.set(value),
                    }
                    div { class: "row", Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Turn it on" } }
                }
            },
        }
    }
}

/// Recovery codes, shown once.
#[component]
fn Recovery(codes: Vec<String>, onkept: Callback<()>) -> Element {
    let all = codes.join("\n");
    let mut copied = use_signal(|| false);
    rsx! {
        section { class: "stack-tight recovery", "aria-label": "Recovery codes",
            h3 { "Your recovery codes" }
            p { "Each opens your account once if the phone is lost. They are shown only now: print them or keep them where you keep passwords." }
            ol { class: "codes num",
                for code in codes {
                    li { key: "{code}", {code.clone()} }
                }
            }
            div { class: "row",
                Button {
                    onclick: move |_| {
                        browser::copy(&all);
                        copied.set(true);
                    },
                    if copied() { "Copied" } else { "Copy" }
                }
                Button { onclick: move |_| browser::print(), "Print" }
                Button { kind: ButtonKind::Primary, onclick: move |_| onkept.call(()), "I have kept them" }
            }
        }
    }
}

/// What the account page says of the second factor. Only customers may take it away.
#[component]
pub(super) fn Factor(me: Me, onchanged: Callback<()>) -> Element {
    let mut fresh = use_signal(|| None::<RecoveryCodes>);
    let mut doing = use_signal(|| false);
    if let Some(codes) = fresh() {
        return rsx! {
            Recovery {
                codes: codes.codes,
                onkept: move |()| {
                    fresh.set(None);
                    onchanged.call(());
                },
            }
        };
    }
    if !me.second_factor {
        return rsx! {
            SetUp { needs_password: true, onready: move |()| onchanged.call(()) }
        };
    }
    let customer = !me.role.is_staff();
    rsx! {
        p { "In force. Recovery codes left: " b { "{me.recovery_codes}" } "." }
        if !customer {
            p { class: "small muted", "New phone? Ask an operator to reset the second factor; you set up another when you next sign in." }
        }
        if doing() {
            Again { customer, onfresh: move |codes| fresh.set(Some(codes)), onchanged }
        } else {
            div { class: "row",
                Button { onclick: move |_| doing.set(true), if customer { "New recovery codes, or take it away" } else { "New recovery codes" } }
            }
        }
    }
}

#[component]
fn Again(customer: bool, onfresh: Callback<RecoveryCodes>, onchanged: Callback<()>) -> Element {
    let mut password = use_signal(String::new);
    let mut code = use_signal(String::new);
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let ask = move || Reauthenticate { password: password(), code: Some(code()) };
    let fields = problem.read().as_ref().map(field_errors).unwrap_or_default();
    let wrong_password = fields.iter().find(|(field, _)| field == "password").map(|(_, why)| format!("This {why}."));
    rsx! {
        form {
            class: "stack-tight",
            method: "post",
            novalidate: true,
            "aria-label": "Recovery codes",
            onsubmit: move |event: FormEvent| async move {
                event.prevent_default();
                busy.set(true);
                problem.set(None);
                match client::new_recovery_codes(&ask()).await {
                    Ok(codes) => onfresh.call(codes),
                    Err(why) => problem.set(Some(why)),
                }
                busy.set(false);
                show_what_is_wrong().await;
            },
            if let Some(why) = problem().filter(|_| wrong_password.is_none()) {
                Notice { kind: NoticeKind::Bad, {why.message} }
            }
            Field {
                id: "again-password",
                label: "Your password",
                kind: "password",
                value: password(),
                error: wrong_password,
                autocomplete: "current-password",
                oninput: move |value| password.set(value),
            }
            Field {
                id: "again-code",
                label: "Code",
                value: code(),
                autocomplete: "one-time-code",
                maxlength: "32",
                data: true,
                hint: "Six digits, or a recovery code",
                oninput: move |value| code.set(value),
            }
            div { class: "row",
                Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Make new recovery codes" }
                if customer {
                    Button {
                        kind: ButtonKind::Danger,
                        busy: busy(),
                        onclick: move |_| async move {
                            busy.set(true);
                            problem.set(None);
                            match client::remove_totp(&ask()).await {
                                Ok(()) => onchanged.call(()),
                                Err(why) => problem.set(Some(why)),
                            }
                            busy.set(false);
                            show_what_is_wrong().await;
                        },
                        "Take the second factor away"
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_an_address_without_markup() {
        assert_eq!(picture("<svg a=\"1\"/>"), "data:image/svg+xml,%3Csvg%20a%3D%221%22%2F%3E");
        assert_eq!(in_fours("ABCDEFGHIJ"), "ABCD EFGH IJ");
    }
}
