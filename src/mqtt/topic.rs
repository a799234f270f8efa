//! Which topics may reach paho. A NUL in a topic is a panic inside paho, so none gets there.

use thiserror::Error;

/// MQTT carries the length of a string in two bytes.
pub(super) const STRING_LEN_MAX: usize = 65_535;

/// Why a topic name or filter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TopicError {
    #[error("topic is empty")]
    Empty,
    #[error("topic is longer than 65535 bytes")]
    TooLong,
    #[error("topic contains a NUL character")]
    Nul,
    #[error("topic to publish on contains a wildcard, '+' or '#'")]
    Wildcard,
    #[error("wildcard is not a whole level, or '#' is not the last one")]
    MisplacedWildcard,
}

/// Checks a topic that is published on.
pub(super) fn check_name(topic: &str) -> Result<(), TopicError> {
    check_string(topic)?;
    if topic.bytes().any(|b| b == b'+' || b == b'#') { Err(TopicError::Wildcard) } else { Ok(()) }
}

/// Checks a filter that is subscribed to.
pub(super) fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_string(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let wild = level.contains(['+', '#']);
        if wild && (level.len() != 1 || (level == "#" && levels.peek().is_some())) {
            return Err(TopicError::MisplacedWildcard);
        }
    }
    Ok(())
}

fn check_string(s: &str) -> Result<(), TopicError> {
    if s.is_empty() {
        Err(TopicError::Empty)
    } else if s.len() > STRING_LEN_MAX {
        Err(TopicError::TooLong)
    } else if s.bytes().any(|b| b == 0) {
        Err(TopicError::Nul)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (topic, want) in [
            ("a", Ok(())),
            ("nvr/detections/10/ñ", Ok(())),
            ("", Err(TopicError::Empty)),
            ("a\0b", Err(TopicError::Nul)),
            ("a/+/b", Err(TopicError::Wildcard)),
            ("a/#", Err(TopicError::Wildcard)),
        ] {
            assert_eq!(check_name(topic), want, "{topic:?}");
        }
        assert_eq!(check_name(&"x".repeat(65_536)), Err(TopicError::TooLong));
    }

    #[test]
    fn filters() {
        for (filter, want) in [
            ("#", Ok(())),
            ("a/+/b", Ok(())),
            ("a/#", Ok(())),
            ("a/#/b", Err(TopicError::MisplacedWildcard)),
            ("a/b+", Err(TopicError::MisplacedWildcard)),
            ("a\0", Err(TopicError::Nul)),
        ] {
            assert_eq!(check_filter(filter), want, "{filter:?}");
        }
    }
}
