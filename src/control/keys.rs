//! Who may command: the role behind a signature.
//!
//! HMAC-SHA-256 (RFC 2104) with a shared secret, or Ed25519 (RFC 8032) with a public key. The
//! signature covers the exact text of the command, which names its request and its time of issue:
//! sent again, it gets the stored answer; sent again later, it is too old.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature as EdSignature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vigia_core::config::{Control, KeyMaterial, Role};
use vigia_core::control::{Code, Refusal, Signature};

/// The keys of the configuration.
#[derive(Debug, Default)]
pub struct Keys {
    keys: BTreeMap<String, (Role, Key)>,
    /// Role of those who sign nothing; none if they may not ask for anything.
    unsigned: Option<Role>,
}

enum Key {
    Hmac(Box<Hmac<Sha256>>),
    Ed25519(VerifyingKey),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac(***)",
            Self::Ed25519(_) => "Ed25519",
        })
    }
}

impl Keys {
    /// # Errors
    /// One sentence naming the key that can't be used.
    pub fn of(control: &Control) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for entry in &control.keys {
            let bad = |what: &str| format!("control.keys: {}: {what}", entry.id);
            let key = match &entry.material {
                KeyMaterial::Hmac(secret) => {
                    let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes());
                    Key::Hmac(Box::new(mac.map_err(|_| bad("the secret can't be used"))?))
                }
                KeyMaterial::Ed25519(bytes) => {
                    Key::Ed25519(VerifyingKey::from_bytes(bytes).map_err(|_| bad("it is no public key"))?)
                }
            };
            keys.insert(entry.id.clone(), (entry.role, key));
        }
        Ok(Self { keys, unsigned: control.unsigned_role })
    }

    /// The sender's role.
    ///
    /// # Errors
    /// [`Code::Unsigned`] or [`Code::BadSignature`].
    pub fn role(&self, signature: Option<&Signature>) -> Result<Role, Refusal> {
        let Some(signature) = signature else {
            return self
                .unsigned
                .ok_or_else(|| Refusal::new(Code::Unsigned, "this instance takes signed commands only"));
        };
        let bad = || {
            Refusal::new(Code::BadSignature, format!("the signature does not fit key {}", signature.key_id))
        };
        let (role, key) = self.keys.get(&signature.key_id).ok_or_else(bad)?;
        let text = signature.text.as_bytes();
        let fits = match key {
            Key::Hmac(mac) => mac.clone().chain_update(text).verify_slice(&signature.bytes).is_ok(),
            Key::Ed25519(key) => EdSignature::from_slice(&signature.bytes)
                .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok()),
        };
        if fits { Ok(*role) } else { Err(bad()) }
    }
}
