//! The keys of this installation: the Ed25519 key that signs sign-ins and the pepper of the passwords, kept in files of the owner only.

use anyhow::{Context, Result, bail};
use aws_lc_rs::{
    hmac, rand,
    signature::{Ed25519KeyPair, KeyPair},
};
use sha2::{Digest, Sha256};
use std::{
    fmt, fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Bytes of the pepper.
const PEPPER_BYTES: usize = 32;
/// Characters of a key's name.
const KEY_ID_CHARACTERS: usize = 16;

/// The keys in use.
pub struct Keys {
    /// The private key, PKCS#8.
    pub(crate) signing: Vec<u8>,
    /// The public key, raw.
    pub(crate) verifying: Vec<u8>,
    /// Names the key in each token.
    pub(crate) key_id: String,
    pepper: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys from `folder`; makes those that are missing.
    pub fn load(folder: &Path) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("ASTRO_KEYS: make the folder {}", folder.display()))?;
        let signing = read_or_make(&folder.join("signing.pkcs8"), || {
            let pair = Ed25519KeyPair::generate().context("make a signing key")?;
            let der = pair.to_pkcs8v1().context("write the signing key")?;
            Ok(AsRef::<[u8]>::as_ref(&der).to_vec())
        })?;
        let pepper = read_or_make(&folder.join("pepper"), || {
            let mut pepper = vec![0; PEPPER_BYTES];
            rand::fill(&mut pepper).context("make a pepper")?;
            Ok(pepper)
        })?;
        if pepper.len() != PEPPER_BYTES {
            bail!("{} must have {PEPPER_BYTES} bytes", folder.join("pepper").display());
        }
        let pair =
            Ed25519KeyPair::from_pkcs8(&signing).with_context(|| format!("{} is not a key", folder.join("signing.pkcs8").display()))?;
        let verifying = pair.public_key().as_ref().to_vec();
        let key_id = hex(&Sha256::digest(&verifying))[..KEY_ID_CHARACTERS].to_owned();
        Ok(Self { signing, verifying, key_id, pepper: hmac::Key::new(hmac::HMAC_SHA256, &pepper) })
    }

    /// The password as it is hashed: without the pepper the stored hashes are of no use.
    pub(crate) fn peppered(&self, password: &[u8]) -> Vec<u8> {
        hmac::sign(&self.pepper, password).as_ref().to_vec()
    }
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    if let Some(bytes) = read(path)? {
        return Ok(bytes);
    }
    // Written aside and linked in, so that two processes that start at once agree on one.
    let mut name = [0; 8];
    rand::fill(&mut name).context("choose a name")?;
    let aside = path.with_extension(hex(&name));
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).with_context(|| aside.display().to_string())?;
    file.write_all(&make()?)?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error).with_context(|| format!("keep {}", path.display())),
        _ => read(path)?.with_context(|| format!("{} is gone again", path.display())),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            bail!("{} can be read by others: run `chmod 600 {}`", path.display(), path.display())
        }
        Ok(_) => fs::read(path).map(Some).with_context(|| format!("read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_made_once_and_kept_from_others() {
        let folder = std::env::temp_dir().join(format!("astro-keys-{}", uuid::Uuid::new_v4()));
        let (made, read) = (Keys::load(&folder).unwrap(), Keys::load(&folder).unwrap());
        assert_eq!((&made.signing, made.peppered(b"x")), (&read.signing, read.peppered(b"x")));
        let key = folder.join("signing.pkcs8");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Keys::load(&folder).unwrap_err().to_string().contains("chmod 600"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
