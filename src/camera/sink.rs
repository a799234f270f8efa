//! The end of a stream's graph: pictures become frames.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gst_video::VideoInfo;

use super::decoder::Memory;
use super::device::Device;
use super::feed::{Feed, Stamp};
use crate::frame::Surface;

/// Formats the pre-processing reads as they are.
const FORMATS: [&str; 5] = ["NV12", "I420", "Y42B", "Y444", "GRAY8"];
/// And those that the kernels read of what decoders leave on the device.
const DEVICE_FORMATS: [&str; 2] = ["NV12", "P010_10LE"];
/// Buffers on the device that we may hold: one comes, one waits, two are in flight (what is taken for the next batch is in
/// the place of one), and of a trial one is looked at and two wait.
const BUFFERS_HELD: u32 = 7;
/// A picture that claims to be older than this has a broken clock, not a long way.
const AGE_MAX: Duration = Duration::from_secs(10);

/// Pictures of one connection, all in the same memory.
#[derive(Debug)]
pub struct Pictures {
    pub feed: Arc<Feed>,
    pub device: Option<Arc<Device>>,
    pub memory: Memory,
    pub live: bool,
}

impl Pictures {
    /// The sink. With `sync` it shows pictures when it is their time, with `newest` it keeps the newest only.
    pub fn sink(self, sync: bool, newest: bool) -> gst_app::AppSink {
        let Self { feed, device, memory, live } = self;
        let pools = device.clone().filter(|_| memory != Memory::Host).map(|device| (device, feed.clone()));
        let mut format: Option<(gst::Caps, VideoInfo)> = None;
        let callbacks = gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer_owned()) else {
                    return Ok(gst::FlowSuccess::Ok);
                };
                let known = format.as_ref().filter(|(c, _)| c.as_ptr() == caps.as_ptr());
                if known.is_none() {
                    let info = VideoInfo::from_caps(caps).map_err(|_| gst::FlowError::NotNegotiated)?;
                    format = Some((caps.to_owned(), info));
                }
                let Some((_, info)) = &format else { return Err(gst::FlowError::NotNegotiated) };
                let age = live.then(|| age(sink, &sample, &buffer));
                // Released before a wait: the sample would hold the decoder's buffer twice.
                drop(sample);
                let at = Stamp { pts: buffer.pts(), duration: buffer.duration() };
                let surface = match (&device, memory) {
                    (Some(device), Memory::Cuda | Memory::Nvmm) => device.surface(memory, &buffer, info),
                    _ => Some(Surface::System { buffer, info: info.clone() }),
                };
                // What can't be read is lost; the watch sees why.
                if let Some(surface) = surface {
                    feed.picture(at, surface, age);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        let sink = gst_app::AppSink::builder()
            .name("pictures")
            .caps(&accepted(memory))
            .sync(sync)
            .max_buffers(1)
            .drop(newest)
            .callbacks(callbacks)
            .build();
        sink.set_property("qos", false);
        // An unread picture must not hide the end of the stream.
        sink.set_property("wait-on-eos", false);
        sink.set_property("enable-last-sample", false);
        if let (Some((device, feed)), Some(pad)) = (pools, sink.static_pad("sink")) {
            watch_pool(&pad, &device, &feed);
        }
        sink
    }
}

/// What a sink takes of pictures in this memory.
fn accepted(memory: Memory) -> gst::Caps {
    let caps = gst::Caps::builder("video/x-raw");
    match memory.feature() {
        None => caps.field("format", gst::List::new(FORMATS)).build(),
        Some(feature) => caps.field("format", gst::List::new(DEVICE_FORMATS)).features([feature]).build(),
    }
}

/// Tells the decoder how many buffers we may hold, and lets its surfaces go before what may end their pool: another format, a
/// flush, after which surfaces of a new pool may lie where those of the old one did, or the question for a new pool.
fn watch_pool(pad: &gst::Pad, device: &Arc<Device>, feed: &Arc<Feed>) {
    let ends = [gst::EventType::Caps, gst::EventType::FlushStop];
    let (pool, of) = (device.clone(), feed.clone());
    let events = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(events, move |_, info| {
        if info.event().is_some_and(|event| ends.contains(&event.type_())) {
            pool.forget(&of);
        }
        gst::PadProbeReturn::Ok
    });
    let (pool, of) = (device.clone(), feed.clone());
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM | gst::PadProbeType::PUSH, move |_, info| {
        if let Some(gst::QueryViewMut::Allocation(query)) = info.query_mut().map(gst::QueryRef::view_mut) {
            pool.forget(&of);
            let bytes = query.get().0.and_then(|caps| VideoInfo::from_caps(caps).ok());
            let bytes = bytes.and_then(|info| u32::try_from(info.size()).ok()).unwrap_or(0);
            query.add_allocation_pool(None::<&gst::BufferPool>, bytes, BUFFERS_HELD, 0);
            query.add_allocation_meta::<gst_video::VideoMeta>(None);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// How long ago a picture was captured: running time now minus that of the picture.
fn age(sink: &gst_app::AppSink, sample: &gst::Sample, buffer: &gst::BufferRef) -> Duration {
    let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
    let at = segment.and_then(|s| s.to_running_time(buffer.pts()?));
    let now = sink.current_running_time();
    let age = now.zip(at).and_then(|(now, at)| now.checked_sub(at)).map_or(Duration::ZERO, Duration::from);
    if age > AGE_MAX { Duration::ZERO } else { age }
}
