//! Anonymous ids: who a client without a targeting key is, kept in a cookie.
//!
//! The cookie holds who, never which variant, so a rollback reaches everybody at once.

use std::fmt::Write as _;

/// Browsers keep a cookie for at most 400 days, whatever it asks for.
const MAX_AGE_SECONDS: u32 = 400 * 24 * 60 * 60;

/// 128 random bits in lower-case hexadecimal; none when the proxy has no randomness to give.
pub(crate) fn new_id() -> Option<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    let mut id = String::with_capacity(32);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    Some(id)
}

/// The `set-cookie` value that keeps `id`. Scripts cannot read it, and other sites' forms do not send it.
pub(crate) fn set_cookie(name: &str, id: &str, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{name}={id}; Path=/; Max-Age={MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax{secure}")
}
