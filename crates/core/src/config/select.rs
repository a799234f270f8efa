//! Which rooms the command line asks for.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::limits::STREAMS_LEN_MAX;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    #[error("--end {end} needs --start")]
    EndAlone { end: u32 },
    #[error("--start {start} --end {end} selects no stream: the end lies before the start")]
    EmptyRange { start: u32, end: u32 },
    #[error("--n 0 selects no stream: give 1 or more")]
    NoneWanted,
    #[error("--streams selects no stream: give numbers, e.g. --streams 1,3,6")]
    EmptyList,
    #[error("--streams: `{item}` is not a whole number of 0 or more, e.g. --streams 1,3,6")]
    NotANumber { item: String },
    #[error("--streams: {id} is named twice")]
    Duplicate { id: u32 },
    #[error("{len} streams are selected, at most {STREAMS_LEN_MAX} are allowed")]
    TooMany { len: u64 },
    #[error("--n {n} from --start {start} goes beyond the largest stream number 4294967295")]
    BeyondLast { n: u32, start: u32 },
}

/// The room numbers to watch: a list wins over a range, a range wins over a count.
pub fn select(
    n: u32,
    start: Option<u32>,
    end: Option<u32>,
    streams: Option<&str>,
) -> Result<Vec<u32>, SelectError> {
    if let Some(list) = streams {
        return from_list(list);
    }
    let (first, last) = match (start, end) {
        (None, Some(end)) => return Err(SelectError::EndAlone { end }),
        (Some(start), Some(end)) if end < start => return Err(SelectError::EmptyRange { start, end }),
        (Some(start), Some(end)) => (start, end),
        (start, None) => {
            let start = start.unwrap_or(0);
            let more = n.checked_sub(1).ok_or(SelectError::NoneWanted)?;
            (start, start.checked_add(more).ok_or(SelectError::BeyondLast { n, start })?)
        }
    };
    limited(u64::from(last) - u64::from(first) + 1)?;
    Ok((first..=last).collect())
}

fn from_list(list: &str) -> Result<Vec<u32>, SelectError> {
    if list.trim().is_empty() {
        return Err(SelectError::EmptyList);
    }
    let mut seen = BTreeSet::new();
    let mut ids = Vec::new();
    for item in list.split(',').map(str::trim) {
        let is_digits = !item.is_empty() && item.bytes().all(|b| b.is_ascii_digit());
        let id = match item.parse() {
            Ok(id) if is_digits => id,
            Ok(_) | Err(_) => return Err(SelectError::NotANumber { item: item.into() }),
        };
        if !seen.insert(id) {
            return Err(SelectError::Duplicate { id });
        }
        ids.push(id);
    }
    limited(u64::try_from(ids.len()).unwrap_or(u64::MAX))?;
    Ok(ids)
}

fn limited(len: u64) -> Result<(), SelectError> {
    match usize::try_from(len) {
        Ok(fits) if fits <= STREAMS_LEN_MAX => Ok(()),
        Ok(_) | Err(_) => Err(SelectError::TooMany { len }),
    }
}
