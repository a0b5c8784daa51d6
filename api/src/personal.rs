//! Passengers, sealed on their way into the log and opened on their way out of the views. What is personal otherwise (accounts, mail) is
//! sealed where it is kept.

use crate::{
    app::App,
    problem::{Answer, ApiError},
};
use contract::{
    BookingId, CustomerId, LaunchId, Page, Passenger, Seat,
    booking::{SeatPassenger, Trip},
    finance::BookingRow,
};
use domain::{
    passenger::{NamedPassenger, SealedPassenger, age_at},
    sealed::Blind,
};
use projections::{BookingQuery, Closed, EMAIL, WORD, words};
use std::collections::{BTreeMap, BTreeSet};
use vault::{PersonId, Place, Vault, VaultError};

/// How many words of a name are found by.
const NAME_WORDS_MAX: usize = 8;
/// A kind of blind word that nothing is found by.
const NOTHING: &str = "nothing";

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(_)
            | VaultError::Migrate(_)
            | VaultError::Randomness
            | VaultError::MasterMissing(_)
            | VaultError::MasterOutdated(_)
            | VaultError::Masters(_) => Self::unavailable(error),
            VaultError::Erased => Self::not_found(),
            VaultError::Forged | VaultError::KeyMissing | VaultError::TooLarge(_) | VaultError::Form(_) => Self::internal(error),
        }
    }
}

/// The passengers as a command of their launch carries them: sealed for the customer who books.
pub(crate) async fn seal(
    vault: &Vault,
    launch: LaunchId,
    booking: BookingId,
    customer: CustomerId,
    passengers: BTreeMap<Seat, Passenger>,
) -> Result<BTreeMap<Seat, NamedPassenger>, VaultError> {
    let mut named = BTreeMap::new();
    for (seat, passenger) in passengers {
        let sealed = vault.seal(customer.into(), &Place::passenger(launch, booking, seat), &passenger).await?;
        let details = SealedPassenger { sealed, finds: finds(vault, &passenger) };
        named.insert(seat, NamedPassenger { born: passenger.born, details });
    }
    Ok(named)
}

/// What a passenger is found by.
fn finds(vault: &Vault, passenger: &Passenger) -> Vec<Blind> {
    let of_name = words(passenger.name.as_str()).take(NAME_WORDS_MAX).map(|word| vault.blind(WORD, &word));
    let all: BTreeSet<Blind> = of_name.chain([vault.blind(EMAIL, passenger.email.as_str())]).collect();
    all.into_iter().collect()
}

/// Opens the passengers of one answer.
async fn open_one<T>(vault: &Vault, closed: Closed<T>) -> Result<(T, Vec<SeatPassenger>), VaultError> {
    let opened = open_all(vault, vec![closed]).await?.pop();
    opened.ok_or(VaultError::KeyMissing)
}

/// Opens the passengers of many answers, with one question to the vault.
async fn open_all<T>(vault: &Vault, closed: Vec<Closed<T>>) -> Result<Vec<(T, Vec<SeatPassenger>)>, VaultError> {
    let asked: Vec<_> = closed
        .iter()
        .flat_map(|of| {
            let place = |seat: &Seat| Place::passenger(of.launch, of.booking, *seat);
            of.sealed.iter().map(move |(seat, kept)| (PersonId::from(of.customer), place(seat), &kept.sealed))
        })
        .collect();
    let mut opened = vault.open_many::<Passenger>(&asked).await?.into_iter();
    let with_passengers = |of: &Closed<T>| of.sealed.keys().zip(&mut opened).map(|(seat, passenger)| shown(*seat, passenger)).collect();
    let passengers: Vec<Vec<SeatPassenger>> = closed.iter().map(with_passengers).collect();
    Ok(closed.into_iter().map(|of| of.shown).zip(passengers).collect())
}

/// One who was erased has no details any more.
fn shown(seat: Seat, passenger: Option<Passenger>) -> SeatPassenger {
    match passenger {
        Some(Passenger { name, email, phone, born }) => {
            SeatPassenger { seat, name: name.to_string(), email: email.to_string(), phone: phone.as_str().to_owned(), born: Some(born) }
        }
        None => SeatPassenger::erased(seat),
    }
}

impl App {
    /// Bookings as the desks list them. Nobody who was erased is found by name, and by address only for those who may know addresses:
    /// whoever finds one by it knows it.
    pub(crate) async fn desk_bookings(&self, query: &BookingQuery, by_address: bool) -> Answer<Page<Closed<BookingRow>>> {
        let views = &self.views.operations;
        let blinding = |kind: &str, text: &str| self.blind(if kind == EMAIL && !by_address { NOTHING } else { kind }, text);
        let found = views.found_by_passengers(&query.listing.search, &blinding).await?;
        let people: Vec<PersonId> = found.into_iter().map(PersonId::from).collect();
        let gone: Vec<CustomerId> = self.vault.erased(&people).await?.into_iter().map(|person| CustomerId(person.0)).collect();
        Ok(views.bookings(query, &blinding, &gone).await?)
    }

    /// A blind word, for searches.
    pub(crate) fn blind(&self, kind: &str, text: &str) -> Blind {
        self.vault.blind(kind, text)
    }

    /// A trip with its passengers.
    pub(crate) async fn open_trip(&self, closed: Closed<Trip>) -> Answer<Trip> {
        let (mut trip, passengers) = open_one(&self.vault, closed).await?;
        trip.booking.passengers = passengers;
        Ok(trip)
    }

    /// Trips with their passengers.
    pub(crate) async fn open_trips(&self, closed: Page<Closed<Trip>>) -> Answer<Page<Trip>> {
        let (empty, items) = emptied(closed);
        let opened = open_all(&self.vault, items).await?.into_iter();
        let items = opened
            .map(|(mut trip, passengers)| {
                trip.booking.passengers = passengers;
                trip
            })
            .collect();
        Ok(Page { items, ..empty })
    }

    /// Rows of a list with the names of the passengers.
    pub(crate) async fn open_rows(&self, closed: Vec<Closed<BookingRow>>) -> Answer<Vec<BookingRow>> {
        let opened = open_all(&self.vault, closed).await?.into_iter();
        Ok(opened.map(|(row, passengers)| BookingRow { passengers: passengers.into_iter().map(|one| one.name).collect(), ..row }).collect())
    }

    /// The same of a page.
    pub(crate) async fn open_row_page(&self, closed: Page<Closed<BookingRow>>) -> Answer<Page<BookingRow>> {
        let (empty, items) = emptied(closed);
        Ok(Page { items: self.open_rows(items).await?, ..empty })
    }

    /// Rows of a supplier's list: names, and ages on launch day; nothing else of the passengers is theirs to know.
    pub(crate) async fn open_manifest(&self, closed: Page<Closed<BookingRow>>) -> Answer<Page<BookingRow>> {
        let (empty, items) = emptied(closed);
        let opened = open_all(&self.vault, items).await?.into_iter();
        let aged = |row: &BookingRow, passenger: SeatPassenger| match passenger.born {
            Some(born) => format!("{} ({})", passenger.name, age_at(born, row.departs_at)),
            None => passenger.name,
        };
        let items = opened
            .map(|(row, passengers)| {
                let passengers = passengers.into_iter().map(|one| aged(&row, one)).collect();
                BookingRow { passengers, ..row }
            })
            .collect();
        Ok(Page { items, ..empty })
    }
}

/// The page without its items, and they.
fn emptied<T, U>(page: Page<T>) -> (Page<U>, Vec<T>) {
    let Page { items, total, page, per_page, position, stale } = page;
    (Page { items: Vec::new(), total, page, per_page, position, stale }, items)
}
