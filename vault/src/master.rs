//! The keys that are in no database: the master keys, which wrap data keys, and the key of the blind index.

use crate::{
    VaultError,
    cipher::{DataKey, KEY_BYTES},
};
use aes_kw::{KeyInit, KwpAes256};
use aws_lc_rs::hmac;
use std::{collections::BTreeMap, error::Error, fmt};
use zeroize::Zeroizing;

/// Bytes of a wrapped data key: eight more than its own.
const WRAPPED_BYTES: usize = KEY_BYTES + 8;

/// Reads the master keys from where they are kept.
pub type ReadMasters = Box<dyn Fn() -> Result<Master, Box<dyn Error + Send + Sync>> + Send + Sync>;

/// The master keys by number; the highest wraps, all of them unwrap.
pub struct Master {
    keys: BTreeMap<i32, Zeroizing<[u8; KEY_BYTES]>>,
    pub(crate) newest: i32,
    pub(crate) index: hmac::Key,
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").field("newest", &self.newest).finish_non_exhaustive()
    }
}

impl Master {
    /// From the master keys by number, from 1, and the key of the blind index, which never changes. None when there is no master key.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (i32, [u8; KEY_BYTES])>, index: &[u8; KEY_BYTES]) -> Option<Self> {
        let keys: BTreeMap<i32, _> = keys.into_iter().map(|(number, key)| (number, Zeroizing::new(key))).collect();
        let newest = *keys.keys().next_back()?;
        Some(Self { keys, newest, index: hmac::Key::new(hmac::HMAC_SHA256, index) })
    }

    /// Wraps a data key with the newest master key.
    pub(crate) fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, VaultError> {
        let mut wrapped = vec![0; WRAPPED_BYTES];
        self.wrapper(self.newest)?.wrap_key(key.as_slice(), &mut wrapped).map_err(|_| VaultError::Forged)?;
        Ok(wrapped)
    }

    /// Unwraps a data key that master key `number` wrapped.
    pub(crate) fn unwrap(&self, number: i32, wrapped: &[u8]) -> Result<DataKey, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let wrapper = self.wrapper(number)?;
        let whole = wrapper.unwrap_key(wrapped, key.as_mut_slice()).is_ok_and(|key| key.len() == KEY_BYTES);
        whole.then_some(key).ok_or(VaultError::Forged)
    }

    fn wrapper(&self, number: i32) -> Result<KwpAes256, VaultError> {
        let key = self.keys.get(&number).ok_or(VaultError::MasterMissing(number))?;
        Ok(KwpAes256::new(&(**key).into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_data_key_is_wrapped_by_the_newest_and_unwrapped_by_its_own() {
        let (old, new) = (Master::new([(1, [1; 32])], &[0; 32]).unwrap(), Master::new([(1, [1; 32]), (2, [2; 32])], &[0; 32]).unwrap());
        let key = Zeroizing::new([9; 32]);
        let (by_first, by_second) = (old.wrap(&key).unwrap(), new.wrap(&key).unwrap());
        assert_eq!((by_first.len(), old.newest, new.newest), (WRAPPED_BYTES, 1, 2));
        assert_ne!(by_first, by_second);
        assert_eq!((new.unwrap(1, &by_first).unwrap(), new.unwrap(2, &by_second).unwrap()), (key.clone(), key));
        assert!(matches!(old.unwrap(2, &by_second), Err(VaultError::MasterMissing(2))));
        assert!(matches!(new.unwrap(1, &by_second), Err(VaultError::Forged)));
        let mut edited = by_first;
        edited[11] ^= 1;
        assert!(matches!(new.unwrap(1, &edited), Err(VaultError::Forged)));
        assert!(Master::new([], &[0; 32]).is_none());
    }

    #[test]
    fn what_is_shown_of_the_keys_is_their_number() {
        let master = Master::new([(3, [7; 32])], &[0; 32]).unwrap();
        assert_eq!(format!("{master:?}"), "Master { newest: 3, .. }");
    }
}
