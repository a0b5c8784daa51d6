//! Who sits in a seat. Personal data: kept out of ids, subjects, logs and URLs, and sealed in events and views. Sealing is the vault's.

use crate::{
    policy::PassengerAge,
    sealed::{Blind, Sealed},
    text::Line,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A passenger's details, as typed. What is stored of them is a [`SealedPassenger`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Passenger {
    /// As in the passport.
    pub name: Line,
    /// Where to write.
    pub email: Email,
    /// Where to call.
    pub phone: Phone,
    /// Day of birth.
    pub born: Date,
}

/// Whole years of one born on a day, on the day (in UTC) of `at`.
#[must_use]
pub fn age_at(born: Date, at: Timestamp) -> i16 {
    let day = at.to_zoned(TimeZone::UTC).date();
    let had_birthday = (day.month(), day.day()) >= (born.month(), born.day());
    day.year() - born.year() - i16::from(!had_birthday)
}

/// A passenger as events, states and views keep one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPassenger {
    /// A [`Passenger`], under the key of the customer who booked.
    pub sealed: Sealed,
    /// The words of the name and the address, blind: found by, not read. None for those named before there was a vault.
    pub finds: Vec<Blind>,
}

impl SealedPassenger {
    /// One who was named before there was a vault.
    #[must_use]
    pub fn plain(passenger: &Passenger) -> Self {
        Self { sealed: Sealed::plain(passenger), finds: Vec::new() }
    }
}

/// A passenger as a command carries one: the rule on age needs the day of birth, nothing else does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPassenger {
    /// Day of birth; not stored.
    pub born: Date,
    /// What is stored.
    pub details: SealedPassenger,
}

impl NamedPassenger {
    /// Whole years on the day (in UTC) of `at`.
    #[must_use]
    pub fn age_at(&self, at: Timestamp) -> i16 {
        age_at(self.born, at)
    }
    /// Whether the age at `at` is within the policy.
    #[must_use]
    pub fn may_fly(&self, at: Timestamp, age: &PassengerAge) -> bool {
        (i16::from(age.from)..=i16::from(age.to)).contains(&self.age_at(at))
    }
}

/// An e-mail address: one `@`, a dot in the domain, no spaces or control characters, at most 254 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.org")]
pub struct NotAnEmail;

impl Email {
    /// The longest address, in bytes.
    pub const BYTES_MAX: usize = 254;

    /// Parses, trimming spaces around.
    pub fn new(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(NotAnEmail)?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"@".contains(c);
        let labels = domain.split('.').count() >= 2
            && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if local.is_empty() || text.len() > Self::BYTES_MAX || !labels || !local.chars().chain(domain.chars()).all(plain) {
            return Err(NotAnEmail);
        }
        Ok(Self(text.to_owned()))
    }
    /// The address as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The address as compared: lower case.
    #[must_use]
    pub fn normalised(&self) -> String {
        self.0.to_lowercase()
    }
}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl TryFrom<String> for Email {
    type Error = NotAnEmail;
    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        Self::new(&text)
    }
}
impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// A phone number: 5 to 20 digits, with spaces, dashes, brackets and a leading plus allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Phone(String);

/// The text is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone number such as +1 321 555 0100")]
pub struct NotAPhone;

impl Phone {
    /// Parses, trimming spaces around.
    pub fn new(text: &str) -> Result<Self, NotAPhone> {
        let text = text.trim();
        let rest = text.strip_prefix('+').unwrap_or(text);
        let digits = rest.chars().filter(char::is_ascii_digit).count();
        let plain = rest.chars().all(|c| c.is_ascii_digit() || " -().".contains(c));
        if !(5..=20).contains(&digits) || !plain || text.len() > 40 {
            return Err(NotAPhone);
        }
        Ok(Self(text.to_owned()))
    }
    /// The number as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TryFrom<String> for Phone {
    type Error = NotAPhone;
    fn try_from(text: String) -> Result<Self, NotAPhone> {
        Self::new(&text)
    }
}
impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn age(born: &str, at: &str) -> i16 {
        age_at(born.parse().unwrap(), at.parse().unwrap())
    }

    #[test]
    fn one_is_a_year_older_on_the_birthday() {
        assert_eq!(age("2010-06-15", "2028-06-14T23:59:59Z"), 17);
        assert_eq!(age("2010-06-15", "2028-06-15T00:00:00Z"), 18);
        assert_eq!(age("2010-12-31", "2028-01-01T00:00:00Z"), 17);
    }

    #[test]
    fn who_was_born_on_29_february_is_a_year_older_on_1_march_of_other_years() {
        assert_eq!(age("2008-02-29", "2026-02-28T12:00:00Z"), 17);
        assert_eq!(age("2008-02-29", "2026-03-01T00:00:00Z"), 18);
        assert_eq!(age("2008-02-29", "2028-02-29T00:00:00Z"), 20);
    }

    #[test]
    fn the_ends_of_the_calendar_have_an_age() {
        assert_eq!(age("-009999-01-01", "9999-12-30T00:00:00Z"), 19_998);
        assert_eq!(age("9999-12-31", "-009999-01-02T01:59:59Z"), -19_999);
    }

    #[test]
    fn an_e_mail_address_has_a_name_an_at_and_a_domain() {
        for good in ["ada@example.org", "a.b+c@mail.example.co.uk", " ada@example.org ", "o'neil@example.org", "ada@exämple.org"] {
            assert!(Email::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@example",
            "ada@.org",
            "ada@example.",
            "ada@-a.org",
            "ada@a-.org",
            "a b@example.org",
            "ada@exa mple.org",
            "ada@example.org\nBcc: x@y.z",
            "a@b@example.org",
            "Ada <ada@example.org>",
            "a,b@example.org",
            "a;b@example.org",
        ] {
            assert_eq!(Email::new(bad), Err(NotAnEmail), "{bad}");
        }
    }

    #[test]
    fn an_e_mail_address_has_at_most_254_bytes() {
        let local = |bytes: usize| format!("{}@example.org", "a".repeat(bytes - "@example.org".len()));
        assert!(Email::new(&local(254)).is_ok());
        assert_eq!(Email::new(&local(255)), Err(NotAnEmail));
    }

    #[test]
    fn an_e_mail_address_is_kept_as_typed_and_compared_in_lower_case() {
        let email = Email::new("Ada@Example.ORG").unwrap();
        assert_eq!((email.as_str(), email.normalised().as_str()), ("Ada@Example.ORG", "ada@example.org"));
    }

    #[test]
    fn a_phone_number_has_5_to_20_digits() {
        for good in ["55501", "+1 (321) 555-0100", "030.123.456", "12345678901234567890"] {
            assert!(Phone::new(good).is_ok(), "{good}");
        }
        for bad in ["", "1234", "123456789012345678901", "555-0100 ext 3", "++1 5550100", "1+5550100", "٠١٢٣٤٥٦", "555\n0100"] {
            assert_eq!(Phone::new(bad), Err(NotAPhone), "{bad}");
        }
    }
}
