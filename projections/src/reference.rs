//! What a customer says on the phone instead of a booking's id.

use domain::id::BookingId;
use uuid::Uuid;

/// Crockford's base 32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `B-7Q2K-91XA`: 40 bits that follow from the id, whoever chose it.
#[must_use]
pub fn of(booking: BookingId) -> String {
    let digest = Uuid::new_v5(&booking.0, b"reference").into_bytes();
    let bits = digest[..5].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letters: String = (0..8).rev().map(|n| char::from(ALPHABET[(bits >> (5 * n) & 31) as usize])).collect();
    format!("B-{}-{}", &letters[..4], &letters[4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_fixed_for_ever() {
        assert_eq!([0, 1].map(|n| of(BookingId(Uuid::from_u128(n)))), ["B-J8DW-M48C", "B-72PG-5XX5"]);
    }
}
