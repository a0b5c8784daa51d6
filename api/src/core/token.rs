//! Access tokens: short-lived JWTs signed with Ed25519. Long-lived sessions are left to `session`.

use crate::{kept::Kept, keys::Keys};
use contract::{SupplierId, account::Role};
use domain::id::AccountId;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};
use uuid::Uuid;

/// How long an access token lasts.
pub const ACCESS_FOR: Duration = Duration::from_secs(10 * 60);
/// The longest token read, in bytes.
const TOKEN_BYTES_MAX: usize = 2048;
/// How many tokens found right are remembered.
const RIGHT_MAX: usize = 20_000;
const ISSUER: &str = "astro-bookings";

/// One of the four services; also who a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Launches and bookings, for everyone and for customers.
    Customer,
    /// Rockets and launches, for suppliers.
    Supplier,
    /// Bookings and money, for employees.
    Employee,
    /// Accounts, operations and audit.
    Core,
}

impl Service {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Customer, Self::Supplier, Self::Employee, Self::Core];

    /// Its name in paths and tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Employee => "employee",
            Self::Core => "core",
        }
    }
}

/// What a token says. No personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: Vec<Service>,
    /// The account.
    pub sub: AccountId,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: Uuid,
    /// The session it belongs to.
    pub sid: Uuid,
    /// What the account may do.
    pub role: Role,
    /// Of a supplier's member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<SupplierId>,
    /// Good for nothing but to set up the second factor that the role needs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enrolling: bool,
}

fn audience(role: Role) -> Vec<Service> {
    match role {
        Role::Customer => vec![Service::Customer, Service::Core],
        Role::Supplier => vec![Service::Supplier, Service::Core],
        Role::Employee => vec![Service::Employee, Service::Core],
        Role::Operator | Role::Auditor => vec![Service::Core],
    }
}

/// Signs and checks access tokens.
pub struct Tokens {
    /// None where sign-ins are only checked.
    signing: Option<EncodingKey>,
    verifying: DecodingKey,
    key_id: String,
    /// Tokens whose signature and issuer were found right: a page asks with the same one again and again.
    right: Kept<String, Claims>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// Whom a token is for.
#[derive(Debug, Clone, Copy)]
pub struct Bearer {
    /// The account.
    pub account: AccountId,
    /// What it may do.
    pub role: Role,
    /// Of a supplier's member.
    pub supplier: Option<SupplierId>,
    /// The session.
    pub session: Uuid,
    /// Good for nothing but to set up a second factor.
    pub enrolling: bool,
}

impl Tokens {
    /// With the key of this installation.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        Self {
            signing: keys.signing.as_deref().map(EncodingKey::from_ed_der),
            verifying: DecodingKey::from_ed_der(&keys.verifying),
            key_id: keys.key_id.clone(),
            right: Kept::new(ACCESS_FOR, RIGHT_MAX),
        }
    }

    /// A token that starts at `now`. Fails in a process that has no key to sign with.
    pub fn sign(&self, bearer: Bearer, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let now = now.as_second();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: if bearer.enrolling { vec![Service::Core] } else { audience(bearer.role) },
            sub: bearer.account,
            exp: now + ACCESS_FOR.as_secs().cast_signed(),
            nbf: now,
            iat: now,
            jti: Uuid::new_v4(),
            sid: bearer.session,
            role: bearer.role,
            supplier: bearer.supplier,
            enrolling: bearer.enrolling,
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::EdDSA) };
        let signing = self.signing.as_ref().ok_or(jsonwebtoken::errors::ErrorKind::InvalidKeyFormat)?;
        jsonwebtoken::encode(&header, &claims, signing)
    }

    /// What a token says, if it is one of ours, for this service, and still lasts at `now`.
    #[must_use]
    pub fn verify(&self, token: &str, service: Service, now: Timestamp) -> Option<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let claims = match self.right.get(token) {
            Some(claims) => claims,
            None => {
                let claims = self.read(token)?;
                self.right.put(token.to_owned(), claims.clone());
                claims
            }
        };
        if !claims.aud.contains(&service) {
            return None;
        }
        (claims.nbf <= now.as_second() && now.as_second() < claims.exp).then_some(claims)
    }

    /// What a token says, if it is one of ours. For whom and when is checked each time it is used.
    fn read(&self, token: &str) -> Option<Claims> {
        if jsonwebtoken::decode_header(token).ok()?.kid.as_deref() != Some(&self.key_id) {
            return None;
        }
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        rules.validate_aud = false;
        // Times are checked against our clock, which tests can move.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        Some(jsonwebtoken::decode::<Claims>(token, &self.verifying, &rules).ok()?.claims)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::SignedDuration;

    fn tokens() -> (Tokens, std::sync::Arc<Keys>) {
        let folder = std::env::temp_dir().join(format!("astro-keys-{}", Uuid::new_v4()));
        let keys = std::sync::Arc::new(Keys::load(&folder).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
        (Tokens::new(&keys), keys)
    }
    fn bearer(role: Role) -> Bearer {
        Bearer { account: AccountId(Uuid::from_u128(1)), role, supplier: None, session: Uuid::from_u128(2), enrolling: false }
    }

    #[test]
    fn a_token_is_for_its_services_and_its_time() {
        let (tokens, _) = tokens();
        let now = Timestamp::UNIX_EPOCH;
        let token = tokens.sign(bearer(Role::Customer), now).unwrap();
        assert_eq!(tokens.verify(&token, Service::Customer, now).unwrap().sid, Uuid::from_u128(2));
        assert!(tokens.verify(&token, Service::Core, now).is_some());
        assert!(tokens.verify(&token, Service::Employee, now).is_none());
        assert!(tokens.verify(&token, Service::Customer, now - SignedDuration::from_secs(1)).is_none());
        assert!(tokens.verify(&token, Service::Customer, now + SignedDuration::from_mins(10)).is_none());
    }

    #[test]
    fn other_keys_algorithms_and_edited_tokens_are_refused() {
        let (ours, keys) = tokens();
        let (theirs, their_keys) = tokens();
        let foreign_key = their_keys.signing.clone();
        let now = Timestamp::UNIX_EPOCH;
        let good = ours.sign(bearer(Role::Customer), now).unwrap();
        let refused = |token: &str| assert!(ours.verify(token, Service::Customer, now).is_none(), "{token}");
        refused(&theirs.sign(bearer(Role::Customer), now).unwrap());
        refused(&good[..good.len() - 2]);
        refused("");
        refused("a.b.c");
        let claims = ours.verify(&good, Service::Customer, now).unwrap();
        // The public key used as a shared secret.
        let header = Header { kid: Some(keys.key_id.clone()), ..Header::new(Algorithm::HS256) };
        refused(&jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&keys.verifying)).unwrap());
        // No signature at all: {"alg":"none","typ":"JWT"}.
        let payload = good.split('.').nth(1).unwrap();
        refused(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."));
        // An unknown key, and one that says where to find itself.
        let ours_only =
            |header: Header| jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(keys.signing.as_deref().unwrap())).unwrap();
        refused(&ours_only(Header { kid: Some("another".to_owned()), ..Header::new(Algorithm::EdDSA) }));
        refused(&ours_only(Header::new(Algorithm::EdDSA)));
        let elsewhere =
            Header { jku: Some("https://evil.example/keys".to_owned()), kid: Some("theirs".to_owned()), ..Header::new(Algorithm::EdDSA) };
        refused(&jsonwebtoken::encode(&elsewhere, &claims, &EncodingKey::from_ed_der(foreign_key.as_deref().unwrap())).unwrap());
        // The payload of one with the signature of another.
        let other = ours.sign(bearer(Role::Employee), now).unwrap();
        let (mine, foreign): (Vec<&str>, Vec<&str>) = (good.split('.').collect(), other.split('.').collect());
        refused(&[mine[0], foreign[1], mine[2]].join("."));
    }
}
