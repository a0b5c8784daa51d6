//! How often one address or one account may ask, by the class of what is asked for. Counted by each process for itself.
//!
//! Each key has a bucket of tokens that fills up steadily; a request takes one. Only buckets that are not full are remembered.

use crate::problem::{Answer, ApiError};
use contract::Code;
use domain::id::AccountId;
use http::Method;
use std::{
    collections::HashMap,
    net::IpAddr,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Buckets remembered, at most. Strangers beyond that share one.
const BUCKETS_MAX: usize = 50_000;
/// How often full buckets are looked for when there is no room.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Connections of a process at once.
pub const CONNECTIONS_MAX: usize = 8_192;
/// Connections of one address at once.
pub const CONNECTIONS_PER_ADDRESS_MAX: u32 = 256;

/// What is asked for, as limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Trying a password or a code.
    SignIn,
    /// What sends mail to an address that a stranger names: signing up, a forgotten password.
    Mail,
    /// Anything else that changes something.
    Command,
    /// Looking at something.
    Read,
    /// Searching, which costs the store more.
    Search,
    /// Everything about a person at once.
    Export,
    /// Pages and their files.
    Page,
}

/// So many at once, and one more after each pause.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    pause: Duration,
}

const fn rate(burst: u32, pause_ms: u64) -> Option<Rate> {
    Some(Rate { burst, pause: Duration::from_millis(pause_ms) })
}

/// Class, its name, the rate of an address, the rate of an account.
type Row = (Class, &'static str, Option<Rate>, Option<Rate>);

/// Many people share an address, so its rates are several times those of an account.
const TABLE: [Row; 7] = [
    (Class::SignIn, "sign-in", rate(30, 2_000), rate(20, 3_000)),
    (Class::Mail, "mail", rate(10, 30_000), rate(5, 60_000)),
    (Class::Command, "command", rate(200, 20), rate(60, 100)),
    (Class::Read, "read", rate(600, 5), rate(300, 20)),
    (Class::Search, "search", rate(120, 50), rate(60, 200)),
    (Class::Export, "export", rate(20, 30_000), rate(8, 60_000)),
    (Class::Page, "page", rate(1_000, 2), None),
];

impl Class {
    /// Of a request by its route as declared; none where no route of a service matched.
    #[must_use]
    pub fn of(method: &Method, route: Option<&str>, query: bool) -> Self {
        let Some(route) = route.filter(|route| route.starts_with("/api/")) else { return Self::Page };
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match route {
            "/api/core/session" if !safe => Self::SignIn,
            "/api/core/accounts/confirm" | "/api/core/password/reset" | "/api/core/password" => Self::SignIn,
            "/api/core/totp" | "/api/core/totp/confirm" | "/api/core/recovery-codes" if !safe => Self::SignIn,
            "/api/core/accounts" | "/api/core/password/forgotten" | "/api/core/accounts/staff" if !safe => Self::Mail,
            "/api/customer/export" | "/api/core/erasure" => Self::Export,
            "/api/core/accounts" | "/api/core/logs" | "/api/core/security-events" | "/api/core/streams" => Self::Search,
            _ if !safe => Self::Command,
            _ if query => Self::Search,
            _ => Self::Read,
        }
    }

    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// Whether limits hold, and how wide they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// There are none: for measuring.
    Off,
    /// So many times what the table says.
    Times(u32),
}

impl FromStr for Width {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "default" => Ok(Self::Times(1)),
            times => match times.parse() {
                Ok(times) if (1..=1_000).contains(&times) => Ok(Self::Times(times)),
                _ => Err("must be `default`, `off`, or a number from 1 to 1000 that the limits are multiplied by".into()),
            },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(Class, IpAddr),
    Account(Class, AccountId),
    /// Everyone there is no room for.
    Others(Class),
}

#[derive(Debug)]
struct Buckets {
    /// When each bucket is full again.
    full_at: HashMap<Key, Instant>,
    swept_at: Option<Instant>,
}

/// The buckets of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits {
    width: Width,
    buckets: Arc<Mutex<Buckets>>,
    max: usize,
}

impl Limits {
    /// All buckets full.
    #[must_use]
    pub fn new(width: Width) -> Self {
        Self { width, buckets: Arc::new(Mutex::new(Buckets { full_at: HashMap::new(), swept_at: None })), max: BUCKETS_MAX }
    }

    /// Takes a token of an address, or says when there is one.
    pub fn address(&self, class: Class, address: IpAddr) -> Answer<()> {
        let (_, name, rate, _) = class.row();
        self.take(Key::Address(class, address), *rate, Instant::now()).map_err(|wait| refused(name, wait))
    }

    /// Takes a token of an account, or says when there is one.
    pub fn account(&self, class: Class, account: AccountId) -> Answer<()> {
        let (_, name, _, rate) = class.row();
        self.take(Key::Account(class, account), *rate, Instant::now()).map_err(|wait| refused(name, wait))
    }

    fn take(&self, key: Key, rate: Option<Rate>, now: Instant) -> Result<(), Duration> {
        let (Width::Times(times), Some(Rate { burst, pause })) = (self.width, rate) else { return Ok(()) };
        // Times as wide: the bucket is larger and fills faster.
        let (burst, pause) = (burst.saturating_mul(times), pause / times);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = buckets.room_for(key, self.max, now);
        let full_at = buckets.full_at.get(&key).copied().unwrap_or(now).max(now);
        let missing = full_at - now;
        let capacity = pause * (burst - 1);
        if missing > capacity {
            return Err(missing - capacity);
        }
        buckets.full_at.insert(key, full_at + pause);
        Ok(())
    }
}

impl Buckets {
    fn room_for(&mut self, key: Key, max: usize, now: Instant) -> Key {
        if self.full_at.len() < max || self.full_at.contains_key(&key) {
            return key;
        }
        if self.swept_at.is_none_or(|swept| now.duration_since(swept) >= SWEEP_EVERY) {
            self.swept_at = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() < max {
                return key;
            }
        }
        match key {
            Key::Address(class, _) | Key::Account(class, _) | Key::Others(class) => Key::Others(class),
        }
    }
}

fn refused(limit: &str, wait: Duration) -> ApiError {
    ApiError::new(Code::TooManyRequests, "Too many requests. Wait a moment and try again.")
        .with(serde_json::json!({ "limit": limit }))
        .retry_after(wait)
}

/// Connections that are open, counted by address.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<IpAddr, u32>,
}

/// One connection that is open; closed when dropped.
#[derive(Debug)]
pub struct Held {
    from: IpAddr,
    open: Arc<Mutex<Open>>,
}

impl Connections {
    /// Counts a connection; none when there are too many, in all or of this address, unless that `brings_many`.
    #[must_use]
    pub fn take(&self, from: IpAddr, brings_many: bool) -> Option<Held> {
        let from = super::address::Address::of(from).network();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = open.of.get(&from).copied().unwrap_or(0);
        if open.all >= CONNECTIONS_MAX || (of >= CONNECTIONS_PER_ADDRESS_MAX && !brings_many) {
            return None;
        }
        open.all += 1;
        open.of.insert(from, of + 1);
        Some(Held { from, open: self.0.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(of) = open.of.get_mut(&self.from) {
            *of -= 1;
            if *of == 0 {
                open.of.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEN: Option<Rate> = rate(10, 1_000);

    fn from(last: u8) -> Key {
        Key::Address(Class::Read, IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn the_table_is_in_the_order_of_the_classes() {
        for (index, (class, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*class as usize, index);
        }
    }

    /// Operations whose class does not follow from their method alone.
    const OF_THEIR_OWN: [(&str, Class); 18] = [
        ("POST /api/core/session", Class::SignIn),
        ("DELETE /api/core/session", Class::SignIn),
        ("POST /api/core/accounts/confirm", Class::SignIn),
        ("POST /api/core/password", Class::SignIn),
        ("POST /api/core/password/reset", Class::SignIn),
        ("POST /api/core/totp", Class::SignIn),
        ("DELETE /api/core/totp", Class::SignIn),
        ("POST /api/core/totp/confirm", Class::SignIn),
        ("POST /api/core/recovery-codes", Class::SignIn),
        ("POST /api/core/accounts", Class::Mail),
        ("POST /api/core/accounts/staff", Class::Mail),
        ("POST /api/core/password/forgotten", Class::Mail),
        ("GET /api/core/accounts", Class::Search),
        ("GET /api/core/logs", Class::Search),
        ("GET /api/core/security-events", Class::Search),
        ("GET /api/core/streams", Class::Search),
        ("GET /api/customer/export", Class::Export),
        ("POST /api/core/erasure", Class::Export),
    ];

    #[test]
    fn every_operation_is_of_its_class() {
        let mut own = std::collections::BTreeMap::from(OF_THEIR_OWN);
        let mut others = 0;
        for service in crate::core::token::Service::ALL {
            let document = serde_json::to_value(crate::services::openapi(service)).unwrap();
            for (path, operations) in document["paths"].as_object().unwrap() {
                for method in operations.as_object().unwrap().keys() {
                    let method: Method = method.to_uppercase().parse().unwrap();
                    let (plain, asked) = (Class::of(&method, Some(path), false), Class::of(&method, Some(path), true));
                    let expected = match own.remove(format!("{method} {path}").as_str()) {
                        Some(class) => (class, class),
                        None => {
                            others += 1;
                            if method == Method::GET { (Class::Read, Class::Search) } else { (Class::Command, Class::Command) }
                        }
                    };
                    assert_eq!((plain, asked), expected, "{method} {path}");
                }
            }
        }
        assert!(own.is_empty() && others > 50, "in no document: {own:?}");
        for page in [None, Some("/"), Some("/launches/{slug}"), Some("/health")] {
            assert_eq!(Class::of(&Method::GET, page, true), Class::Page);
        }
    }

    #[test]
    fn so_many_at_once_then_one_per_pause() {
        let (limits, start) = (Limits::new(Width::Times(1)), Instant::now());
        let second = Duration::from_secs(1);
        for _ in 0..10 {
            limits.take(from(1), TEN, start).unwrap();
        }
        assert_eq!(limits.take(from(1), TEN, start), Err(second));
        limits.take(from(2), TEN, start).unwrap();
        limits.take(from(1), TEN, start + second).unwrap();
        assert_eq!(limits.take(from(1), TEN, start + second), Err(second));
        for _ in 0..10 {
            limits.take(from(1), TEN, start + second * 60).unwrap();
        }
        assert!(limits.take(from(1), TEN, start + second * 60).is_err(), "a bucket holds no more than it holds");
    }

    #[test]
    fn wider_and_off() {
        let (wide, off, now) = (Limits::new(Width::Times(2)), Limits::new(Width::Off), Instant::now());
        let taken = |limits: &Limits| (0..100).filter(|_| limits.take(from(1), TEN, now).is_ok()).count();
        assert_eq!((taken(&wide), taken(&off)), (20, 100));
    }

    #[test]
    fn memory_is_bounded_and_strangers_share_what_is_left() {
        let (mut limits, now) = (Limits::new(Width::Times(1)), Instant::now());
        limits.max = 2;
        for last in 1..=12 {
            limits.take(from(last), TEN, now).unwrap();
        }
        assert!(limits.take(from(99), TEN, now).is_err(), "ten of those without room share one bucket");
        limits.take(from(1), TEN, now).unwrap();
        assert_eq!(limits.buckets.lock().unwrap().full_at.len(), 3);
        limits.take(from(99), TEN, now + Duration::from_secs(60)).unwrap();
        assert_eq!(limits.buckets.lock().unwrap().full_at.len(), 1, "full buckets are forgotten");
    }

    #[test]
    fn an_address_has_so_many_connections() {
        let connections = Connections::default();
        let one = IpAddr::from([192, 0, 2, 1]);
        let mut held: Vec<Held> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| connections.take(one, false).unwrap()).collect();
        assert!(connections.take(one, false).is_none());
        assert!(connections.take(one, true).is_some(), "a proxy brings those of many");
        assert!(connections.take(IpAddr::from([192, 0, 2, 2]), false).is_some());
        held.pop();
        assert!(connections.take(one, false).is_some());
        drop(held);
        assert!(connections.0.lock().unwrap().of.is_empty());
    }
}
