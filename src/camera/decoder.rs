//! Which decoder a codec gets on this machine, and why.

use gst::prelude::*;
use vigia_core::config::Decoder as Choice;

/// A compressed video format we can decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
    Jpeg,
}

impl Codec {
    /// From `video/x-h264` and its like.
    #[must_use]
    pub fn from_media_type(name: &str) -> Option<Self> {
        match name {
            "video/x-h264" => Some(Self::H264),
            "video/x-h265" => Some(Self::H265),
            "image/jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }

    /// From an RTP encoding name.
    #[must_use]
    pub fn from_rtp(encoding: &str) -> Option<Self> {
        match encoding {
            "H264" => Some(Self::H264),
            "H265" => Some(Self::H265),
            "JPEG" => Some(Self::Jpeg),
            _ => None,
        }
    }

    #[must_use]
    pub fn depayloader(self) -> &'static str {
        match self {
            Self::H264 => "rtph264depay",
            Self::H265 => "rtph265depay",
            Self::Jpeg => "rtpjpegdepay",
        }
    }

    #[must_use]
    pub fn parser(self) -> &'static str {
        match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
            Self::Jpeg => "jpegparse",
        }
    }

    /// Candidates, best first: element and the choice it belongs to. Until the device path
    /// exists all of them are asked for host memory.
    fn candidates(self) -> &'static [(&'static str, Choice)] {
        match self {
            Self::H264 => &[
                ("nvv4l2decoder", Choice::NvV4l2),
                ("nvh264dec", Choice::NvCodec),
                ("vah264dec", Choice::VaApi),
                ("vaapih264dec", Choice::VaApi),
                ("avdec_h264", Choice::Software),
                ("openh264dec", Choice::Software),
            ],
            Self::H265 => &[
                ("nvv4l2decoder", Choice::NvV4l2),
                ("nvh265dec", Choice::NvCodec),
                ("vah265dec", Choice::VaApi),
                ("vaapih265dec", Choice::VaApi),
                ("avdec_h265", Choice::Software),
                ("libde265dec", Choice::Software),
            ],
            Self::Jpeg => &[
                ("nvjpegdec", Choice::NvCodec),
                ("vajpegdec", Choice::VaApi),
                ("vaapijpegdec", Choice::VaApi),
                ("jpegdec", Choice::Software),
                ("avdec_mjpeg", Choice::Software),
            ],
        }
    }
}

/// A decoder that opened, and the reason it was taken.
#[derive(Debug)]
pub struct Chosen {
    pub element: gst::Element,
    /// Brings pictures to host memory, for decoders that write to device memory only.
    pub download: Option<gst::Element>,
    pub name: &'static str,
    /// `nvh264dec: not installed; avdec_h264: opened`
    pub reason: String,
}

/// Tries the candidates in order until one opens its device.
///
/// # Errors
/// What was tried and what each attempt said.
pub fn choose(codec: Codec, choice: Choice) -> Result<Chosen, String> {
    let mut tried = Vec::new();
    for (name, kind) in codec.candidates() {
        if choice != Choice::Auto && choice != *kind {
            continue;
        }
        let Ok(element) = gst::ElementFactory::make(name).build() else {
            tried.push(format!("{name}: not installed"));
            continue;
        };
        // READY opens the device: a plugin without its hardware fails here, not at the first frame.
        if element.set_state(gst::State::Ready).is_err() {
            let _ = element.set_state(gst::State::Null);
            tried.push(format!("{name}: its device does not open"));
            continue;
        }
        let _ = element.set_state(gst::State::Null);
        let download = download(name);
        if *name == "nvv4l2decoder" && download.is_none() {
            tried.push(format!("{name}: neither nvvidconv nor nvvideoconvert is installed"));
            continue;
        }
        tried.push(format!("{name}: opened"));
        configure(&element);
        return Ok(Chosen { element, download, name, reason: tried.join("; ") });
    }
    if tried.is_empty() {
        tried.push(format!("no {choice:?} decoder is known for {codec:?}"));
    }
    Err(tried.join("; "))
}

/// nvv4l2decoder writes NVMM buffers only; Jetson and DeepStream name their converters differently.
fn download(decoder: &str) -> Option<gst::Element> {
    let converters: &[&str] = if decoder == "nvv4l2decoder" { &["nvvidconv", "nvvideoconvert"] } else { &[] };
    converters.iter().find_map(|name| gst::ElementFactory::make(name).build().ok())
}

/// Low latency, no pictures made of thin air, no giving up: our own watch decides when a stream
/// is beyond decoding.
fn configure(element: &gst::Element) {
    for (property, value) in [
        ("max-errors", "-1"),
        ("output-corrupt", "false"),
        ("discard-corrupted-frames", "true"),
        ("qos", "false"),
        // One thread per camera: frame threads would add a frame of delay each.
        ("max-threads", "1"),
        ("low-latency-mode", "true"),
        ("max-display-delay", "0"),
        ("num-extra-surfaces", "4"),
    ] {
        if element.find_property(property).is_some() {
            element.set_property_from_str(property, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_is_found_and_its_reason_told() {
        gst::init().expect("GStreamer");
        for (codec, name) in
            [(Codec::H264, "avdec_h264"), (Codec::H265, "avdec_h265"), (Codec::Jpeg, "jpegdec")]
        {
            let chosen = choose(codec, Choice::Software).expect("a software decoder");
            assert_eq!(chosen.name, name);
            assert!(chosen.reason.ends_with(": opened"), "{}", chosen.reason);
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_was_tried() {
        gst::init().expect("GStreamer");
        let refused = choose(Codec::Jpeg, Choice::NvV4l2).expect_err("no such pair");
        assert_eq!(refused, "no NvV4l2 decoder is known for Jpeg");
    }
}
