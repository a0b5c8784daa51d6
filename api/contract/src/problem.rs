//! The one shape of an error.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $status:literal;)*) => {
        /// What went wrong, as a word a program can match. Words are added, never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    /// The body, query or path cannot be read or breaks a form rule; `details.fields` names each field.
    BadRequest 400;
    /// A command without `Idempotency-Key`, or one that is not a UUID.
    IdempotencyKeyMissing 400;
    /// Nobody is signed in.
    SignInRequired 401;
    /// The e-mail or the password is wrong.
    WrongCredentials 401;
    /// The password is right; now the code of the second factor, or a recovery code.
    SecondFactorRequired 401;
    /// The code is wrong, was used, or is too old.
    SecondFactorWrong 401;
    /// The role needs a second factor: set it up first.
    EnrolmentRequired 403;
    /// An operator has disabled the account.
    AccountDisabled 403;
    /// The role may not do this.
    Forbidden 403;
    /// A request from another site's page.
    ForeignOrigin 403;
    /// There is no such thing, or it is another's.
    NotFound 404;
    /// The path exists, the method does not.
    MethodNotAllowed 405;
    /// The body did not come in time.
    BodyTooSlow 408;
    /// The body is larger than allowed.
    BodyTooLarge 413;
    /// The path and query are longer than allowed.
    AddressTooLong 414;
    /// There are more headers, or longer ones, than allowed.
    HeadersTooLarge 431;
    /// The body is not JSON by its content type.
    NotJson 415;
    /// The key was used with another body.
    IdempotencyKeyReused 422;
    /// Too many requests; `Retry-After` says when.
    TooManyRequests 429;
    /// One or more seats were just taken; `details.seats`.
    SeatsTaken 409;
    /// The cabin has no such seat to sell.
    NoSuchSeat 409;
    /// No seat was chosen.
    NoSeats 409;
    /// More seats than one customer may have; `details.limit`, `details.already`.
    SeatLimitReached 409;
    /// The launch is over; `details.status`.
    NotOpen 409;
    /// The launch has departed.
    Departed 409;
    /// The launch has not departed yet.
    NotDeparted 409;
    /// Too few seats are sold.
    NotConfirmed 409;
    /// The hold ended.
    HoldExpired 409;
    /// The hold is not over yet.
    HoldNotOver 409;
    /// A passenger is too young or too old; `details.seat`, `details.age`.
    AgeOutOfRange 409;
    /// Each seat needs one passenger.
    PassengersDoNotMatch 409;
    /// Passengers first, then payment.
    PassengersMissing 409;
    /// A payment is on its way; look again shortly.
    PaymentInFlight 409;
    /// The card was declined; `details.reason`.
    PaymentDeclined 402;
    /// The provider did not answer; the payment is looked after and shown in the booking.
    PaymentUnknown 409;
    /// The card is not one the provider knows.
    BadCard 400;
    /// The booking is over; `details.stage`.
    BookingClosed 409;
    /// The booking's id is used by another.
    BookingIdUsed 409;
    /// It is cancelled already.
    AlreadyCancelled 409;
    /// The launch has departed.
    TooLateToCancel 409;
    /// The refund is no longer what was quoted; `details.refund`.
    QuoteChanged 409;
    /// Nobody sits there.
    NoPassenger 409;
    /// A launch needs more lead time; `details.earliest`.
    TooSoon 409;
    /// The rocket does not reach the destination.
    OutOfRange 409;
    /// The rocket is retired.
    RocketRetired 409;
    /// The rocket is needed elsewhere too soon.
    TurnaroundTooShort 409;
    /// The price is not positive, or far too high.
    PriceOutOfRange 409;
    /// The minimum of seats does not fit the cabin.
    MinimumOutOfRange 409;
    /// A delay moves to a later moment.
    NotLater 409;
    /// The launch is not aborted.
    NotAborted 409;
    /// It exists already.
    AlreadyExists 409;
    /// Bookings are not over, or money is on its way back; `details.bookings`.
    OpenBookings 409;
    /// There is an account with this e-mail.
    EmailTaken 409;
    /// The link was used, or is too old: ask for another.
    LinkExpired 409;
    /// Nobody does this to their own account.
    OwnAccount 409;
    /// The view is being rebuilt already; look again when that is done.
    RebuildGoingOn 409;
    /// No version before this one is kept.
    NothingToGoBackTo 409;
    /// Any other refusal of the rules.
    Refused 409;
    /// Something broke here; nothing is known to have happened.
    Internal 500;
    /// A server behind is down or busy; `Retry-After` says when to try again.
    Unavailable 503;
    /// It is not shown, perhaps because it was made a moment ago; `Retry-After` says when to look again.
    NotShownYet 503;
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong and what to do, for people.
    pub message: String,
    /// More about it; its shape follows from the code.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}
