//! Rule 5: payments in time, in the grace and too late.

use super::*;

fn minutes(minutes: i32) -> Timestamp {
    later(NOW, MINUTE * minutes)
}
/// Two seats of Ann, the payment on its way.
fn being_paid() -> Past {
    on_sale().ready_to_pay(1, ANN, "1A 1B")
}
fn kept(now: Timestamp) -> [Event; 2] {
    [captured(1, "1A 1B", now), confirmed(1, ANN, "1A 1B", now)]
}
fn given_back(reason: RefundReason, now: Timestamp) -> [Event; 2] {
    [captured(1, "1A 1B", now), refund_of(1, not_kept(1), PRICE.times(2), reason, now)]
}

#[test]
fn a_payment_is_of_the_price_of_all_seats() {
    on_sale().held(1, ANN, "1A 1B").named(1, "1A 1B").when(pay(1, ANN, 1, NOW)).then([Event::PaymentInitiated {
        booking: booking(1),
        payment: payment(1),
        amount: PRICE.times(2),
        card: card(),
        at: NOW,
    }]);
}

#[test]
fn passengers_come_before_payment() {
    on_sale().held(1, ANN, "1A").when(pay(1, ANN, 1, NOW)).then_refused(Refusal::PassengersMissing);
}

#[test]
fn asking_again_for_the_same_payment_is_free() {
    being_paid().when(pay(1, ANN, 1, NOW)).then_nothing();
    on_sale().booked(1, ANN, "1A").when(pay(1, ANN, 1, NOW)).then_nothing();
}

#[test]
fn one_payment_is_on_its_way_at_a_time() {
    being_paid().when(pay(1, ANN, 2, NOW)).then_refused(Refusal::PaymentInFlight);
}

#[test]
fn the_payment_of_another_booking_pays_nothing_here() {
    let past = on_sale().booked(1, ANN, "1A").held(2, ANN, "2A").named(2, "2A");
    past.when(pay(2, ANN, 1, NOW)).then_refused(Refusal::BookingIdUsed);
}

#[test]
fn nobody_pays_anothers_booking() {
    on_sale().held(1, ANN, "1A").named(1, "1A").when(pay(1, BOB, 1, NOW)).then_refused(Refusal::UnknownBooking);
}

#[test]
fn the_grace_is_for_payments_on_their_way_and_starts_none() {
    let past = on_sale().held(1, ANN, "1A").named(1, "1A");
    past.clone().when(pay(1, ANN, 1, earlier(minutes(15), SECOND))).then_events_with(|events| events.len() == 1);
    past.when(pay(1, ANN, 1, minutes(15))).then_refused(Refusal::HoldExpired { expired_at: minutes(15) });
}

#[test]
fn an_ended_booking_or_launch_is_not_paid() {
    let named = on_sale().held(1, ANN, "1A").named(1, "1A");
    let expired = named.clone().expired(1, ANN, "1A");
    expired.when(pay(1, ANN, 1, NOW)).then_refused(Refusal::BookingClosed { stage: "expired".into() });
    let cancelled = named.clone().after(cancel(1, ANN, Money::ZERO, NOW));
    cancelled.when(pay(1, ANN, 1, NOW)).then_refused(Refusal::BookingClosed { stage: "cancelled".into() });
    on_sale().booked(1, ANN, "1A").when(pay(1, ANN, 2, NOW)).then_refused(Refusal::BookingClosed { stage: "confirmed".into() });
    named.aborted().when(pay(1, ANN, 1, NOW)).then_refused(Refusal::NotOpen { status: Status::Aborted });
}

#[test]
fn a_captured_payment_confirms_the_booking() {
    being_paid().when(capture(1, 1, minutes(1))).then(kept(minutes(1)));
    let sold = being_paid().after(capture(1, 1, minutes(1))).manifest();
    assert_eq!((sold.sold(), sold.held), (2, 0));
    assert_eq!(sold.bookings[&booking(1)].paid(), PRICE.times(2));
}

#[test]
fn a_payment_is_captured_once_however_often_the_provider_says_so() {
    on_sale().booked(1, ANN, "1A").when(capture(1, 1, NOW)).then_nothing();
}

#[test]
fn a_payment_nobody_started_is_unknown() {
    on_sale().held(1, ANN, "1A").when(capture(1, 1, NOW)).then_refused(Refusal::UnknownPayment);
    on_sale().held(1, ANN, "1A").when(decline(1, 1, NOW)).then_refused(Refusal::UnknownPayment);
    on_sale().when(capture(1, 1, NOW)).then_refused(Refusal::UnknownBooking);
}

#[test]
fn a_payment_in_the_grace_keeps_the_seats() {
    being_paid().when(capture(1, 1, earlier(minutes(20), SECOND))).then(kept(earlier(minutes(20), SECOND)));
}

#[test]
fn a_payment_after_the_grace_keeps_the_seats_nobody_freed_yet() {
    being_paid().when(capture(1, 1, minutes(21))).then(kept(minutes(21)));
}

#[test]
fn a_late_payment_takes_the_same_seats_when_they_are_free() {
    let expired = being_paid().expired(1, ANN, "1A 1B");
    expired.clone().when(capture(1, 1, minutes(30))).then(kept(minutes(30)));
    let sold = expired.after(capture(1, 1, minutes(30)));
    assert_eq!((sold.manifest().sold(), sold.manifest().held), (2, 0));
    sold.when(hold(2, BOB, "1A", minutes(30))).then_refused(Refusal::SeatsTaken { seats: seats("1A") });
}

#[test]
fn a_late_payment_is_given_back_in_full_when_one_of_its_seats_is_taken() {
    let expired = being_paid().expired(1, ANN, "1A 1B").held(2, BOB, "1B");
    expired.clone().when(capture(1, 1, minutes(30))).then(given_back(RefundReason::TooLate, minutes(30)));
    let after = expired.after(capture(1, 1, minutes(30))).manifest();
    assert_eq!(after.taken, BTreeMap::from([(seat("1B"), booking(2))]));
    assert_eq!(after.bookings[&booking(1)].stage, Stage::Expired);
    assert_eq!(after.seats_of.get(&ANN), None);
}

#[test]
fn a_payment_after_departure_is_given_back() {
    let boarding = earlier(DEPARTURE, MINUTE);
    let past = on_sale().at(boarding).ready_to_pay(1, ANN, "1A 1B");
    past.clone().when(capture(1, 1, DEPARTURE)).then(given_back(RefundReason::TooLate, DEPARTURE));
    past.confirmed(3).launched().when(capture(1, 1, DEPARTURE)).then(given_back(RefundReason::TooLate, DEPARTURE));
}

#[test]
fn a_payment_of_a_booking_given_up_meanwhile_is_given_back() {
    being_paid()
        .after(cancel(1, ANN, Money::ZERO, NOW))
        .when(capture(1, 1, minutes(1)))
        .then(given_back(RefundReason::Cancelled, minutes(1)));
}

#[test]
fn a_payment_for_an_aborted_launch_is_given_back_once() {
    let aborted = being_paid().aborted();
    aborted.clone().when(capture(1, 1, minutes(1))).then(given_back(RefundReason::Aborted, minutes(1)));
    let paid = aborted.after(capture(1, 1, minutes(1)));
    paid.clone()
        .when(cancel_for_abort(1, minutes(2)))
        .then_events_with(|events| matches!(events, [Event::BookingCancelled { refund, .. }] if *refund == Money::ZERO));
    let over = paid.after(cancel_for_abort(1, minutes(2))).manifest().bookings[&booking(1)].clone();
    assert_eq!(over.refunded(), over.paid());
}

#[test]
fn a_second_payment_of_a_paid_booking_is_given_back() {
    let amount = PRICE.times(2);
    let second = Event::PaymentInitiated { booking: booking(1), payment: payment(2), amount, card: card(), at: NOW };
    let past = being_paid().then(second).after(capture(1, 1, NOW));
    past.clone().when(capture(1, 2, minutes(1))).then([
        Event::PaymentCaptured { booking: booking(1), payment: payment(2), amount, reference: "ch_1".into(), at: minutes(1) },
        Event::RefundRequested {
            booking: booking(1),
            refund: not_kept(2),
            payment: payment(2),
            amount,
            reason: RefundReason::PaidTwice,
            at: minutes(1),
        },
    ]);
    let twice = past.after(capture(1, 2, minutes(1)));
    twice
        .when(cancel(1, ANN, PRICE.percent(90).times(2), minutes(2)))
        .then_events_with(|events| matches!(events[1], Event::RefundRequested { payment: of, .. } if of == payment(1)));
}

#[test]
fn money_is_given_back_from_the_payment_that_is_still_here() {
    // The first payment came after departure and went back; then the launch slipped and the second was in time.
    let boarding = earlier(DEPARTURE, MINUTE);
    let slipped = later(DEPARTURE, policy::days(400));
    let soon = later(DEPARTURE, MINUTE);
    let past = on_sale().at(boarding).ready_to_pay(1, ANN, "1A").after(capture(1, 1, DEPARTURE));
    let past = past.after(delay(slipped, DEPARTURE)).after(pay(1, ANN, 2, soon)).after(capture(1, 2, soon));
    past.when(cancel(1, ANN, PRICE, soon)).then_events_with(
        |events| matches!(events[1], Event::RefundRequested { payment: of, amount, .. } if of == payment(2) && amount == PRICE),
    );
}

#[test]
fn after_a_decline_the_customer_pays_again() {
    let declined = being_paid().after(decline(1, 1, NOW));
    declined.clone().when(decline(1, 1, NOW)).then_nothing();
    declined.clone().when(pay(1, ANN, 2, NOW)).then_events_with(|events| events.len() == 1);
    declined
        .after(pay(1, ANN, 2, NOW))
        .when(capture(1, 2, NOW))
        .then_events_with(|events| matches!(events, [Event::PaymentCaptured { .. }, Event::BookingConfirmed { .. }]));
}

#[test]
fn a_decline_is_recorded_with_its_reason_and_keeps_the_hold() {
    being_paid().when(decline(1, 1, NOW)).then([Event::PaymentDeclined {
        booking: booking(1),
        payment: payment(1),
        reason: "insufficient_funds".into(),
        at: NOW,
    }]);
    let known = being_paid().after(decline(1, 1, NOW)).manifest();
    assert!(known.bookings[&booking(1)].is_held());
    assert_eq!(known.bookings[&booking(1)].paid(), Money::ZERO);
}

#[test]
fn what_was_captured_is_not_declined_and_what_was_declined_not_captured() {
    on_sale().booked(1, ANN, "1A").when(decline(1, 1, NOW)).then_nothing();
    being_paid().after(decline(1, 1, NOW)).when(capture(1, 1, NOW)).then_refused(Refusal::PaymentDeclined);
}

#[test]
fn selling_the_minimum_confirms_the_launch() {
    let two = on_sale().booked(1, ANN, "1A 1B");
    assert_eq!(two.launch().status(), Some(Status::Scheduled));
    let third = two.ready_to_pay(2, BOB, "2A");
    third.clone().when(capture(2, 2, NOW)).then([
        captured(2, "2A", NOW),
        confirmed(2, BOB, "2A", NOW),
        Event::Confirmed { sold: 3, at: NOW },
    ]);
    assert_eq!(third.after(capture(2, 2, NOW)).launch().status(), Some(Status::Confirmed));
}

#[test]
fn held_seats_do_not_confirm_a_launch() {
    on_sale().held(2, BOB, "2A 2B 2C 2D").ready_to_pay(1, ANN, "1A").when(capture(1, 1, NOW)).then_events_with(|events| events.len() == 2);
}

#[test]
fn a_confirmed_launch_is_not_confirmed_again_and_a_delayed_one_is() {
    let full = on_sale().booked(1, ANN, "1A 1B 1C").confirmed(3);
    full.clone().ready_to_pay(2, BOB, "2A").when(capture(2, 2, NOW)).then_events_with(|events| events.len() == 2);
    let delayed = full.delayed_to(later(DEPARTURE, policy::days(1)));
    assert_eq!(delayed.launch().status(), Some(Status::Delayed));
    delayed
        .ready_to_pay(2, BOB, "2A")
        .when(capture(2, 2, NOW))
        .then_events_with(|events| matches!(events[2], Event::Confirmed { sold: 4, .. }));
}

#[test]
fn a_launch_once_confirmed_stays_so_when_seats_are_given_up() {
    let past = on_sale().booked(1, ANN, "1A 1B 1C").confirmed(3).after(cancel(1, ANN, PRICE.percent(90).times(3), NOW));
    assert_eq!((past.launch().status(), past.manifest().sold()), (Some(Status::Confirmed), 0));
}
