//! The first element of a pipeline: an RTSP camera, a file, a video device, a test picture.

use std::time::Duration;

use gst::prelude::*;
use vigia_core::config::{SourceKind, Stream, Transport};
use vigia_core::stream::{Cause, CauseCode};

/// Reordering allowed for RTP over UDP; TCP needs none.
const UDP_LATENCY_MS: u32 = 100;

/// The source of a stream, and how its data comes out of it.
#[derive(Debug)]
pub struct Source {
    pub element: gst::Element,
    pub output: Output,
    /// Timestamps follow the clock (cameras), rather than the reader (files).
    pub live: bool,
}

/// What comes out of the source element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// RTP pads that appear once the session is described.
    Rtp,
    /// A container or elementary stream to be taken apart.
    Container,
    /// Motion JPEG from a video device.
    Jpeg,
    /// Decoded pictures.
    Raw,
}

fn failed(detail: impl Into<String>) -> Cause {
    Cause::new(CauseCode::Failed, detail)
}

fn make(name: &str) -> Result<gst::Element, Cause> {
    gst::ElementFactory::make(name).build().map_err(|_| {
        Cause::new(CauseCode::Unsupported, format!("the GStreamer element {name} is not installed"))
    })
}

impl Source {
    /// Makes the source element of `stream`.
    ///
    /// # Errors
    /// A [`Cause`] with one sentence: a missing file, device or element.
    pub fn new(stream: &Stream, connect_timeout: Duration) -> Result<Self, Cause> {
        match stream.uri.kind() {
            SourceKind::Rtsp | SourceKind::Rtsps => rtsp(stream, connect_timeout),
            SourceKind::File => file(stream),
            SourceKind::V4l2 => video_device(stream),
            SourceKind::Test => test_picture(stream),
        }
    }
}

fn rtsp(stream: &Stream, connect_timeout: Duration) -> Result<Source, Cause> {
    let element = make("rtspsrc")?;
    let (location, inline) = split_credentials(stream.uri.expose());
    element.set_property("location", &location);
    let (protocols, latency) = match stream.transport {
        Transport::Tcp => ("tcp+tls", 0),
        Transport::Udp => ("udp", UDP_LATENCY_MS),
    };
    element.set_property_from_str("protocols", protocols);
    element.set_property("latency", latency);
    element.set_property("drop-on-latency", true);
    element.set_property("tcp-timeout", u64::try_from(connect_timeout.as_micros()).unwrap_or(u64::MAX));
    element.set_property("teardown-timeout", gst::ClockTime::from_mseconds(100).nseconds());
    element.set_property_from_str("user-agent", concat!("vigia/", env!("CARGO_PKG_VERSION")));
    let user = stream.credentials.as_ref();
    let user = user.map(|c| (c.username.clone(), c.password.expose().to_owned())).or(inline);
    if let Some((user, password)) = user {
        element.set_property("user-id", &user);
        element.set_property("user-pw", &password);
    }
    if let Some(file) = &stream.tls_ca_file {
        let database = gio::TlsFileDatabase::new(file)
            .map_err(|e| failed(format!("the certificate file {file} can't be used: {e}")))?;
        element.set_property("tls-database", &database);
    }
    // Sound and metadata are not even set up.
    element.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let media = caps.as_ref().and_then(|c| c.structure(0)?.get::<&str>("media").ok().map(str::to_owned));
        Some((media.as_deref() == Some("video")).to_value())
    });
    Ok(Source { element, output: Output::Rtp, live: true })
}

/// Takes `user:password@` out of an RTSP address. Passwords in the field hold unescaped `@`
/// and `/`: the last `@` before the host counts.
fn split_credentials(uri: &str) -> (String, Option<(String, String)>) {
    let Some((scheme, rest)) = uri.split_once("://") else { return (uri.to_owned(), None) };
    // An `@` in the path or query belongs to the user part only if no host could precede it.
    let authority = rest.find('/').map_or(rest, |end| &rest[..end]);
    let at = match authority.rfind('@') {
        Some(at) => at,
        None => return (uri.to_owned(), None),
    };
    let (user, host) = (&rest[..at], &rest[at + 1..]);
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    (format!("{scheme}://{host}"), Some((unescape(name), unescape(password))))
}

/// `%40` and its like; anything else stays as it is.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(value) if byte == b'%' => {
                out.push(value);
                rest = &after[2..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn file(stream: &Stream) -> Result<Source, Cause> {
    let path = stream.uri.path().unwrap_or_default();
    match std::fs::metadata(path) {
        Err(e) => {
            return Err(Cause::new(CauseCode::NotFound, format!("the file {path} can't be opened: {e}")));
        }
        Ok(m) if !m.is_file() => {
            return Err(Cause::new(CauseCode::NotFound, format!("{path} is not a file")));
        }
        Ok(m) if m.len() == 0 => {
            return Err(Cause::new(CauseCode::Undecodable, format!("the file {path} is empty")));
        }
        Ok(_) => {}
    }
    let element = make("filesrc")?;
    element.set_property("location", path);
    Ok(Source { element, output: Output::Container, live: false })
}

/// `v4l2:///dev/video0?format=mjpeg`; without a format, whatever raw picture the device gives.
fn video_device(stream: &Stream) -> Result<Source, Cause> {
    let path = stream.uri.path().unwrap_or_default();
    let (device, query) = path.split_once('?').unwrap_or((path, ""));
    if !std::path::Path::new(device).exists() {
        return Err(Cause::new(CauseCode::NotFound, format!("there is no video device {device}")));
    }
    let element = make("v4l2src")?;
    element.set_property("device", device);
    let output = if query.contains("format=mjpeg") { Output::Jpeg } else { Output::Raw };
    Ok(Source { element, output, live: true })
}

fn test_picture(stream: &Stream) -> Result<Source, Cause> {
    let pattern = stream.uri.test_pattern().ok_or_else(|| failed("the test picture has no size"))?;
    let description = format!(
        "videotestsrc is-live=true pattern=ball ! capsfilter caps=video/x-raw,format=I420,width={},height={},framerate={}/1",
        pattern.width, pattern.height, pattern.fps
    );
    let bin = gst::parse::bin_from_description(&description, true)
        .map_err(|e| failed(format!("the test picture can't be made: {e}")))?;
    Ok(Source { element: bin.upcast(), output: Output::Raw, live: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_address() {
        let some = |u: &str, p: &str| Some((u.to_owned(), p.to_owned()));
        for (uri, location, user) in [
            ("rtsp://cam/live", "rtsp://cam/live", None),
            ("rtsp://u:p@cam:554/live?x=1", "rtsp://cam:554/live?x=1", some("u", "p")),
            ("rtsp://u:p%40ss%2F@cam/l", "rtsp://cam/l", some("u", "p@ss/")),
            ("rtsp://u:p@ss@cam/l", "rtsp://cam/l", some("u", "p@ss")),
            ("rtsp://u@[::1]:554/l", "rtsp://[::1]:554/l", some("u", "")),
            ("rtsp://u:100%@cam", "rtsp://cam", some("u", "100%")),
            ("rtsp://cam/path@2", "rtsp://cam/path@2", None),
        ] {
            assert_eq!(split_credentials(uri), (location.to_owned(), user), "{uri}");
        }
    }
}
