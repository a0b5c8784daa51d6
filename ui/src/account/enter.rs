//! The form to sign in by: e-mail and password, then the code of the second factor where there is one, or setting one up where the role
//! needs it. Where one goes then is left to the page around it.

use super::{SetUp, show_what_is_wrong};
use crate::{
    client,
    components::{Button, ButtonKind, Field, Notice, NoticeKind},
    session::{Session, use_session},
};
use contract::{
    Code, Email, Problem,
    account::{Me, SignIn},
};
use dioxus::prelude::*;

/// What the form asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Password,
    Code,
    SetUp,
}

/// The form. `children` stand under its button.
#[component]
pub fn Enter(class: String, onentered: Callback<Me>, children: Element) -> Element {
    let mut session = use_session();
    let enrolling = session.peek().enrolling().is_some();
    let mut step = use_signal(|| if enrolling { Step::SetUp } else { Step::Password });
    let mut email = use_signal(String::new);
    let mut password = use_signal(String::new);
    let mut code = use_signal(String::new);
    let mut errors = use_signal(|| (None::<String>, None::<String>));
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    // The session was not known yet when the page began.
    use_effect(move || {
        if session.read().enrolling().is_some() && *step.peek() != Step::SetUp {
            step.set(Step::SetUp);
        }
    });
    let mut entered = move |me: Me| {
        let enrolling = me.enrolling;
        session.set(Session::SignedIn(me.clone()));
        if !enrolling {
            onentered.call(me);
        }
    };
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        let asks_code = step() == Step::Code;
        let wrong_email = Email::new(&email.read()).is_err().then(|| "Write your e-mail address.".to_owned());
        let wrong_password = password.read().is_empty().then(|| "Write your password.".to_owned());
        errors.set((wrong_email, wrong_password));
        if errors.read().0.is_none() && errors.read().1.is_none() {
            busy.set(true);
            let ask = SignIn { email: email.read().trim().to_owned(), password: password(), code: asks_code.then_some(code()) };
            match client::sign_in(&ask).await {
                Ok(me) => entered(me),
                Err(why) if why.code == Code::SecondFactorRequired => {
                    step.set(Step::Code);
                    problem.set(asks_code.then_some(why));
                }
                Err(why) => {
                    if why.code == Code::SecondFactorWrong {
                        code.set(String::new());
                    } else {
                        step.set(Step::Password);
                    }
                    problem.set(Some(why));
                }
            }
            busy.set(false);
        }
        show_what_is_wrong().await;
        if step() == Step::Code && problem.peek().is_none() {
            crate::browser::focus("code");
        }
    };
    if step() == Step::SetUp {
        return rsx! {
            div { class: "{class}",
                h2 { "One more step: a second factor" }
                p { "Your role needs more than a password. Your phone shows a code that changes every 30 seconds; with it nobody signs in with your password alone." }
                SetUp {
                    needs_password: false,
                    onready: move |()| async move {
                        match client::session().await {
                            Ok(me) => entered(me),
                            Err(why) => {
                                session.set(Session::Visitor);
                                step.set(Step::Password);
                                problem.set(Some(why));
                            }
                        }
                    },
                }
                div { class: "row",
                    Button {
                        onclick: move |_| async move {
                            let _ = client::sign_out().await;
                            session.set(Session::Visitor);
                            step.set(Step::Password);
                        },
                        "Sign in as someone else"
                    }
                }
            }
        };
    }
    rsx! {
        form { class: "{class}", method: "post", novalidate: true, "aria-label": "Sign in", onsubmit: submit,
            if let Some(why) = problem() {
                Notice { kind: NoticeKind::Bad, {why.message} }
            }
            if step() == Step::Code {
                Field {
                    id: "code",
                    label: "Code",
                    value: code(),
                    hint: "The six digits your app shows now, or one of your recovery codes",
                    autocomplete: "one-time-code",
                    maxlength: "32",
                    data: true,
                    oninput: move |value| code.set(value),
                }
            } else {
                Field {
                    id: "email",
                    label: "E-mail",
                    kind: "email",
                    value: email(),
                    error: errors.read().0.clone(),
                    autocomplete: "username",
                    oninput: move |value| {
                        email.set(value);
                        errors.write().0 = None;
                    },
                }
                Field {
                    id: "password",
                    label: "Password",
                    kind: "password",
                    value: password(),
                    error: errors.read().1.clone(),
                    autocomplete: "current-password",
                    oninput: move |value| {
                        password.set(value);
                        errors.write().1 = None;
                    },
                }
            }
            div { class: "row",
                Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Sign in" }
                if step() == Step::Code {
                    Button {
                        onclick: move |_| {
                            step.set(Step::Password);
                            code.set(String::new());
                            problem.set(None);
                        },
                        "Back"
                    }
                }
            }
            noscript { p { class: "noscript", "Signing in needs JavaScript." } }
            {children}
        }
    }
}
