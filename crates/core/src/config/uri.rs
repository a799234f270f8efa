//! Where a stream comes from, and how to show it without showing its password.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::{Serialize, Serializer};

use super::limits::TEXT_BYTES_MAX;

/// An address that names a kind of source we have. Shown masked, everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamUri {
    text: String,
    kind: SourceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// `rtsp://`
    Rtsp,
    /// `rtsps://`
    Rtsps,
    /// `file:///...` or a plain path with a slash in it.
    File,
    /// `v4l2:///dev/video0`
    V4l2,
    /// `test://pattern?width=640&height=480&fps=25`
    Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    #[error("holds a space or control character")]
    BadCharacter,
    #[error("has no host after {0}")]
    NoHost(&'static str),
    #[error("has no absolute path after {0}")]
    NoPath(&'static str),
    #[error(
        "is neither rtsp://, rtsps://, file:///, v4l2:///dev/..., test://pattern nor a path with a slash in it"
    )]
    UnknownScheme,
    #[error("must start with rtsp:// or rtsps://")]
    NotAServer,
    #[error("has a bad port")]
    BadPort,
    #[error("has a bad test picture: want test://pattern?width=640&height=480&fps=25")]
    BadPattern,
}

/// The picture behind `test://pattern`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestPattern {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
}

impl StreamUri {
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.trim().is_empty() {
            return Err(UriError::Empty);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(UriError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(UriError::BadCharacter);
        }
        let kind = match text.split_once("://") {
            Some((scheme, rest)) => kind_of(scheme, rest)?,
            None if text.contains('/') && !looks_like_scheme(text) => SourceKind::File,
            None => return Err(UriError::UnknownScheme),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The base that `/{source_id}` is appended to; trailing slashes are dropped.
    pub fn parse_server(text: &str) -> Result<Self, UriError> {
        let parsed = Self::parse(text.trim_end_matches('/'));
        match parsed {
            Ok(uri) if matches!(uri.kind, SourceKind::Rtsp | SourceKind::Rtsps) => Ok(uri),
            Ok(_) => Err(UriError::NotAServer),
            // `rtsp://` alone has lost its slashes here; say what is really missing.
            Err(UriError::UnknownScheme) => Err(match text.split_once("://") {
                Some(("rtsp", _)) => UriError::NoHost("rtsp://"),
                Some(("rtsps", _)) => UriError::NoHost("rtsps://"),
                Some(_) | None => UriError::NotAServer,
            }),
            Err(e) => Err(e),
        }
    }

    /// `{self}/{source_id}`: the address of a room at the stream server.
    #[must_use]
    pub fn of_room(&self, source_id: u32) -> Self {
        Self { text: format!("{}/{source_id}", self.text), kind: self.kind }
    }

    /// The whole address, passwords included: only for the library that opens it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Path of a file or video device; `None` for the other kinds.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self.kind {
            SourceKind::File | SourceKind::V4l2 => {
                Some(self.text.split_once("://").map_or(self.text.as_str(), |(_, path)| path))
            }
            SourceKind::Rtsp | SourceKind::Rtsps | SourceKind::Test => None,
        }
    }

    /// Size and rate of a test picture; `None` for the other kinds.
    #[must_use]
    pub fn test_pattern(&self) -> Option<TestPattern> {
        match self.kind {
            SourceKind::Test => self.text.split_once("://").and_then(|(_, rest)| pattern_of(rest).ok()),
            SourceKind::Rtsp | SourceKind::Rtsps | SourceKind::File | SourceKind::V4l2 => None,
        }
    }

    /// Whether a user name stands before the host.
    #[must_use]
    pub fn has_user(&self) -> bool {
        let rest = self.text.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or("");
        matches!(self.kind, SourceKind::Rtsp | SourceKind::Rtsps) && authority.contains('@')
    }
}

impl fmt::Display for StreamUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.text))
    }
}

impl fmt::Debug for StreamUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for StreamUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&masked(&self.text))
    }
}

/// The address with user names and passwords replaced by `***`.
///
/// Passwords in the field hold `@`, `/` and `?` unescaped, so all up to the *last* `@`
/// goes: rather a hidden host than a shown password. Values of keys that look like
/// `password=` or `token=` go too, since many cameras take them in the path.
#[must_use]
pub fn masked(uri: &str) -> String {
    let (scheme, rest) = match uri.split_once("://") {
        // What stands before "://" in a password is not a scheme.
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        Some(_) | None => (None, uri),
    };
    let is_local = match scheme {
        Some(scheme) => ["file", "v4l2", "test"].iter().any(|s| scheme.eq_ignore_ascii_case(s)),
        None => rest.starts_with('/') || rest.starts_with("./") || rest.starts_with("../"),
    };
    let mut out = String::with_capacity(uri.len());
    if let Some(scheme) = scheme {
        out.push_str(scheme);
        out.push_str("://");
    }
    match rest.rsplit_once('@') {
        Some((_, host)) if !is_local => {
            out.push_str("***@");
            mask_values(host, &mut out);
        }
        Some(_) | None if is_local => out.push_str(rest),
        Some(_) | None => mask_values(rest, &mut out),
    }
    out
}

const SECRET_KEYS: [&str; 8] = ["pass", "pwd", "pw", "token", "secret", "auth", "key", "credential"];

/// Copies `text`, with the value of every `key=value` replaced whose key sounds secret.
fn mask_values(text: &str, out: &mut String) {
    let is_end = |c: char| matches!(c, '&' | '?' | ';' | '/' | '#');
    let mut rest = text;
    while let Some(eq) = rest.find('=') {
        let (head, tail) = rest.split_at(eq + 1);
        let key_at = head.rfind(|c: char| is_end(c) || c == '_').map_or(0, |i| i + 1);
        let key = head.get(key_at..).unwrap_or(head).to_ascii_lowercase();
        out.push_str(head);
        rest = tail;
        if SECRET_KEYS.iter().any(|secret| key.contains(secret)) {
            out.push_str("***");
            // Slashes belong to base64 values; they end nothing here.
            rest = tail.find(['&', ';']).and_then(|end| tail.get(end..)).unwrap_or("");
        }
    }
    out.push_str(rest);
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// `rtsp:/host` is a slip of the finger, not a folder.
fn looks_like_scheme(text: &str) -> bool {
    text.split_once(":/").is_some_and(|(head, _)| is_scheme(head))
}

fn kind_of(scheme: &str, rest: &str) -> Result<SourceKind, UriError> {
    match scheme {
        "rtsp" => authority(rest, "rtsp://").map(|()| SourceKind::Rtsp),
        "rtsps" => authority(rest, "rtsps://").map(|()| SourceKind::Rtsps),
        "file" if rest.len() > 1 && rest.starts_with('/') => Ok(SourceKind::File),
        "file" => Err(UriError::NoPath("file://")),
        "v4l2" if rest.len() > 1 && rest.starts_with('/') => Ok(SourceKind::V4l2),
        "v4l2" => Err(UriError::NoPath("v4l2://")),
        "test" => pattern_of(rest).map(|_| SourceKind::Test),
        _ => Err(UriError::UnknownScheme),
    }
}

fn authority(rest: &str, scheme: &'static str) -> Result<(), UriError> {
    if rest.chars().any(char::is_whitespace) {
        return Err(UriError::BadCharacter);
    }
    // The user part may hold anything, even slashes; the host stands after the last '@'
    // that any slash allows.
    let after_user = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host_port = after_user.split(['/', '?', '#']).next().unwrap_or("");
    let (host, port) = match host_port.strip_prefix('[') {
        Some(six) => six.split_once(']').ok_or(UriError::NoHost(scheme))?,
        None => host_port.split_at(host_port.find(':').unwrap_or(host_port.len())),
    };
    if host.is_empty() {
        return Err(UriError::NoHost(scheme));
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(digits) if digits.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        Some(_) | None => Err(UriError::BadPort),
    }
}

fn pattern_of(rest: &str) -> Result<TestPattern, UriError> {
    let mut pattern = TestPattern { width: 640, height: 480, fps: 25 };
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    if name != "pattern" {
        return Err(UriError::BadPattern);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(UriError::BadPattern)?;
        let (place, max) = match key {
            "width" => (&mut pattern.width, 8192),
            "height" => (&mut pattern.height, 8192),
            "fps" => (&mut pattern.fps, 240),
            _ => return Err(UriError::BadPattern),
        };
        *place = value.parse().ok().filter(|v| (1..=max).contains(v)).ok_or(UriError::BadPattern)?;
    }
    Ok(pattern)
}
