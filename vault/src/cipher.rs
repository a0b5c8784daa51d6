//! XChaCha20-Poly1305 over padded JSON. Where keys come from is not known here.

use crate::VaultError;
use aws_lc_rs::rand;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use domain::sealed::Sealed;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// Bytes of a data key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a nonce: so many that random ones never meet.
const NONCE_BYTES: usize = 24;
/// Values are padded to a multiple of so many bytes: the length of a name or an address is not seen.
const STEP_BYTES: usize = 64;
/// The largest value, in bytes of JSON: a mail with its attachments.
const VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What stands before each sealed value, and names how it is read.
const FORM: &str = "x1:";

/// A data key; wiped when dropped.
pub(crate) type DataKey = Zeroizing<[u8; KEY_BYTES]>;

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, VaultError> {
    let mut bytes = Zeroizing::new([0; N]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| VaultError::Randomness)?;
    Ok(bytes)
}

/// Seals `value` for the place whose bytes are `bound`.
pub(crate) fn seal<T: Serialize>(key: &DataKey, bound: &[u8], value: &T) -> Result<Sealed, VaultError> {
    let mut json = Zeroizing::new(serde_json::to_vec(value)?);
    if json.len() > VALUE_BYTES_MAX {
        return Err(VaultError::TooLarge(json.len()));
    }
    let padded = json.len().next_multiple_of(STEP_BYTES);
    json.resize(padded, b' '); // spaces at the end mean nothing in JSON
    let nonce = random::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(&(**key).into());
    let closed = cipher.encrypt(&XNonce::from(*nonce), Payload { msg: &json, aad: bound }).map_err(|_| VaultError::TooLarge(padded))?;
    let mut text = FORM.to_owned();
    BASE64_URL_SAFE_NO_PAD.encode_string([nonce.as_slice(), &closed].concat(), &mut text);
    Ok(Sealed::from_text(text))
}

/// Opens a value that was sealed for the place whose bytes are `bound`.
pub(crate) fn open<T: DeserializeOwned>(key: &DataKey, bound: &[u8], sealed: &Sealed) -> Result<T, VaultError> {
    let text = sealed.as_str().strip_prefix(FORM).ok_or(VaultError::Forged)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| VaultError::Forged)?;
    let (nonce, closed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Forged)?;
    let cipher = XChaCha20Poly1305::new(&(**key).into());
    let json = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: closed, aad: bound }).map_err(|_| VaultError::Forged)?;
    Ok(serde_json::from_slice(&Zeroizing::new(json))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> DataKey {
        Zeroizing::new([byte; KEY_BYTES])
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place_and_nowhere_else(value in ".{0,300}", place in any::<Vec<u8>>(), other in any::<Vec<u8>>()) {
            let sealed = seal(&key(1), &place, &value).unwrap();
            prop_assert_eq!(open::<String>(&key(1), &place, &sealed).unwrap(), value);
            if other != place {
                prop_assert!(matches!(open::<String>(&key(1), &other, &sealed), Err(VaultError::Forged)));
            }
            prop_assert!(matches!(open::<String>(&key(2), &place, &sealed), Err(VaultError::Forged)));
        }

        #[test]
        fn one_edited_character_is_noticed(value in ".{0,100}", at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_:-]") {
            let sealed = seal(&key(1), b"here", &value).unwrap();
            let mut text = sealed.as_str().to_owned();
            let at = at.index(text.len());
            text.replace_range(at..=at, &to);
            let edited = Sealed::from_text(text);
            // The last character of the text has bits that mean nothing; all others do.
            prop_assume!(edited != sealed);
            prop_assert!(matches!(open::<String>(&key(1), b"here", &edited), Err(VaultError::Forged)));
        }

        #[test]
        fn any_text_is_refused_and_breaks_nothing(text in ".{0,200}") {
            let sealed = Sealed::from_text(text);
            prop_assert!(open::<String>(&key(1), b"here", &sealed).is_err());
        }
    }

    #[test]
    fn lengths_are_seen_in_steps_and_nonces_differ() {
        let length = |characters: usize| seal(&key(1), b"", &"x".repeat(characters)).unwrap().as_str().len();
        assert_eq!(length(1), length(STEP_BYTES - 2));
        assert!(length(STEP_BYTES - 2) < length(STEP_BYTES - 1));
        assert_ne!(seal(&key(1), b"", &"x").unwrap(), seal(&key(1), b"", &"x").unwrap());
    }

    #[test]
    fn a_value_that_is_too_large_is_refused() {
        let value = "x".repeat(VALUE_BYTES_MAX);
        assert!(matches!(seal(&key(1), b"", &value), Err(VaultError::TooLarge(_))));
    }
}
