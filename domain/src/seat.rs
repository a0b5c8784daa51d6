//! Seats and the cabin they stand in.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// A place in a cabin such as `3B`: row from 1, column from A. Ordered by row, then column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seat {
    row: u8,
    column: u8,
}

/// The text is not a seat label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a seat is a row and a letter, such as 3B")]
pub struct NotASeat;

impl Seat {
    /// The seat in `row` (from 1) and `column` (from 0, shown as a letter).
    #[must_use]
    pub fn new(row: u8, column: u8) -> Option<Self> {
        (row >= 1 && column < 26).then_some(Self { row, column })
    }
    /// The row, from 1.
    #[must_use]
    pub fn row(self) -> u8 {
        self.row
    }
    /// The column, from 0.
    #[must_use]
    pub fn column(self) -> u8 {
        self.column
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Seat {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Seat {}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.row, char::from(b'A' + self.column))
    }
}
impl FromStr for Seat {
    type Err = NotASeat;
    fn from_str(text: &str) -> Result<Self, NotASeat> {
        let letter = text.chars().last().filter(char::is_ascii_uppercase).ok_or(NotASeat)?;
        let row = &text[..text.len() - 1];
        if row.starts_with('0') || row.starts_with('+') {
            return Err(NotASeat);
        }
        Self::new(row.parse().map_err(|_| NotASeat)?, letter as u8 - b'A').ok_or(NotASeat)
    }
}
impl TryFrom<String> for Seat {
    type Error = NotASeat;
    fn try_from(text: String) -> Result<Self, NotASeat> {
        text.parse()
    }
}
impl From<Seat> for String {
    fn from(seat: Seat) -> Self {
        seat.to_string()
    }
}

/// Rows of seats, some of which may be blocked. Capacity follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CabinForm", into = "CabinForm")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cabin {
    rows: u8,
    seats_per_row: u8,
    blocked: BTreeSet<Seat>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CabinForm {
    rows: u8,
    seats_per_row: u8,
    #[serde(default)]
    blocked: BTreeSet<Seat>,
}

/// The numbers do not make a cabin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cabin has 1 to {} rows of 1 to {} seats, blocks only seats it has and leaves at least one free",
    Cabin::ROWS_MAX,
    Cabin::SEATS_PER_ROW_MAX
)]
pub struct NotACabin;

impl Cabin {
    /// The most rows a cabin may have.
    pub const ROWS_MAX: u8 = 60;
    /// The most seats a row may have.
    pub const SEATS_PER_ROW_MAX: u8 = 10;

    /// Parses a cabin.
    pub fn new(rows: u8, seats_per_row: u8, blocked: BTreeSet<Seat>) -> Result<Self, NotACabin> {
        let cabin = Self { rows, seats_per_row, blocked };
        let sizes = (1..=Self::ROWS_MAX).contains(&rows) && (1..=Self::SEATS_PER_ROW_MAX).contains(&seats_per_row);
        if !sizes || cabin.blocked.iter().any(|seat| !cabin.has(*seat)) || cabin.capacity() == 0 {
            return Err(NotACabin);
        }
        Ok(cabin)
    }
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u8 {
        self.rows
    }
    /// How many seats in each row.
    #[must_use]
    pub fn seats_per_row(&self) -> u8 {
        self.seats_per_row
    }
    /// The seats nobody may have.
    #[must_use]
    pub fn blocked(&self) -> &BTreeSet<Seat> {
        &self.blocked
    }
    /// Whether the cabin has this place, blocked or not.
    #[must_use]
    pub fn has(&self, seat: Seat) -> bool {
        seat.row <= self.rows && seat.column < self.seats_per_row
    }
    /// Whether the seat may be sold.
    #[must_use]
    pub fn sells(&self, seat: Seat) -> bool {
        self.has(seat) && !self.blocked.contains(&seat)
    }
    /// How many seats may be sold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        usize::from(self.rows) * usize::from(self.seats_per_row) - self.blocked.len()
    }
    /// Every place, row by row.
    pub fn places(&self) -> impl Iterator<Item = Seat> + '_ {
        (1..=self.rows).flat_map(|row| (0..self.seats_per_row).map(move |column| Seat { row, column }))
    }
}

impl TryFrom<CabinForm> for Cabin {
    type Error = NotACabin;
    fn try_from(form: CabinForm) -> Result<Self, NotACabin> {
        Self::new(form.rows, form.seats_per_row, form.blocked)
    }
}
impl From<Cabin> for CabinForm {
    fn from(cabin: Cabin) -> Self {
        Self { rows: cabin.rows, seats_per_row: cabin.seats_per_row, blocked: cabin.blocked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_reads_back_as_itself() {
        for seat in Cabin::new(60, 10, BTreeSet::new()).expect("a cabin").places() {
            assert_eq!(seat.to_string().parse(), Ok(seat));
        }
        for bad in ["", "B", "3", "0A", "03B", "3b", "+3B", "999B", "3É"] {
            assert_eq!(bad.parse::<Seat>(), Err(NotASeat), "{bad}");
        }
    }

    fn labels(text: &str) -> BTreeSet<Seat> {
        text.split_whitespace().map(|label| label.parse().expect("a seat")).collect()
    }

    #[test]
    fn seats_are_in_order_of_row_then_letter() {
        let ordered: Vec<String> = labels("10A 2B 1C 2A").iter().map(ToString::to_string).collect();
        assert_eq!(ordered, ["1C", "2A", "2B", "10A"]);
    }

    #[test]
    fn capacity_follows_from_the_cabin() {
        let cabin = Cabin::new(6, 4, labels("6A 6D")).expect("a cabin");
        assert_eq!((cabin.capacity(), cabin.places().count()), (22, 24));
        assert_eq!(cabin.places().filter(|seat| cabin.sells(*seat)).count(), cabin.capacity());
    }

    #[test]
    fn a_cabin_sells_what_it_has_and_has_not_blocked() {
        let cabin = Cabin::new(2, 2, labels("2B")).expect("a cabin");
        let sold: Vec<String> = cabin.places().filter(|seat| cabin.sells(*seat)).map(|seat| seat.to_string()).collect();
        assert_eq!(sold, ["1A", "1B", "2A"]);
        for elsewhere in labels("1C 3A 2B") {
            assert!(!cabin.sells(elsewhere), "{elsewhere}");
        }
        assert!(cabin.has(Seat::new(2, 1).expect("a seat")));
    }

    #[test]
    fn refuses_what_is_not_a_cabin() {
        for (rows, seats_per_row, blocked) in
            [(0, 4, ""), (4, 0, ""), (61, 1, ""), (1, 11, ""), (2, 2, "3A"), (2, 2, "1C"), (1, 2, "1A 1B")]
        {
            assert_eq!(Cabin::new(rows, seats_per_row, labels(blocked)), Err(NotACabin), "{rows} {seats_per_row} {blocked}");
        }
        assert_eq!(Cabin::new(60, 10, BTreeSet::new()).map(|cabin| cabin.capacity()), Ok(600));
    }

    #[test]
    fn a_stored_cabin_is_checked_like_a_typed_one() {
        let read = |text: &str| serde_json::from_str::<Cabin>(text);
        assert!(read(r#"{"rows":2,"seats_per_row":2}"#).is_ok_and(|cabin| cabin.capacity() == 4));
        assert!(read(r#"{"rows":2,"seats_per_row":2,"blocked":["9A"]}"#).is_err());
        assert!(read(r#"{"rows":2,"seats_per_row":2,"doors":1}"#).is_err());
    }

    #[test]
    fn there_is_no_row_0_and_no_27th_letter() {
        assert_eq!((Seat::new(0, 0), Seat::new(1, 26)), (None, None));
        assert_eq!(Seat::new(255, 25).map(|seat| seat.to_string()), Some("255Z".to_owned()));
    }
}
