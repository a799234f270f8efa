//! Passwords, kept where no log line or status message can pick them up.

use alloc::string::String;
use core::fmt;

use serde::{Serialize, Serializer};

/// Text that is shown to nobody. [`Secret::expose`] is the one way to read it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: only for handing to the library that logs in with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// What to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// Everything that was read from places other than the configuration itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    pub mqtt_password: Option<Secret>,
    /// By name. `None` where the file was not read; then names of credentials go unchecked.
    pub cameras: Option<alloc::collections::BTreeMap<String, Credentials>>,
}
