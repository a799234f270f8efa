//! What GStreamer says, in our words.

use vigia_core::config::masked;
use vigia_core::stream::{Cause, CauseCode};

/// The cause behind an error message. Addresses in it are masked.
#[must_use]
pub fn cause(error: &gst::message::Error) -> Cause {
    let e = error.error();
    let debug = error.debug().map(|d| d.to_string()).unwrap_or_default();
    // A container whose pads nobody wanted: sound, subtitles, data.
    if debug.contains("not-linked") {
        return Cause::new(CauseCode::Unsupported, "there is no video in it");
    }
    let code = code_of(&e, &debug);
    let what = match code {
        CauseCode::Unauthorized => "user or password refused (401)".to_owned(),
        CauseCode::NotFound => "no such stream (404)".to_owned(),
        CauseCode::Unreachable => format!("not reachable: {}", last_line(&debug, e.message())),
        CauseCode::Timeout => "no answer to our request".to_owned(),
        CauseCode::Undecodable => format!("can't be decoded: {}", last_line(&debug, e.message())),
        CauseCode::Unsupported => e.message().to_owned(),
        _ => format!("failed: {}", last_line(&debug, e.message())),
    };
    Cause::new(code, masked_words(&what))
}

fn code_of(e: &gst::glib::Error, debug: &str) -> CauseCode {
    if let Some(r) = e.kind::<gst::ResourceError>() {
        return match r {
            gst::ResourceError::NotAuthorized => CauseCode::Unauthorized,
            gst::ResourceError::NotFound => CauseCode::NotFound,
            _ if debug.contains("Unauthorized") || debug.contains("(401)") => CauseCode::Unauthorized,
            _ if debug.contains("Not Found") || debug.contains("(404)") => CauseCode::NotFound,
            _ if debug.contains("Timeout while waiting") => CauseCode::Timeout,
            gst::ResourceError::OpenRead
            | gst::ResourceError::OpenReadWrite
            | gst::ResourceError::Read
            | gst::ResourceError::Write => CauseCode::Unreachable,
            _ => CauseCode::Failed,
        };
    }
    match e.kind::<gst::StreamError>() {
        Some(gst::StreamError::CodecNotFound) => CauseCode::Unsupported,
        Some(
            gst::StreamError::Decode
            | gst::StreamError::Demux
            | gst::StreamError::Format
            | gst::StreamError::TypeNotFound
            | gst::StreamError::WrongType,
        ) => CauseCode::Undecodable,
        _ => CauseCode::Failed,
    }
}

/// GStreamer's debug text ends with the sentence that says most.
fn last_line<'a>(debug: &'a str, otherwise: &'a str) -> &'a str {
    debug
        .lines()
        .next_back()
        .map(|l| l.rsplit("():").next().unwrap_or(l).trim())
        .filter(|l| !l.is_empty())
        .unwrap_or(otherwise)
}

fn masked_words(text: &str) -> String {
    text.split(' ')
        .map(|w| if w.contains("://") { masked(w) } else { w.to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}
