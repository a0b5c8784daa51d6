//! The keys of this installation: the Ed25519 key that signs sign-ins, the pepper of the passwords and the master
//! keys of the vault, kept in files of the owner only.

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
use vault::Master;

/// Bytes of the pepper.
const PEPPER_BYTES: usize = 32;
/// Bytes of a master key of the vault, and of the key of its blind index.
const MASTER_BYTES: usize = 32;
/// The file of the public key.
const VERIFYING: &str = "verifying.key";
/// Characters of a key's name.
const KEY_ID_CHARACTERS: usize = 16;

/// The keys in use.
pub struct Keys {
    /// The private key, PKCS#8; none where sign-ins are only checked.
    pub(crate) signing: Option<Vec<u8>>,
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
        make_folder(folder)?;
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
        // For processes that are given no more than this.
        read_or_make(&folder.join(VERIFYING), || Ok(verifying.clone()))?;
        Ok(Self { signing: Some(signing), key_id: key_id(&verifying), verifying, pepper: hmac::Key::new(hmac::HMAC_SHA256, &pepper) })
    }

    /// Reads from `folder` what checking sign-ins takes, `verifying.key`, as the core service made it. Such a process signs nobody in,
    /// and to it no password is right.
    pub fn verify_only(folder: &Path) -> Result<Self> {
        let path = folder.join(VERIFYING);
        let verifying = read(&path)?.with_context(|| format!("ASTRO_KEYS: {} is missing: the core service makes it", path.display()))?;
        let mut pepper = [0; PEPPER_BYTES];
        rand::fill(&mut pepper).context("make a pepper")?;
        Ok(Self { signing: None, key_id: key_id(&verifying), verifying, pepper: hmac::Key::new(hmac::HMAC_SHA256, &pepper) })
    }

    /// A key for something else, that follows from the pepper.
    pub(crate) fn derived(&self, what: &str) -> Vec<u8> {
        hmac::sign(&self.pepper, format!("derived key: {what}").as_bytes()).as_ref().to_vec()
    }

    /// The password as it is hashed: without the pepper the stored hashes are of no use.
    pub(crate) fn peppered(&self, password: &[u8]) -> Vec<u8> {
        hmac::sign(&self.pepper, password).as_ref().to_vec()
    }
}

/// Reads the master keys of the vault from `folder`, `master.key` (the first) and `master-<n>.key` from 2 on, and `index.key`; makes the
/// first two names when there is nothing yet. The newest wraps; an older one may go once `astro vault rotate` is through.
pub fn master(folder: &Path) -> Result<Master> {
    make_folder(folder)?;
    let mut keys = Vec::new();
    for file in fs::read_dir(folder).with_context(|| format!("ASTRO_KEYS: look into {}", folder.display()))? {
        let file = file?.file_name();
        let Some(number) = file.to_str().and_then(master_number) else { continue };
        let bytes = read(&folder.join(&file))?.with_context(|| format!("{} is gone again", folder.join(&file).display()))?;
        keys.push((number, whole(&bytes, &folder.join(file))?));
    }
    let random = || {
        let mut key = vec![0; MASTER_BYTES];
        rand::fill(&mut key).context("make a key")?;
        Ok(key)
    };
    if keys.is_empty() {
        let path = folder.join("master.key");
        keys.push((1, whole(&read_or_make(&path, random)?, &path)?));
    }
    let path = folder.join("index.key");
    let index = whole(&read_or_make(&path, random)?, &path)?;
    Master::new(keys, &index).context("there is no master key")
}

/// The number in a file name such as `master-2.key`.
fn master_number(name: &str) -> Option<i32> {
    match name.strip_prefix("master")?.strip_suffix(".key")? {
        "" => Some(1),
        rest => rest.strip_prefix('-')?.parse().ok().filter(|number| *number > 1),
    }
}

fn whole(bytes: &[u8], path: &Path) -> Result<[u8; MASTER_BYTES]> {
    bytes.try_into().ok().with_context(|| format!("{} must have {MASTER_BYTES} bytes", path.display()))
}

fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).with_context(|| format!("ASTRO_KEYS: make the folder {}", folder.display()))
}

fn key_id(verifying: &[u8]) -> String {
    hex(&Sha256::digest(verifying))[..KEY_ID_CHARACTERS].to_owned()
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
        // A group may read: so containers are given secrets.
        Ok(found) if found.permissions().mode() & 0o037 != 0 => {
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
    fn a_master_key_is_made_only_where_there_is_none() {
        assert_eq!(
            ["master.key", "master-2.key", "master-1.key", "master-x.key", "index.key"].map(master_number),
            [Some(1), Some(2), None, None, None]
        );
        let folder = std::env::temp_dir().join(format!("astro-keys-{}", uuid::Uuid::new_v4()));
        let newest = |master: Master| format!("{master:?}");
        assert_eq!(newest(master(&folder).unwrap()), "Master { newest: 1, .. }");
        fs::rename(folder.join("master.key"), folder.join("master-2.key")).unwrap();
        assert_eq!(newest(master(&folder).unwrap()), "Master { newest: 2, .. }");
        assert!(!folder.join("master.key").exists());
        fs::write(folder.join("master-2.key"), [1; 31]).unwrap();
        assert!(master(&folder).unwrap_err().to_string().contains("must have 32 bytes"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn keys_are_made_once_and_kept_from_others() {
        let folder = std::env::temp_dir().join(format!("astro-keys-{}", uuid::Uuid::new_v4()));
        let (made, read) = (Keys::load(&folder).unwrap(), Keys::load(&folder).unwrap());
        assert_eq!((&made.signing, made.peppered(b"x")), (&read.signing, read.peppered(b"x")));
        let verifying = Keys::verify_only(&folder).unwrap();
        assert_eq!((&verifying.verifying, &verifying.key_id, verifying.signing), (&made.verifying, &made.key_id, None));
        assert_ne!(Keys::verify_only(&folder).unwrap().peppered(b"x"), made.peppered(b"x"));
        fs::remove_file(folder.join(VERIFYING)).unwrap();
        assert!(Keys::verify_only(&folder).unwrap_err().to_string().contains("ASTRO_KEYS"));
        let key = folder.join("signing.pkcs8");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Keys::load(&folder).unwrap_err().to_string().contains("chmod 600"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
