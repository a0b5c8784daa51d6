//! How a launch ends: launched or failed, from confirmed or delayed, at or after its time; and that is final.

use super::*;

fn sure() -> [Past; 2] {
    [on_sale().confirmed(3), on_sale().delayed_to(later(DEPARTURE, SECOND))]
}
fn departed() -> Timestamp {
    later(DEPARTURE, SECOND)
}

#[test]
fn a_confirmed_or_delayed_launch_is_launched_or_fails_at_its_time() {
    for past in sure() {
        past.clone().when(mark_launched(departed())).then([Event::Launched { at: departed() }]);
        past.clone().when(mark_failed(departed())).then([Event::Failed { reason: line("Engine fire"), at: departed() }]);
        assert_eq!(past.clone().after(mark_launched(departed())).launch().status(), Some(Status::Launched));
        assert_eq!(past.after(mark_failed(departed())).launch().status(), Some(Status::Failed));
    }
    on_sale().confirmed(3).when(mark_launched(DEPARTURE)).then_events_with(|events| events.len() == 1);
}

#[test]
fn no_launch_ends_before_its_time() {
    for past in sure() {
        past.clone().when(mark_launched(earlier(DEPARTURE, SECOND))).then_refused(Refusal::NotDeparted);
        past.when(mark_failed(earlier(DEPARTURE, SECOND))).then_refused(Refusal::NotDeparted);
    }
}

#[test]
fn a_launch_that_never_sold_its_minimum_does_not_fly() {
    on_sale().when(mark_launched(departed())).then_refused(Refusal::NotConfirmed { minimum: 3 });
    on_sale().when(mark_failed(departed())).then_refused(Refusal::NotConfirmed { minimum: 3 });
}

#[test]
fn saying_the_same_end_again_is_free_and_another_end_is_refused() {
    let launched = on_sale().confirmed(3).launched();
    let failed = on_sale().confirmed(3).after(mark_failed(DEPARTURE));
    launched.clone().when(mark_launched(departed())).then_nothing();
    failed.clone().when(mark_failed(departed())).then_nothing();
    launched.when(mark_failed(departed())).then_refused(Refusal::NotOpen { status: Status::Launched });
    failed.when(mark_launched(departed())).then_refused(Refusal::NotOpen { status: Status::Failed });
    on_sale().aborted().when(mark_launched(departed())).then_refused(Refusal::NotOpen { status: Status::Aborted });
}

#[test]
fn an_end_is_final() {
    let booked = on_sale().booked(1, ANN, "1A 1B 1C").confirmed(3);
    for past in [booked.clone().launched(), booked.clone().after(mark_failed(DEPARTURE)), booked.aborted()] {
        let status = past.launch().status().unwrap();
        let asked = [
            reprice(Money::dollars(1), NOW),
            delay(later(DEPARTURE, MINUTE), NOW),
            hold(2, BOB, "2A", NOW),
            name(1, ANN, passengers("1A 1B 1C"), NOW),
            pay(1, ANN, 2, NOW),
        ];
        for command in asked {
            past.clone().when(command).then_refused(Refusal::NotOpen { status });
        }
    }
}

#[test]
fn money_still_moves_after_the_end() {
    let back = PRICE.percent(90).times(2);
    let past = on_sale().booked(1, ANN, "1A 1B").after(cancel(1, ANN, back, NOW)).confirmed(3).launched();
    past.when(settle(1, refund(1), DEPARTURE)).then_events_with(|events| matches!(events, [Event::RefundPaid { .. }]));
}

#[test]
fn each_event_has_the_name_it_is_stored_under() {
    let past = on_sale()
        .booked(1, ANN, "1A 1B")
        .held(2, BOB, "2A")
        .expired(2, BOB, "2A")
        .after(reprice(Money::dollars(2), NOW))
        .after(cancel_seat(1, ANN, "1A", PRICE.percent(90), NOW))
        .after(review(before_departure(97)))
        .delayed_to(later(DEPARTURE, MINUTE))
        .aborted()
        .after(cancel_for_abort(1, NOW));
    for event in past.events {
        assert_eq!(serde_json::to_value(&event).unwrap()["type"], event.name());
    }
}
