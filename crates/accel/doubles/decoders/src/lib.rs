//! Doubles of NVIDIA's decoders: what GStreamer finds in tests as `nvh264dec`, `nvh265dec` and `nvv4l2decoder`.
//!
//! They really decode, by libav on the processor, and leave the pictures where the real ones do: in CUDA memory of
//! GStreamer's own library, or in block-linear surfaces behind an `NvBufSurface`, both in device memory of the double of
//! libcuda. They write it as a decoder does, not by copies of the driver, so that every copy that is counted is vigia's.
//!
//! As the real ones, they take byte streams only, open where there is a driver only, put nothing into CUDA memory of a
//! context that was not shared with them, have a small pool and wait when it is empty. In tests `libcuda.so.1` is the double.
//!
//! | variable | meaning |
//! |---|---|
//! | `VIGIA_DECODERS_ONLY` | the one element there is, as an Orin has `nvv4l2decoder` only |
//! | `VIGIA_DECODERS_FORMAT` | the colour format that surfaces claim to have, a number of `nvbufsurface.h`; with `+N` only those of the first N pools |

mod cuda;
mod decoder;
mod driver;
mod nvmm;
mod place;

fn init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    decoder::register(plugin)
}

// Named as its file: lib, this, .so.
gst::plugin_define!(
    vigia_double_decoders,
    "Doubles of NVIDIA's decoders",
    init,
    env!("CARGO_PKG_VERSION"),
    "unknown",
    "vigia",
    "vigia",
    "https://example.invalid/vigia"
);
