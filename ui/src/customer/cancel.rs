//! Giving seats up: the quote first, to the cent, beside the button that does it.

use super::payment::exact;
use crate::{
    client::{self, use_intent},
    components::{Button, ButtonKind, Dialog, Loading, Notice, NoticeKind},
    format,
};
use contract::{Code, Problem, Seat, booking::Cancel};
use dioxus::prelude::*;

/// Shows the quote and, when it is accepted, cancels for exactly that.
#[component]
pub(super) fn CancelDialog(
    launch: String,
    booking: String,
    seat: Option<Seat>,
    back_to: String,
    onclose: Callback<()>,
    ondone: Callback<String>,
) -> Element {
    let intent = use_intent();
    let mut busy = use_signal(|| false);
    let mut problem = use_signal(|| None::<Problem>);
    let mut quote = use_resource({
        let (launch, booking) = (launch.clone(), booking.clone());
        move || {
            let (launch, booking) = (launch.clone(), booking.clone());
            async move { client::quote(&launch, &booking, &seat.map(|seat| seat.to_string()).unwrap_or_default()).await }
        }
    });
    let accept = move |refund: contract::Money| {
        let (launch, booking) = (launch.clone(), booking.clone());
        async move {
            busy.set(true);
            problem.set(None);
            match client::cancel(intent, &launch, &booking, &Cancel { seat, refund }).await {
                Ok(answer) => ondone.call(format!(
                    "{} cancelled. {} {} on the way to your card.",
                    format::and(&answer.quote.seats),
                    exact(answer.quote.refund),
                    if answer.quote.refund.is_positive() { "is" } else { "back: nothing is" }
                )),
                Err(why) => {
                    if why.code == Code::QuoteChanged {
                        quote.restart();
                    }
                    problem.set(Some(why));
                }
            }
            busy.set(false);
        }
    };
    let title = seat.map_or_else(|| "Cancel the booking?".to_owned(), |seat| format!("Cancel seat {seat}?"));
    let answer = quote.read();
    rsx! {
        Dialog { id: "cancel", title, onclose, back_to,
            if let Some(why) = problem() {
                Notice { kind: NoticeKind::Bad, {why.message} }
            }
            match &*answer {
                None => rsx! { Loading { lines: 3, label: "Working out the refund" } },
                Some(Err(why)) => rsx! {
                    Notice { kind: NoticeKind::Bad, {why.message.clone()} }
                    div { class: "dialog-actions",
                        Button { onclick: move |_| onclose.call(()), "Close" }
                    }
                },
                Some(Ok(answer)) => {
                    let quote = answer.quote.clone();
                    let refund = quote.refund;
                    rsx! {
                        dl { class: "sum",
                            dt { "Paid for {format::and(&quote.seats)}" }
                            dd { class: "num", {exact(quote.paid)} }
                            dt { "Share given back" }
                            dd { class: "num", "{quote.percent} %" }
                            dt { class: "total", "Back to your card" }
                            dd { class: "num total", {exact(refund)} }
                        }
                        p { class: "muted small", {answer.because.clone()} }
                        if !quote.frees_seats {
                            p { class: "muted small", "The seats stay sold: nothing is given back for them." }
                        }
                        div { class: "dialog-actions",
                            Button { onclick: move |_| onclose.call(()), "Keep it" }
                            Button {
                                kind: ButtonKind::Danger,
                                busy: busy(),
                                onclick: {
                                    let accept = accept.clone();
                                    move |_| accept(refund)
                                },
                                "Cancel and get {exact(refund)} back"
                            }
                        }
                    }
                }
            }
        }
    }
}
