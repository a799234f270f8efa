//! Which decoder a codec gets on this machine, where it leaves its pictures, and why.
//!
//! Where an engine on a GPU wants frames, NVIDIA's decoders leave them in device memory. Everything else gives host memory,
//! which is said ([`Decoding::is_detour`]): each such frame is then copied to the device.

use gst::prelude::*;
use serde_json::{Value, json};
use vigia_core::config::Decoder as Choice;

use super::device::Device;

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

    /// Candidates, best first: element and the choice it belongs to.
    fn candidates(self) -> &'static [(&'static str, Choice)] {
        match self {
            Self::H264 => &[
                ("nvh264dec", Choice::NvCodec),
                ("nvv4l2decoder", Choice::NvV4l2),
                ("vah264dec", Choice::VaApi),
                ("vaapih264dec", Choice::VaApi),
                ("avdec_h264", Choice::Software),
                ("openh264dec", Choice::Software),
            ],
            Self::H265 => &[
                ("nvh265dec", Choice::NvCodec),
                ("nvv4l2decoder", Choice::NvV4l2),
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

/// Where a decoder leaves its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    Host,
    /// Of NVDEC's elements.
    Cuda,
    /// Surfaces of Jetson, and of DeepStream.
    Nvmm,
}

impl Memory {
    /// As caps name it.
    #[must_use]
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Self::Host => None,
            Self::Cuda => Some("memory:CUDAMemory"),
            Self::Nvmm => Some("memory:NVMM"),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Cuda => "cuda",
            Self::Nvmm => "nvmm",
        }
    }

    /// Where an element leaves pictures if frames are wanted on the device.
    fn of(decoder: &str) -> Self {
        match decoder {
            "nvh264dec" | "nvh265dec" => Self::Cuda,
            "nvv4l2decoder" => Self::Nvmm,
            // Of JPEG, too: GStreamer's NVIDIA decoder for it gives formats that no kernel reads.
            _ => Self::Host,
        }
    }
}

/// What decodes a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoding {
    pub codec: Codec,
    pub name: &'static str,
    pub memory: Memory,
    /// `nvh264dec: not installed; avdec_h264: opened`
    pub reason: String,
    /// Frames were wanted on the device, a decoder that leaves them there was allowed, and none was had.
    pub is_detour: bool,
}

impl Decoding {
    /// As status shows it.
    #[must_use]
    pub fn describe(&self) -> Value {
        json!({ "name": self.name, "memory": self.memory.name(), "reason": self.reason })
    }
}

/// A decoder that opened.
#[derive(Debug)]
pub struct Chosen {
    pub element: gst::Element,
    /// Brings pictures to host memory, for decoders that write to device memory only.
    pub download: Option<gst::Element>,
    pub decoding: Decoding,
}

/// Tries the candidates in order until one opens its device. With `device` pictures stay on it if the decoder can;
/// `instead` is why they don't although an engine wants them there.
///
/// # Errors
/// What was tried and what each attempt said.
pub fn choose(
    codec: Codec,
    choice: Choice,
    device: Option<&Device>,
    instead: Option<&str>,
) -> Result<Chosen, String> {
    let mut tried: Vec<String> = instead.map(str::to_owned).into_iter().collect();
    for (name, kind) in codec.candidates().iter().copied() {
        if choice != Choice::Auto && choice != kind {
            continue;
        }
        let Ok(element) = gst::ElementFactory::make(name).build() else {
            tried.push(format!("{name}: not installed"));
            continue;
        };
        let memory = match device.map(|device| (Memory::of(name), device.context())) {
            Some((Memory::Cuda, Err(why))) => {
                tried.push(format!("{name}: its memory can't be shared: {why}"));
                Memory::Host
            }
            Some((memory, context)) => {
                // Before READY: without it a decoder makes a context of its own.
                context.into_iter().for_each(|context| element.set_context(context));
                memory
            }
            None => Memory::Host,
        };
        // READY opens the device: a plugin without its hardware fails here, not at the first frame.
        let opens = element.set_state(gst::State::Ready).is_ok();
        let _ = element.set_state(gst::State::Null);
        if !opens {
            tried.push(format!("{name}: its device does not open"));
            continue;
        }
        let download = if memory == Memory::Host { download(name) } else { None };
        if name == "nvv4l2decoder" && memory == Memory::Host && download.is_none() {
            tried.push(format!("{name}: neither nvvidconv nor nvvideoconvert is installed"));
            continue;
        }
        tried.push(format!("{name}: opened"));
        configure(&element, memory);
        let wanted = device.is_some() || instead.is_some();
        let allowed =
            codec != Codec::Jpeg && matches!(choice, Choice::Auto | Choice::NvCodec | Choice::NvV4l2);
        let is_detour = wanted && allowed && memory == Memory::Host;
        let decoding = Decoding { codec, name, memory, reason: tried.join("; "), is_detour };
        return Ok(Chosen { element, download, decoding });
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
fn configure(element: &gst::Element, memory: Memory) {
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
        // As many as we ask for: with the one that is the default each picture is copied.
        ("num-output-surfaces", "0"),
    ] {
        if property == "num-output-surfaces" && memory != Memory::Cuda {
            continue;
        }
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
            let chosen = choose(codec, Choice::Software, None, None).expect("a software decoder").decoding;
            assert_eq!((chosen.name, chosen.memory, chosen.is_detour), (name, Memory::Host, false));
            assert!(chosen.reason.ends_with(": opened"), "{}", chosen.reason);
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_was_tried() {
        gst::init().expect("GStreamer");
        let refused = choose(Codec::Jpeg, Choice::NvV4l2, None, None).expect_err("no such pair");
        assert_eq!(refused, "no NvV4l2 decoder is known for Jpeg");
    }
}
