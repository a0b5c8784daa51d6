//! What each refusal of the rules is called outside, and the sentence people read. Deciding is the domain's.

use crate::problem::ApiError;
use commands::Failure;
use contract::Code;
use domain::{customer, launch, rocket, slug, spaceport, supplier};
use serde_json::json;

/// A refusal that can be told to people.
pub trait Told: std::error::Error {
    /// The code, the sentence and the details.
    fn told(&self) -> ApiError;
}

impl<R: Told> From<Failure<R>> for ApiError {
    fn from(failure: Failure<R>) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.told(),
            Failure::KeyReused => ApiError::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used before with another request. Use a new key for a new request.",
            ),
            Failure::Busy { retry_after } => {
                ApiError::new(Code::Unavailable, "Too many requests are waiting. Nothing was done; try again in a moment.")
                    .retry_after(retry_after)
            }
            Failure::Unavailable(why) => ApiError::unavailable(anyhow::anyhow!(why)),
        }
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("{count} {one}") } else { format!("{count} {many}") }
}

impl Told for launch::Refusal {
    fn told(&self) -> ApiError {
        use launch::Refusal as R;
        let told = |code, message: String| ApiError::new(code, message);
        match self {
            R::AlreadyScheduled => told(Code::AlreadyExists, "This launch is already scheduled.".into()),
            R::UnknownLaunch | R::UnknownBooking | R::UnknownPayment | R::UnknownRefund => ApiError::not_found(),
            R::TooSoon { lead_days, earliest } => told(
                Code::TooSoon,
                format!("A launch is scheduled at least {} ahead. Choose a later date.", plural((*lead_days).into(), "day", "days")),
            )
            .with(json!({ "earliest": earliest })),
            R::OutOfRange { range, destination } => told(
                Code::OutOfRange,
                format!(
                    "This rocket reaches {}, not {}. Choose a nearer destination or another rocket.",
                    range.title(),
                    destination.title()
                ),
            )
            .with(json!({ "range": range, "destination": destination })),
            R::RocketRetired => told(Code::RocketRetired, "This rocket is retired. Choose another.".into()),
            R::TurnaroundTooShort { other, turnaround_days } => told(
                Code::TurnaroundTooShort,
                format!(
                    "This rocket has another departure too close to that date and needs {} between launches.",
                    plural((*turnaround_days).into(), "day", "days")
                ),
            )
            .with(json!({ "other": other, "turnaround_days": turnaround_days })),
            R::PriceOutOfRange { max } => {
                told(Code::PriceOutOfRange, format!("The price per seat must be more than nothing and at most {max}.")).with(json!({ "max": max }))
            }
            R::MinimumOutOfRange { capacity } => {
                told(Code::MinimumOutOfRange, format!("The minimum must be 1 to {capacity} seats, as many as the cabin has."))
                    .with(json!({ "capacity": capacity }))
            }
            R::NotLater { departs_at } => {
                told(Code::NotLater, "A delay moves the launch to a later moment than it has now. Choose a later date.".into())
                    .with(json!({ "departs_at": departs_at }))
            }
            R::NotOpen { status } => told(Code::NotOpen, format!("This launch is {status}. Nothing can be booked or changed on it any more."))
                .with(json!({ "status": status })),
            R::Departed => told(Code::Departed, "This launch has departed. Choose another one from the board.".into()),
            R::NotDeparted => told(Code::NotDeparted, "This launch has not departed yet. Come back after its departure.".into()),
            R::NotConfirmed { minimum } => told(
                Code::NotConfirmed,
                format!("Fewer than the minimum of {} are sold, so this launch is not confirmed.", plural((*minimum).into(), "seat", "seats")),
            )
            .with(json!({ "minimum": minimum })),
            R::NoSeats => told(Code::NoSeats, "Choose at least one seat.".into()),
            R::NoSuchSeat { seat } => {
                told(Code::NoSuchSeat, format!("Seat {seat} cannot be sold in this cabin. Choose another.")).with(json!({ "seat": seat }))
            }
            R::SeatsTaken { seats } => {
                let labels: Vec<String> = seats.iter().map(ToString::to_string).collect();
                let message = match labels.as_slice() {
                    [one] => format!("Seat {one} was just taken. Choose another."),
                    many => format!("Seats {} were just taken. Choose others.", many.join(", ")),
                };
                told(Code::SeatsTaken, message).with(json!({ "seats": seats }))
            }
            R::SeatLimitReached { limit, already } => {
                let have = if *already == 0 { String::new() } else { format!(" You have {} already.", plural((*already).into(), "seat", "seats")) };
                told(Code::SeatLimitReached, format!("You may have {limit} seats on one launch.{have} Choose fewer."))
                    .with(json!({ "limit": limit, "already": already }))
            }
            R::BookingIdUsed => told(Code::BookingIdUsed, "This booking's id is used by another one. Start again with a new key.".into()),
            R::HoldExpired { expired_at } => {
                told(Code::HoldExpired, "The time to pay is over and the seats are free again. Choose seats once more.".into())
                    .with(json!({ "expired_at": expired_at }))
            }
            R::HoldNotOver { release_at } => {
                told(Code::HoldNotOver, "The hold is not over yet.".into()).with(json!({ "release_at": release_at }))
            }
            R::PassengersDoNotMatch { seats } => {
                let labels: Vec<String> = seats.iter().map(ToString::to_string).collect();
                told(Code::PassengersDoNotMatch, format!("Name one passenger for each of the seats {}.", labels.join(", ")))
                    .with(json!({ "seats": seats }))
            }
            R::AgeOutOfRange { seat, age, from, to } => told(
                Code::AgeOutOfRange,
                format!("The passenger of seat {seat} will be {age} on launch day. Passengers must be {from} to {to} years old."),
            )
            .with(json!({ "seat": seat, "age": age, "from": from, "to": to, "fields": { (format!("passengers.{seat}.born")): format!("will be {age} on launch day; {from} to {to} can fly") } })),
            R::PassengersMissing => told(Code::PassengersMissing, "Say who sits where first, then pay.".into()),
            R::PaymentInFlight => told(Code::PaymentInFlight, "A payment is already on its way. Look at the booking again in a moment.".into()),
            R::BookingClosed { stage } => {
                told(Code::BookingClosed, format!("This booking is {stage}; it cannot be changed any more.")).with(json!({ "stage": stage }))
            }
            R::PaymentDeclined => told(Code::PaymentDeclined, "The card was declined. Nothing was charged; try another card.".into()),
            R::AlreadyCancelled => told(Code::AlreadyCancelled, "This is cancelled already.".into()),
            R::TooLateToCancel => told(Code::TooLateToCancel, "The launch has departed; it cannot be cancelled any more.".into()),
            R::QuoteChanged { refund } => {
                told(Code::QuoteChanged, format!("The refund is now {refund}. Look at the new amount before you confirm."))
                    .with(json!({ "refund": refund }))
            }
            R::NoPassenger { seat } => told(Code::NoPassenger, format!("Nobody of this booking sits in seat {seat}.")).with(json!({ "seat": seat })),
            R::NotAborted => told(Code::NotAborted, "This launch is not aborted.".into()),
        }
    }
}

impl Told for customer::Refusal {
    fn told(&self) -> ApiError {
        match self {
            Self::Unknown => ApiError::not_found(),
        }
    }
}
impl Told for rocket::Refusal {
    fn told(&self) -> ApiError {
        match self {
            Self::AlreadyAdded => ApiError::new(Code::AlreadyExists, "There is already a rocket with this id. Start again with a new key."),
            Self::Unknown => ApiError::not_found(),
            Self::Retired => ApiError::new(Code::RocketRetired, "This rocket is retired."),
        }
    }
}
impl Told for slug::Refusal {
    fn told(&self) -> ApiError {
        match self {
            Self::Taken { .. } => ApiError::new(Code::AlreadyExists, "Another launch has this address."),
        }
    }
}
impl Told for supplier::Refusal {
    fn told(&self) -> ApiError {
        match self {
            Self::AlreadyRegistered => ApiError::new(Code::AlreadyExists, "This supplier is already registered."),
            Self::Unknown => ApiError::not_found(),
        }
    }
}
impl Told for spaceport::Refusal {
    fn told(&self) -> ApiError {
        match self {
            Self::AlreadyAdded => ApiError::new(Code::AlreadyExists, "This spaceport is already on the map."),
            Self::NotOnEarth => ApiError::field("latitude", "is -90 to 90 and longitude -180 to 180 degrees"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use http::{StatusCode, header::RETRY_AFTER};
    use std::time::Duration;

    #[test]
    fn who_was_turned_away_is_told_when_to_come_back() {
        for (after, seconds) in [(Duration::from_millis(250), "1"), (Duration::from_millis(2_001), "3")] {
            let busy: ApiError = Failure::<supplier::Refusal>::Busy { retry_after: after }.into();
            let response = busy.into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[RETRY_AFTER], seconds);
        }
    }
}
