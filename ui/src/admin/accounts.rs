//! Accounts: find them, disable and enable, give roles, end sessions, reset second factors, invite staff. Names cannot be searched, they
//! are sealed: a whole e-mail address or an id finds an account.

use super::is;
use crate::{
    account::show_what_is_wrong,
    client::{self, field_errors},
    components::{Button, ButtonKind, Choice, Dialog, Empty, Field, Notice, NoticeKind, Pill},
    desk::{Column, Detail, PageHead, Pages, Row, Search, Sieve, Sift, Table, draw},
    format,
    session::use_session,
};
use contract::{
    AccountId, Problem, SupplierId,
    account::{AccountQuery, AccountRow, AccountState, ChangeRole, Invite, Role},
};
use dioxus::prelude::*;

const BASE: &str = "/admin/accounts";

/// The page.
#[component]
pub fn Accounts(sift: ReadSignal<Sift>) -> Element {
    if !is(Role::Operator) {
        return rsx! {
            super::NotForYou { title: "Accounts", who: "operators" }
        };
    }
    rsx! {
        List { sift }
    }
}

fn options(all: &[&str]) -> Vec<(String, String)> {
    let first = ("".to_owned(), "All".to_owned());
    std::iter::once(first).chain(all.iter().map(|word| ((*word).to_owned(), capital(word)))).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[component]
fn List(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        AccountQuery { page: sift.page(), search: sift.search.clone(), role: sift.role.clone(), state: sift.status.clone() }
    });
    let mut list = use_resource(move || {
        let query = query();
        async move { client::accounts(&query).await }
    });
    let mut inviting = use_signal(|| false);
    let mut invited = use_signal(|| None::<String>);
    let navigator = use_navigator();
    let now = sift.read().clone();
    rsx! {
        PageHead {
            title: "Accounts",
            desk: "Admin",
            actions: rsx! {
                Button { id: "invite", kind: ButtonKind::Primary, onclick: move |_| inviting.set(true), "Invite staff" }
            },
        }
        if let Some(email) = invited() {
            Notice { kind: NoticeKind::Good, "The account is made, and a mail with a link is on its way to {email}." }
        }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Find", placeholder: "A whole e-mail address, or an id" }
            Choice {
                id: "role",
                label: "Role",
                value: now.role.clone(),
                options: options(&Role::ALL.map(Role::as_str)),
                onchange: {
                    let now = now.clone();
                    move |role| { navigator.push(Sift { role, ..now.on_page(1) }.under(BASE)); }
                },
            }
            Choice {
                id: "state",
                label: "State",
                value: now.status.clone(),
                options: options(&AccountState::ALL.map(AccountState::as_str)),
                onchange: {
                    let now = now.clone();
                    move |status| { navigator.push(Sift { status, ..now.on_page(1) }.under(BASE)); }
                },
            }
        }
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            {draw(list, "The accounts", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card",
                            Empty { title: "No account matches",
                                if now.narrows() { "Take a filter away, or write the whole e-mail address." } else { "Accounts show here as people sign up." }
                            }
                        }
                    };
                }
                let columns = vec![
                    Column::text("Name"),
                    Column::text("Role"),
                    Column::text("State").lead(),
                    Column::text("Second factor").later(),
                    Column::data("Since (UTC)").later(),
                ];
                let rows = page.items.iter().map(row).collect::<Vec<_>>();
                let open = page.items.iter().find(|one| one.id.to_string() == now.open).cloned();
                rsx! {
                    Table { caption: "Accounts, newest first", columns, rows, base: BASE, sift: now.clone(),
                        Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "accounts" }
                    }
                    if let Some(one) = open {
                        AccountDetail { key: "{one.id}", one, sift: now.clone(), onchanged: move |()| list.restart() }
                    }
                }
            })}
        }
        if inviting() {
            InviteStaff {
                onclose: move |()| inviting.set(false),
                ondone: move |email: String| {
                    inviting.set(false);
                    invited.set(Some(email));
                    list.restart();
                },
            }
        }
    }
}

const fn colour(state: AccountState) -> &'static str {
    match state {
        AccountState::Unconfirmed => "scheduled",
        AccountState::Active => "confirmed",
        AccountState::Disabled => "aborted",
        AccountState::Erased => "delayed",
    }
}

fn name(one: &AccountRow) -> String {
    if one.name.is_empty() { "Erased".to_owned() } else { one.name.clone() }
}

fn row(one: &AccountRow) -> Row {
    Row {
        key: one.id.to_string(),
        cells: vec![
            rsx! { {name(one)} small { class: "muted", " {one.email}" } },
            rsx! { {capital(one.role.as_str())} },
            rsx! {
                Pill { state: colour(one.state), text: capital(one.state.as_str()) }
            },
            rsx! { if one.second_factor { "Yes" } else { "No" } },
            rsx! { {format::moment(format::civil(one.created_at, 0))} },
        ],
    }
}

/// What an operator does to an account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Disable,
    Enable,
    EndSessions,
    ResetTotp,
    Role,
}

impl Act {
    const fn words(self) -> &'static str {
        match self {
            Self::Disable => "Disable",
            Self::Enable => "Enable",
            Self::EndSessions => "End all sessions",
            Self::ResetTotp => "Reset the second factor",
            Self::Role => "Give another role",
        }
    }
    const fn done(self) -> &'static str {
        match self {
            Self::Disable => "The account is disabled, and its sessions have ended.",
            Self::Enable => "The account is as it was before it was disabled.",
            Self::EndSessions => "All sessions have ended.",
            Self::ResetTotp => "The second factor is gone, and all sessions have ended.",
            Self::Role => "The role is changed, and all sessions have ended.",
        }
    }
    const fn route(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::EndSessions => "end-sessions",
            Self::ResetTotp => "reset-totp",
            Self::Role => "role",
        }
    }
}

#[component]
fn AccountDetail(one: AccountRow, sift: Sift, onchanged: Callback<()>) -> Element {
    let id = one.id;
    let mut act = use_signal(|| None::<Act>);
    let mut said = use_signal(|| None::<&'static str>);
    let sessions = use_resource(move || async move { client::account(id).await.ok().and_then(|one| one.sessions) });
    let own = use_session().read().me().is_some_and(|me| me.account == id);
    let mut acts = vec![if one.state == AccountState::Disabled { Act::Enable } else { Act::Disable }, Act::EndSessions];
    if one.second_factor {
        acts.push(Act::ResetTotp);
    }
    if one.role.is_staff() {
        acts.push(Act::Role);
    }
    rsx! {
        Detail { title: name(&one), subtitle: one.email.clone(), base: BASE, sift,
            if let Some(words) = said() {
                Notice { kind: NoticeKind::Good, "{words}" }
            }
            dl { class: "pairs",
                dt { "State" }
                dd { Pill { state: colour(one.state), text: capital(one.state.as_str()) } }
                dt { "Role" }
                dd { {capital(one.role.as_str())} }
                if let Some(supplier) = one.supplier {
                    dt { "Supplier" }
                    dd { class: "num", "{supplier}" }
                }
                dt { "Second factor" }
                dd { if one.second_factor { "In force" } else { "None" } }
                dt { "Sessions" }
                dd { class: "num", {sessions().flatten().map_or_else(|| "...".to_owned(), |count| count.to_string())} }
                dt { "Id" }
                dd { class: "num", "{one.id}" }
            }
            p { class: "small",
                a { href: "/admin/security?account={one.id}", "Its security events" }
            }
            if own {
                p { class: "muted small", "This is your own account. Another operator can change it." }
            } else if one.state != AccountState::Erased {
                if let Some(doing) = act() {
                    Doing {
                        key: "{doing.route()}",
                        id,
                        act: doing,
                        role: one.role,
                        onclose: move |()| act.set(None),
                        ondone: move |()| {
                            act.set(None);
                            said.set(Some(doing.done()));
                            onchanged.call(());
                        },
                    }
                } else {
                    div { class: "form-actions",
                        for one in acts {
                            Button {
                                key: "{one.route()}",
                                kind: if one == Act::Disable { ButtonKind::Danger } else { ButtonKind::Quiet },
                                onclick: move |_| {
                                    said.set(None);
                                    act.set(Some(one));
                                },
                                {one.words()}
                            }
                        }
                    }
                }
            }
        }
    }
}

fn staff_roles() -> Vec<(String, String)> {
    Role::ALL.iter().filter(|role| role.is_staff()).map(|role| (role.as_str().to_owned(), capital(role.as_str()))).collect()
}

fn role_of(word: &str) -> Role {
    Role::ALL.into_iter().find(|role| role.as_str() == word).unwrap_or(Role::Employee)
}

/// A supplier's id, where the role goes with one.
fn supplier_of(role: Role, text: &str) -> Result<Option<SupplierId>, String> {
    if role != Role::Supplier {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(|_| "Write the id of the supplier.".to_owned())
}

fn field_error(problem: Option<&Problem>, name: &str) -> Option<String> {
    let fields = field_errors(problem?);
    fields.into_iter().find(|(field, _)| field == name).map(|(_, why)| format!("This {why}."))
}

#[component]
fn Doing(id: AccountId, act: Act, role: Role, onclose: Callback<()>, ondone: Callback<()>) -> Element {
    let mut reason = use_signal(String::new);
    let mut next = use_signal(|| role.as_str().to_owned());
    let mut supplier = use_signal(String::new);
    let mut wrong = use_signal(|| None::<String>);
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        wrong.set(None);
        let role = role_of(&next.read());
        let member = if act == Act::Role { supplier_of(role, &supplier.read()) } else { Ok(None) };
        match member {
            Err(why) => wrong.set(Some(why)),
            Ok(member) => {
                busy.set(true);
                let answer = match act {
                    Act::Role => client::change_role(id, &ChangeRole { role, supplier: member, reason: reason() }).await,
                    _ => client::act_on_account(id, act.route(), reason()).await,
                };
                match answer {
                    Ok(()) => ondone.call(()),
                    Err(why) => problem.set(Some(why)),
                }
                busy.set(false);
            }
        }
        show_what_is_wrong().await;
    };
    let known = problem.read();
    let reason_error = field_error(known.as_ref(), "reason");
    let supplier_error = wrong().or_else(|| field_error(known.as_ref(), "supplier"));
    rsx! {
        form { class: "form", method: "post", novalidate: true, "aria-label": act.words(), onsubmit: submit,
            if let Some(why) = known.as_ref().filter(|_| reason_error.is_none() && supplier_error.is_none()) {
                Notice { kind: NoticeKind::Bad, "{why.message}" }
            }
            if act == Act::Role {
                Choice { id: "next-role", label: "Role", value: next(), options: staff_roles(), onchange: move |value| next.set(value) }
                if next() == Role::Supplier.as_str() {
                    Field { id: "supplier", label: "Supplier's id", value: supplier(), error: supplier_error, data: true, oninput: move |value| supplier.set(value) }
                }
            }
            Field {
                id: "reason",
                label: "Reason",
                value: reason(),
                error: reason_error,
                hint: "Kept with what happened",
                maxlength: "300",
                oninput: move |value| reason.set(value),
            }
            div { class: "form-actions",
                Button {
                    kind: if act == Act::Disable { ButtonKind::Danger } else { ButtonKind::Primary },
                    submit: true,
                    busy: busy(),
                    {act.words()}
                }
                Button { onclick: move |_| onclose.call(()), "Back" }
            }
        }
    }
}

#[component]
fn InviteStaff(onclose: Callback<()>, ondone: Callback<String>) -> Element {
    let mut name = use_signal(String::new);
    let mut email = use_signal(String::new);
    let mut role = use_signal(|| Role::Employee.as_str().to_owned());
    let mut supplier = use_signal(String::new);
    let mut reason = use_signal(String::new);
    let mut wrong = use_signal(|| None::<String>);
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        wrong.set(None);
        let chosen = role_of(&role.read());
        match supplier_of(chosen, &supplier.read()) {
            Err(why) => wrong.set(Some(why)),
            Ok(supplier) => {
                busy.set(true);
                let ask = Invite {
                    name: name.read().trim().to_owned(),
                    email: email.read().trim().to_owned(),
                    role: chosen,
                    supplier,
                    reason: reason(),
                };
                match client::invite(&ask).await {
                    Ok(made) => ondone.call(made.email),
                    Err(why) => problem.set(Some(why)),
                }
                busy.set(false);
            }
        }
        show_what_is_wrong().await;
    };
    let known = problem.read();
    let of = |field: &str| field_error(known.as_ref(), field);
    let named = known.as_ref().is_some_and(|why| !field_errors(why).is_empty());
    rsx! {
        Dialog { id: "inviting", title: "Invite staff", onclose, back_to: "invite",
            form { class: "form", method: "post", novalidate: true, "aria-label": "Invite staff", onsubmit: submit,
                if let Some(why) = known.as_ref().filter(|_| !named) {
                    Notice { kind: NoticeKind::Bad, "{why.message}" }
                }
                Field { id: "invite-name", label: "Name", value: name(), error: of("name"), autocomplete: "off", oninput: move |value| name.set(value) }
                Field {
                    id: "invite-email",
                    label: "E-mail",
                    kind: "email",
                    value: email(),
                    error: of("email"),
                    autocomplete: "off",
                    oninput: move |value| email.set(value),
                }
                Choice { id: "invite-role", label: "Role", value: role(), options: staff_roles(), onchange: move |value| role.set(value) }
                if role() == Role::Supplier.as_str() {
                    Field {
                        id: "invite-supplier",
                        label: "Supplier's id",
                        value: supplier(),
                        error: wrong().or_else(|| of("supplier")),
                        data: true,
                        oninput: move |value| supplier.set(value),
                    }
                }
                Field {
                    id: "invite-reason",
                    label: "Reason",
                    value: reason(),
                    error: of("reason"),
                    hint: "Kept with what happened",
                    maxlength: "300",
                    oninput: move |value| reason.set(value),
                }
                div { class: "dialog-actions",
                    Button { onclick: move |_| onclose.call(()), "Not now" }
                    Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Send the invitation" }
                }
            }
        }
    }
}
