//! Money as an integer of minor units with its currency; never a float.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An ISO 4217 currency; US dollars today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Currency {
    /// United States dollar, two decimals.
    #[default]
    USD,
}

/// An amount in minor units (cents) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Money {
    /// Cents; negative only in differences.
    pub minor: i64,
    /// The currency of the cents.
    pub currency: Currency,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self::cents(0);
    /// The most one amount may be: ten thousand million dollars, far below overflow when summed.
    pub const MAX: Self = Self::dollars(10_000_000_000);

    /// Whole cents of US dollars.
    #[must_use]
    pub const fn cents(minor: i64) -> Self {
        Self { minor, currency: Currency::USD }
    }
    /// Whole US dollars.
    #[must_use]
    pub const fn dollars(dollars: i64) -> Self {
        Self::cents(dollars * 100)
    }
    /// This amount `count` times.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self { minor: self.minor.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)), ..self }
    }
    /// The sum; one currency exists today, so amounts always add.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { minor: self.minor.saturating_add(other.minor), ..self }
    }
    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { minor: self.minor.saturating_sub(other.minor), ..self }
    }
    /// `percent` of this amount, rounded half to even on the cent.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        self.basis_points(u32::from(percent) * 100)
    }
    /// `points` ten-thousandths of this amount, rounded half to even on the cent.
    #[must_use]
    pub fn basis_points(self, points: u32) -> Self {
        let product = i128::from(self.minor) * i128::from(points);
        let (whole, rest) = (product.div_euclid(10_000), product.rem_euclid(10_000));
        let up = rest > 5_000 || (rest == 5_000 && whole % 2 != 0);
        Self { minor: i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX), ..self }
    }
    /// Whether there is something to pay.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.minor > 0
    }
}

impl fmt::Display for Money {
    /// `$1,250,000` or, with cents, `$1,250,000.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, cents) = (self.minor.unsigned_abs() / 100, self.minor.unsigned_abs() % 100);
        let digits = whole.to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if self.minor < 0 { "-" } else { "" };
        if cents == 0 { write!(f, "{sign}${grouped}") } else { write!(f, "{sign}${grouped}.{cents:02}") }
    }
}

/// The text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an amount is dollars and at most two decimals, such as 1250000 or 1,250,000.50")]
pub struct NotMoney;

impl FromStr for Money {
    type Err = NotMoney;
    /// Reads dollars: `1250000`, `$1,250,000.50`. Refuses signs, more than two decimals and more than [`Money::MAX`].
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let text = text.trim().trim_start_matches('$').replace([',', ' '], "");
        let (whole, cents) = text.split_once('.').unwrap_or((&text, ""));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(cents) || cents.len() > 2 {
            return Err(NotMoney);
        }
        let whole: i64 = whole.parse().map_err(|_| NotMoney)?;
        let cents: i64 = format!("{cents:0<2}").parse().map_err(|_| NotMoney)?;
        whole
            .checked_mul(100)
            .and_then(|minor| minor.checked_add(cents))
            .map(Self::cents)
            .filter(|amount| *amount <= Self::MAX)
            .ok_or(NotMoney)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounds_half_to_even() {
        assert_eq!(Money::cents(50).percent(1), Money::cents(0));
        assert_eq!(Money::cents(150).percent(1), Money::cents(2));
        assert_eq!(Money::cents(250).percent(1), Money::cents(2));
        assert_eq!(Money::cents(251).percent(1), Money::cents(3));
    }

    #[test]
    fn reads_and_shows_dollars() {
        assert_eq!("$1,250,000.5".parse(), Ok(Money::cents(125_000_050)));
        assert_eq!(Money::cents(125_000_050).to_string(), "$1,250,000.50");
        assert_eq!(Money::dollars(250_000).to_string(), "$250,000");
        for bad in ["", "-1", "1.234", "ten", "1e9", "99999999999"] {
            assert_eq!(bad.parse::<Money>(), Err(NotMoney), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_reads_back_as_shown(minor in 0..=Money::MAX.minor) {
            prop_assert_eq!(Money::cents(minor).to_string().parse(), Ok(Money::cents(minor)));
        }

        /// Against the definition: no whole number is nearer, and a tie goes to the even one.
        #[test]
        fn a_share_is_the_nearest_cent_and_a_tie_the_even_one(minor in -Money::MAX.minor..=Money::MAX.minor, points in 0..=10_000_u32) {
            let share = i128::from(Money::cents(minor).basis_points(points).minor);
            let error = (share * 10_000 - i128::from(minor) * i128::from(points)).abs();
            prop_assert!(error < 5_000 || (error == 5_000 && share % 2 == 0));
        }

        #[test]
        fn no_share_is_more_than_everything(minor in 0..=Money::MAX.minor, percent in 0..=100_u8) {
            let share = Money::cents(minor).percent(percent);
            prop_assert!(Money::ZERO <= share && share <= Money::cents(minor));
            prop_assert_eq!(Money::cents(minor).percent(100), Money::cents(minor));
        }
    }

    #[test]
    fn six_seats_at_the_highest_price_are_counted_exactly() {
        assert_eq!(Money::MAX.times(6), Money::dollars(60_000_000_000));
        assert_eq!(Money::dollars(55_000_000).times(600).to_string(), "$33,000,000,000");
    }

    #[test]
    fn a_difference_shows_its_sign() {
        assert_eq!(Money::cents(5).minus(Money::dollars(2)).to_string(), "-$1.95");
        assert_eq!(Money::cents(5).to_string(), "$0.05");
    }
}
