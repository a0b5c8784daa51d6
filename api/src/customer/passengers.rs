//! Passengers as typed, read field by field. Whether they may fly is the launch's to decide.

use crate::problem::{Answer, Fields};
use contract::{Email, Line, Passenger, Phone, Seat, booking::PassengerForm};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Passengers read at once: no booking has more seats.
const PASSENGERS_MAX: usize = 12;

/// The passengers by seat, or every field that cannot be accepted as `passengers.<seat>.<field>`.
pub(super) fn read(forms: &[PassengerForm]) -> Answer<BTreeMap<Seat, Passenger>> {
    let mut fields = Fields::default();
    let mut passengers = BTreeMap::new();
    if forms.len() > PASSENGERS_MAX {
        fields.refuse("passengers", format!("can be at most {PASSENGERS_MAX}"));
        return Err(fields.into_error());
    }
    for (index, form) in forms.iter().enumerate() {
        let Some(seat) = fields.take(&format!("passengers.{index}.seat"), form.seat.parse::<Seat>()) else { continue };
        let field = |name: &str| format!("passengers.{seat}.{name}");
        let name = fields.take(&field("name"), Line::new(&form.name));
        let email = fields.take(&field("email"), Email::new(&form.email));
        let phone = fields.take(&field("phone"), Phone::new(&form.phone));
        let born = fields.take(&field("born"), form.born.trim().parse::<Date>().map_err(|_| "must be a date such as 1990-12-31"));
        if let (Some(name), Some(email), Some(phone), Some(born)) = (name, email, phone, born)
            && passengers.insert(seat, Passenger { name, email, phone, born }).is_some()
        {
            fields.refuse(&field("seat"), "is named twice");
        }
    }
    fields.check()?;
    Ok(passengers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ada() -> PassengerForm {
        PassengerForm {
            seat: "2C".into(),
            name: "Ada Lovelace".into(),
            email: "ada@example.org".into(),
            phone: "+44 20 7946 0000".into(),
            born: "1990-12-10".into(),
        }
    }

    #[test]
    fn names_every_field_that_is_wrong() {
        assert_eq!(read(&[ada()]).unwrap().len(), 1);
        let wrong = PassengerForm { name: " ".into(), email: "ada".into(), phone: "x".into(), born: "10.12.1990".into(), ..ada() };
        let problem = format!("{:?}", read(&[wrong]).unwrap_err());
        for field in ["passengers.2C.name", "passengers.2C.email", "passengers.2C.phone", "passengers.2C.born"] {
            assert!(problem.contains(field), "{field}: {problem}");
        }
        assert!(format!("{:?}", read(&[ada(), ada()]).unwrap_err()).contains("twice"));
        assert!(format!("{:?}", read(&[PassengerForm { seat: "C2".into(), ..ada() }]).unwrap_err()).contains("passengers.0.seat"));
    }
}
