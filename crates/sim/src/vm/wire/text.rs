//! Words, numbers and texts of one line; and lines out of a stream of bytes.

use std::fmt;
use std::str::{FromStr, SplitAsciiWhitespace};

use super::{Garbled, LINE_LEN_MAX};

/// A text as one word: blanks, line ends and what is not ASCII are written as `%xx`, nothing as `%`.
pub(super) struct Coded<'a>(pub &'a str);

impl fmt::Display for Coded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("%");
        }
        for byte in self.0.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// The text that was written as `word`.
pub(super) fn decoded(word: &str) -> Option<String> {
    if word == "%" {
        return Some(String::new());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(word.len()), word.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (hex, after) = after.split_at_checked(2)?;
        let hex = std::str::from_utf8(hex).ok()?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// What one line consists of.
pub(super) struct Fields<'a> {
    line: &'a str,
    rest: SplitAsciiWhitespace<'a>,
}

impl<'a> Fields<'a> {
    pub fn of(line: &'a str) -> Self {
        Self { line, rest: line.split_ascii_whitespace() }
    }

    pub fn garbled(&self) -> Garbled {
        const SHOWN_LEN_MAX: usize = 200;
        Garbled(self.line.chars().take(SHOWN_LEN_MAX).collect())
    }

    pub fn word(&mut self) -> Result<&'a str, Garbled> {
        self.rest.next().ok_or_else(|| self.garbled())
    }

    pub fn number<T: FromStr>(&mut self) -> Result<T, Garbled> {
        self.word()?.parse().map_err(|_| self.garbled())
    }

    pub fn text(&mut self) -> Result<String, Garbled> {
        decoded(self.word()?).ok_or_else(|| self.garbled())
    }

    /// Which of two words it is: `false` for the first.
    pub fn one_of(&mut self, no: &str, yes: &str) -> Result<bool, Garbled> {
        match self.word()? {
            word if word == no => Ok(false),
            word if word == yes => Ok(true),
            _ => Err(self.garbled()),
        }
    }

    pub fn end(&mut self) -> Result<(), Garbled> {
        self.rest.next().map_or(Ok(()), |_| Err(self.garbled()))
    }
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct Feed {
    begun: Vec<u8>,
    /// The line in hand is too long: it is thrown away up to its end.
    overlong: bool,
}

impl Feed {
    /// Takes what was read; `line` hears of each line that is whole now, without its end.
    pub fn take(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        for byte in bytes {
            if *byte != b'\n' {
                self.overlong |= self.begun.len() >= LINE_LEN_MAX;
                if !self.overlong {
                    self.begun.push(*byte);
                }
                continue;
            }
            if !self.overlong && !self.begun.is_empty() {
                line(&String::from_utf8_lossy(&self.begun));
            }
            self.begun.clear();
            self.overlong = false;
        }
    }
}
