//! A clip, taken apart once: its access units in memory, with times that can be repeated.
//!
//! Looping is then arithmetic. No demuxer has to seek, so no flush, no segment and no second
//! pipeline can put a seam into the stream.

use std::{fs, iter, path::Path};

use gst::{ClockTime, prelude::*};

use crate::{SimError, camera::Codec};

/// Larger clips don't belong into memory, once per camera.
const CLIP_BYTES_MAX: u64 = 256 << 20;
const LOAD_MAX: ClockTime = ClockTime::from_seconds(10);

/// The access units of one clip, in decoding order.
#[derive(Debug)]
pub(crate) struct Clip {
    pub(crate) codec: Codec,
    pub(crate) caps: gst::Caps,
    pub(crate) units: Vec<Unit>,
    /// From one lap to the next.
    pub(crate) period: ClockTime,
}

/// One access unit; times count from the first unit's decoding time.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) pts: ClockTime,
    pub(crate) dts: ClockTime,
    pub(crate) data: gst::Buffer,
}

impl Clip {
    pub(crate) fn load(path: &Path) -> Result<Self, SimError> {
        let read = |source| SimError::ClipRead { path: path.to_owned(), source };
        let refuse = |what: String| SimError::Clip { path: path.to_owned(), what };
        let file = fs::File::open(path).map_err(read)?;
        let meta = file.metadata().map_err(read)?;
        if !meta.is_file() {
            return Err(refuse("it is not a file".to_owned()));
        }
        if meta.len() > CLIP_BYTES_MAX {
            return Err(refuse(format!("it is longer than {CLIP_BYTES_MAX} bytes")));
        }
        let demux = Demux::start(path).map_err(|e| refuse(e.to_string()))?;
        let samples = demux.drain().map_err(refuse)?;
        Self::from_samples(&samples).map_err(refuse)
    }

    fn from_samples(samples: &[gst::Sample]) -> Result<Self, String> {
        let caps = samples.first().and_then(|s| s.caps_owned()).ok_or("there is no video in it")?;
        let codec = match caps.structure(0).map(|s| s.name().as_str()) {
            Some("video/x-h264") => Codec::H264,
            Some("video/x-h265") => Codec::H265,
            other => return Err(format!("it has video of the kind {other:?}")),
        };
        let units = samples.iter().map(raw_unit).collect::<Option<Vec<_>>>().ok_or("a frame has no time")?;
        let zero = units.first().map_or(ClockTime::ZERO, |u| u.dts);
        let lap = |of: fn(&Unit) -> ClockTime| {
            let (first, last) = (units.iter().map(of).min(), units.iter().map(of).max());
            last.unwrap_or_default().saturating_sub(first.unwrap_or_default())
        };
        // A period is a frame longer than the way from the first frame to the last.
        let span = lap(|u| u.pts).max(lap(|u| u.dts));
        let gaps = u64::try_from(units.len().saturating_sub(1)).unwrap_or(1).max(1);
        let frame = match units.len() {
            1 => ClockTime::SECOND,
            _ => span / gaps,
        };
        if frame.is_zero() {
            return Err("its frames all have the same time".to_owned());
        }
        let units = units
            .into_iter()
            .map(|u| Unit { pts: u.pts.saturating_sub(zero), dts: u.dts.saturating_sub(zero), ..u })
            .collect();
        Ok(Self { codec, caps, units, period: span + frame })
    }
}

/// A sample's times, in the running time of the pipeline that took the clip apart.
fn raw_unit(sample: &gst::Sample) -> Option<Unit> {
    let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
    let data = sample.buffer_owned()?;
    let pts = running_time(segment, data.pts())?;
    let dts = running_time(segment, data.dts()).unwrap_or(pts);
    Some(Unit { pts, dts, data })
}

/// The running time of `time`, shifted so that a decoding time before the segment (the first
/// frames of a clip with B-frames have one) doesn't become negative.
fn running_time(segment: &gst::FormattedSegment<ClockTime>, time: Option<ClockTime>) -> Option<ClockTime> {
    const SHIFT: ClockTime = ClockTime::from_seconds(3600);
    match segment.to_running_time_full(time)? {
        gst::Signed::Positive(t) => Some(SHIFT + t),
        gst::Signed::Negative(t) => SHIFT.checked_sub(t),
    }
}

struct Demux {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

impl Demux {
    fn start(path: &Path) -> Result<Self, gst::glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        let source = gst::ElementFactory::make("filesrc").property("location", path).build()?;
        let demux = gst::ElementFactory::make("qtdemux").build()?;
        let sink = gst_app::AppSink::builder().sync(false).wait_on_eos(false).build();
        pipeline.add_many([&source, &demux, sink.upcast_ref()])?;
        source.link(&demux)?;
        let (to, bin) = (sink.downgrade(), pipeline.downgrade());
        demux.connect_pad_added(move |_, pad| {
            if let (Some(sink), Some(pipeline)) = (to.upgrade(), bin.upgrade())
                && let Err(error) = link_video(&pipeline, pad, &sink)
            {
                gst::element_error!(sink, gst::CoreError::Pad, ["{}", error]);
            }
        });
        pipeline.set_state(gst::State::Playing).map_err(|e| gst::glib::bool_error!("{e}"))?;
        Ok(Self { pipeline, sink })
    }

    /// All samples of the clip, or what the pipeline complained about.
    fn drain(self) -> Result<Vec<gst::Sample>, String> {
        let bus = self.pipeline.bus().ok_or("its pipeline has no bus")?;
        let end = bus.timed_pop_filtered(LOAD_MAX, &[gst::MessageType::Error, gst::MessageType::Eos]);
        match end.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            None => Err("its end was not reached in time".to_owned()),
            Some(_) => Ok(iter::from_fn(|| self.sink.try_pull_sample(ClockTime::ZERO)).collect()),
        }
    }
}

impl Drop for Demux {
    fn drop(&mut self) {
        // Going to NULL doesn't fail in the elements used here; there is no one to tell either.
        self.pipeline.set_state(gst::State::Null).ok();
    }
}

/// Links a demuxer's first video pad; leaves sound and further tracks alone.
fn link_video(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    sink: &gst_app::AppSink,
) -> Result<(), gst::glib::BoolError> {
    let name = pad.current_caps().and_then(|c| c.structure(0).map(|s| s.name().to_string()));
    let (parser, codec) = match name.as_deref() {
        Some("video/x-h264") => ("h264parse", Codec::H264),
        Some("video/x-h265") => ("h265parse", Codec::H265),
        _ => return Ok(()),
    };
    if sink.static_pad("sink").is_some_and(|p| p.is_linked()) {
        return Ok(());
    }
    let parser = gst::ElementFactory::make(parser).build()?;
    pipeline.add(&parser)?;
    sink.set_caps(Some(&codec.caps().parse()?));
    parser.link(sink)?;
    parser.sync_state_with_parent()?;
    let entry = parser.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("a parser without a pad"))?;
    pad.link(&entry).map_err(|e| gst::glib::bool_error!("{e}"))?;
    Ok(())
}
