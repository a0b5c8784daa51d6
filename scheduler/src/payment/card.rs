//! A card as typed, parsed. Its number goes to the provider and nowhere else: not into events, logs or answers.

use domain::booking::Card;
use jiff::{Timestamp, tz::TimeZone};
use std::fmt;

/// The fewest and the most digits of a card number.
const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;
/// How many years ahead an expiry may lie.
const EXPIRY_YEARS_MAX: i16 = 20;

/// A card whose number passes the Luhn check, that has not expired.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentCard {
    number: String,
    year: i16,
    month: i8,
    cvc: String,
}

impl fmt::Debug for PaymentCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentCard { .. }")
    }
}

/// What is wrong with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCard {
    /// Not a card number: digits, length or check digit.
    #[error("check the card number")]
    Number,
    /// The provider does not know it.
    #[error("this card is not known to the payment provider")]
    Unknown,
    /// Not `mm/yy`.
    #[error("an expiry date is month and year, such as 09/29")]
    Expiry,
    /// It has expired.
    #[error("the card has expired")]
    Expired,
    /// Not 3 or 4 digits.
    #[error("the security code has 3 or 4 digits")]
    Cvc,
}

impl BadCard {
    /// The field of the payment form it is about.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Number | Self::Unknown => "card_number",
            Self::Expiry | Self::Expired => "expiry",
            Self::Cvc => "cvc",
        }
    }
}

impl PaymentCard {
    /// Parses a card as typed: spaces and dashes in the number, `mm/yy` or `mm/yyyy`. `now` tells whether it has expired.
    pub fn parse(number: &str, expiry: &str, cvc: &str, now: Timestamp) -> Result<Self, BadCard> {
        let number: String = number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if !DIGITS.contains(&number.len()) || !digits(&number) || !luhn(&number) {
            return Err(BadCard::Number);
        }
        let (month, year) = expiry.trim().split_once('/').ok_or(BadCard::Expiry)?;
        let (month, year) = (month.trim(), year.trim());
        if !digits(month) || !digits(year) || month.len() > 2 || !matches!(year.len(), 2 | 4) {
            return Err(BadCard::Expiry);
        }
        let month: i8 = month.parse().map_err(|_| BadCard::Expiry)?;
        let century = if year.len() == 2 { 2_000 } else { 0 };
        let year = century + year.parse::<i16>().map_err(|_| BadCard::Expiry)?;
        let today = now.to_zoned(TimeZone::UTC).date();
        if !(1..=12).contains(&month) || year > today.year() + EXPIRY_YEARS_MAX {
            return Err(BadCard::Expiry);
        }
        // A card is good to the end of its month.
        if (year, month) < (today.year(), today.month()) {
            return Err(BadCard::Expired);
        }
        let cvc = cvc.trim();
        if !matches!(cvc.len(), 3 | 4) || !digits(cvc) {
            return Err(BadCard::Cvc);
        }
        Ok(Self { number, year, month, cvc: cvc.to_owned() })
    }

    /// What may be kept of it.
    #[must_use]
    pub fn kept(&self) -> Card {
        Card { brand: self.brand().to_owned(), last4: self.number[self.number.len() - 4..].to_owned() }
    }

    /// The number, for the provider.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }
    /// Year and month of expiry, for the provider.
    #[must_use]
    pub fn expiry(&self) -> (i16, i8) {
        (self.year, self.month)
    }
    /// The security code, for the provider.
    #[must_use]
    pub fn cvc(&self) -> &str {
        &self.cvc
    }

    fn brand(&self) -> &'static str {
        let first = |count: usize| self.number[..count].parse::<u32>().unwrap_or_default();
        match (first(1), first(2), first(4)) {
            (4, ..) => "visa",
            (_, 51..=55, _) | (_, _, 2_221..=2_720) => "mastercard",
            (_, 34 | 37, _) => "amex",
            (_, 36 | 38, _) => "diners",
            (_, 35, _) => "jcb",
            (_, 62, _) => "unionpay",
            (_, 65, _) | (_, _, 6_011) => "discover",
            _ => "card",
        }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the check digit fits: every second digit from the right doubled, cross sums added, a multiple of ten.
fn luhn(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = if place % 2 == 1 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(number: &str, expiry: &str, cvc: &str) -> Result<PaymentCard, BadCard> {
        PaymentCard::parse(number, expiry, cvc, "2026-11-22T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn keeps_brand_and_last_digits_only() {
        let card = parse("4242 4242-4242 4242", "11/26", "123").unwrap();
        assert_eq!(card.kept(), Card { brand: "visa".into(), last4: "4242".into() });
        assert_eq!(format!("{card:?}"), "PaymentCard { .. }");
        assert_eq!(parse("5555555555554444", "01/2030", "1234").unwrap().kept().brand, "mastercard");
    }

    #[test]
    fn says_which_field_is_wrong() {
        for number in ["", "4242", "4242 4242 4242 4241", "4242 4242 4242 424x", "42424242424242424242424242"] {
            assert_eq!(parse(number, "11/26", "123"), Err(BadCard::Number), "{number}");
        }
        for expiry in ["", "1126", "13/27", "0/27", "1/7", "01/2099", "-1/27", "é/27"] {
            assert_eq!(parse("4242424242424242", expiry, "123"), Err(BadCard::Expiry), "{expiry}");
        }
        assert_eq!(parse("4242424242424242", "10/26", "123"), Err(BadCard::Expired));
        for cvc in ["", "12", "12345", "12a"] {
            assert_eq!(parse("4242424242424242", "12/26", cvc), Err(BadCard::Cvc), "{cvc}");
        }
    }
}
