//! Signed commands: a command as text inside an outer object, so that the signature covers
//! exact bytes: `{"signed": "{\"command\":…}", "key_id": "tech-1", "signature": "<hex>"}`.
//!
//! Which algorithm a key belongs to is the key's business, never the sender's.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::Value;

use super::envelope::odd;
use super::json;
use super::read::printable;
use super::refusal::Refusal;

const KEY_ID_BYTES_MAX: usize = 64;
/// Ed25519 has 64, HMAC-SHA256 32.
const SIGNATURE_BYTES_MAX: usize = 64;

/// To be verified by whoever has the keys.
#[derive(PartialEq, Eq)]
pub struct Signature {
    pub key_id: String,
    pub bytes: Vec<u8>,
    /// What was signed.
    pub text: String,
}

/// The message itself, and its signature where it has one.
pub(super) fn unwrapped(outer: json::Read) -> Result<(json::Read, Option<Signature>), Refusal> {
    let Value::Object(fields) = &outer.value else { return Ok((outer, None)) };
    let Some(text) = fields.get("signed") else { return Ok((outer, None)) };
    odd(&outer)?;
    let text = text.as_str().ok_or_else(|| Refusal::malformed("signed", "must be string"))?;
    let key_id = fields.get("key_id").unwrap_or(&Value::Null);
    let key_id = printable(key_id, KEY_ID_BYTES_MAX).map_err(|why| Refusal::malformed("key_id", why))?;
    let bytes = fields.get("signature").and_then(Value::as_str).and_then(from_hex);
    let bytes = bytes.ok_or_else(|| Refusal::malformed("signature", "must be 1 to 64 bytes in hex"))?;
    let inner = json::read(text.as_bytes()).map_err(|why| Refusal::malformed("signed", why))?;
    let signature = Signature { key_id, bytes, text: text.into() };
    Ok((inner, Some(signature)))
}

/// 1 to 64 bytes.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let bytes: Vec<u8> = pairs
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        })
        .collect::<Option<_>>()?;
    (1..=SIGNATURE_BYTES_MAX).contains(&bytes.len()).then_some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
