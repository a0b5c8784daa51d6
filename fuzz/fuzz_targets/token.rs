//! Whatever a client sends as a token is read without harm, and worth something only when it is the one that was issued.
#![no_main]

use api::{
    core::token::{Service, Tokens},
    keys::Keys,
};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn tokens() -> &'static Tokens {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("astro-fuzz-{}", std::process::id()));
        let tokens = Tokens::new(&Keys::load(&folder).expect("keys"));
        let _ = std::fs::remove_dir_all(folder);
        tokens
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    for service in Service::ALL {
        assert!(tokens().verify(token, service, Timestamp::UNIX_EPOCH).is_none(), "nobody signed it");
    }
});
