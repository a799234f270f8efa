//! The elements: a parser's byte stream in, pictures on the device out.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::place::{CUDA, NVMM, Place, nv12};

/// `decode` of a byte stream of `media`, then NV12, then to the device as far as `features` go.
fn build(bin: &gst::Bin, media: &str, decode: &str, features: &[&str]) -> Result<(), glib::BoolError> {
    let make = |name: &str| gst::ElementFactory::make(name).build();
    let (decode, convert, filter) = (make(decode)?, make("videoconvert")?, make("capsfilter")?);
    let entry = make("capsfilter")?;
    entry.set_property("caps", byte_stream(media));
    decode.set_property_from_str("output-corrupt", "false");
    decode.set_property_from_str("max-threads", "1");
    filter.set_property("caps", nv12(&[]));
    let place: gst::Element = glib::Object::new::<Place>().upcast();
    let out = make("capsfilter")?;
    let mut caps = nv12(features);
    if features == [NVMM] {
        // It gives surfaces and nothing else.
        caps.make_mut().remove_structure(1);
    }
    out.set_property("caps", caps);
    bin.add_many([&entry, &decode, &convert, &filter, &place, &out])?;
    gst::Element::link_many([&entry, &decode, &convert, &filter, &place, &out])?;
    for (pad, name) in [(entry.static_pad("sink"), "sink"), (out.static_pad("src"), "src")] {
        let pad = pad.ok_or_else(|| glib::bool_error!("no {name} pad"))?;
        bin.add_pad(&gst::GhostPad::builder_with_target(&pad)?.name(name).build())?;
    }
    Ok(())
}

fn byte_stream(media: &str) -> gst::Caps {
    gst::Caps::builder(media).field("stream-format", "byte-stream").field("alignment", "au").build()
}

/// Pad templates of a decoder of `media`.
fn templates(media: &str, features: &[&str]) -> Vec<gst::PadTemplate> {
    let of = |name, direction, caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).expect("sound")
    };
    vec![
        of("sink", gst::PadDirection::Sink, byte_stream(media)),
        of("src", gst::PadDirection::Src, nv12(features)),
    ]
}

/// A decoder's type, by its name in GStreamer.
macro_rules! decoder {
    ($module:ident, $kind:ident, $media:literal, $decode:literal, $features:expr) => {
        mod $module {
            use super::*;

            #[derive(Debug, Default)]
            pub struct Imp;

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = concat!("VigiaDouble", stringify!($kind));
                type Type = $kind;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for Imp {
                fn constructed(&self) {
                    self.parent_constructed();
                    build(self.obj().upcast_ref(), $media, $decode, $features)
                        .expect("libav and base are installed");
                }
            }

            impl GstObjectImpl for Imp {}
            impl BinImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: std::sync::OnceLock<gst::subclass::ElementMetadata> =
                        std::sync::OnceLock::new();
                    Some(METADATA.get_or_init(|| {
                        let name = concat!("double of ", stringify!($module));
                        gst::subclass::ElementMetadata::new(
                            name,
                            "Codec/Decoder/Video/Hardware",
                            name,
                            "vigia",
                        )
                    }))
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: std::sync::OnceLock<Vec<gst::PadTemplate>> = std::sync::OnceLock::new();
                    TEMPLATES.get_or_init(|| templates($media, $features))
                }
            }

            glib::wrapper! {
                pub struct $kind(ObjectSubclass<Imp>) @extends gst::Bin, gst::Element, gst::Object,
                    @implements gst::ChildProxy;
            }
        }
    };
}

decoder!(nvh264dec, NvH264Dec, "video/x-h264", "avdec_h264", &[CUDA]);
decoder!(nvh265dec, NvH265Dec, "video/x-h265", "avdec_h265", &[CUDA]);
decoder!(nvv4l2decoder, NvV4l2Decoder, "video/x-h264", "avdec_h264", &[NVMM]);

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let only = std::env::var("VIGIA_DECODERS_ONLY").ok();
    let all = [
        ("nvh264dec", nvh264dec::NvH264Dec::static_type()),
        ("nvh265dec", nvh265dec::NvH265Dec::static_type()),
        ("nvv4l2decoder", nvv4l2decoder::NvV4l2Decoder::static_type()),
    ];
    let wanted = all.into_iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    wanted
        .into_iter()
        .try_for_each(|(name, kind)| gst::Element::register(Some(plugin), name, gst::Rank::NONE, kind))
}
