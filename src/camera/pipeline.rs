//! The GStreamer graph of one stream, built anew for each connection.
//!
//! ```text
//! rtspsrc ! depay ! parse ─┐
//! filesrc ! parsebin ──────┼─[gate]─ decoder ! videoconvert ! appsink (one buffer)
//! v4l2src ─────────────────┘
//! ```
//! `videoconvert` stands by for decoders that give none of the formats the pre-processing
//! reads; it passes everything else through untouched. Pictures on the device go from the decoder
//! to the sink, and nothing is between.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use vigia_core::cadence::Verdict;
use vigia_core::config::{Decoder as DecoderChoice, Pace, Stream};
use vigia_core::stream::{Cause, CauseCode};

use super::decoder::{self, Codec, Decoding, Memory};
use super::device::Device;
use super::feed::Feed;
use super::sink::Pictures;
use super::source::{Output, Source};
use crate::frame::Place;

/// A running graph. Dropping it stops it.
#[derive(Debug)]
pub struct Pipeline {
    pub pipeline: gst::Pipeline,
    pub live: bool,
    device: Option<Arc<Device>>,
    feed: Arc<Feed>,
}

/// Where pictures shall be left.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub place: Place,
    /// Why they are not left on the device, if this stream's can't be read there.
    pub instead: Option<String>,
}

/// What the graph is built with.
#[derive(Debug, Clone)]
struct Tail {
    feed: Arc<Feed>,
    choice: DecoderChoice,
    device: Option<Arc<Device>>,
    instead: Option<String>,
    sync: bool,
    drop: bool,
    live: bool,
}

impl Pipeline {
    /// Builds and starts the graph of `stream`.
    ///
    /// # Errors
    /// A [`Cause`] if the source can't be made or refuses to start.
    pub fn start(
        stream: &Stream,
        feed: &Arc<Feed>,
        choice: DecoderChoice,
        wanted: &Wanted,
        connect_timeout: Duration,
    ) -> Result<Self, Cause> {
        let source = Source::new(stream, connect_timeout)?;
        let pipeline = gst::Pipeline::new();
        let (device, instead) = match (&wanted.place, &wanted.instead) {
            (Place::Device(gpu), None) => (Some(Arc::new(Device::new(gpu))), None),
            (Place::Device(_), instead) => (None, instead.clone()),
            // There is nothing that they should be instead.
            (Place::Host, _) => (None, None),
        };
        if let Some(Ok(context)) = device.as_ref().map(|device| device.context()) {
            pipeline.set_context(context);
        }
        let waits = stream.pace == Pace::Max;
        let tail = Tail {
            feed: feed.clone(),
            choice,
            device: device.clone(),
            instead,
            sync: !source.live && !waits,
            drop: !waits,
            live: source.live,
        };
        add(&pipeline, &[&source.element])?;
        match source.output {
            Output::Rtp => link_rtp(&pipeline, &source.element, tail),
            Output::Container => {
                let parsebin = element("parsebin")?;
                add(&pipeline, &[&parsebin])?;
                link(&source.element, &parsebin)?;
                link_parsed(&pipeline, &parsebin, tail);
            }
            Output::Jpeg => {
                let filter = caps_filter(&gst::Caps::builder("image/jpeg").build())?;
                add(&pipeline, &[&filter])?;
                link(&source.element, &filter)?;
                tail.attach(&pipeline, &src_pad(&filter)?, Some(Codec::Jpeg))?;
            }
            Output::Raw => tail.attach(&pipeline, &src_pad(&source.element)?, None)?,
        }
        let started = Self { pipeline, live: source.live, device, feed: feed.clone() };
        started.pipeline.set_state(gst::State::Playing).map_err(|_| started.first_error())?;
        Ok(started)
    }

    /// The error on the bus that made a state change fail.
    fn first_error(&self) -> Cause {
        let message = self.pipeline.bus().and_then(|b| b.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(e)) => super::bus::cause(e),
            _ => Cause::new(CauseCode::Failed, "the pipeline does not start"),
        }
    }

    /// Why its pictures can't be read on the device.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.device.as_ref()?.refused()
    }

    /// Asks the sender for a keyframe; cameras that don't know how ignore it.
    pub fn request_keyframe(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        for sink in self.pipeline.iterate_sinks().into_iter().flatten() {
            sink.send_event(event.clone());
        }
    }

    /// Back to the beginning of a file.
    #[must_use]
    pub fn rewind(&self) -> bool {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        self.pipeline.seek_simple(flags, gst::ClockTime::ZERO).is_ok()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Some(device) = &self.device {
            device.close(&self.feed);
        }
        let _ = self.pipeline.set_state(gst::State::Null);
        // Callbacks hold the feed; without the bus they go with the pipeline.
        if let Some(bus) = self.pipeline.bus() {
            bus.set_flushing(true);
        }
    }
}

/// Links the first video pad that appears.
fn link_rtp(pipeline: &gst::Pipeline, source: &gst::Element, tail: Tail) {
    on_first_pad(pipeline, source, tail, |pipeline, pad, tail| {
        let caps = pad.current_caps().ok_or_else(|| failed("a stream without a format"))?;
        let encoding = caps.structure(0).and_then(|s| s.get::<&str>("encoding-name").ok());
        let encoding = encoding.unwrap_or("unknown");
        let codec = Codec::from_rtp(encoding).ok_or_else(|| unsupported(encoding))?;
        let (depay, parse) = (element(codec.depayloader())?, element(codec.parser())?);
        // A lost packet must not go into the decoder as half a picture.
        if depay.find_property("wait-for-keyframe").is_some() {
            depay.set_property("request-keyframe", true);
        }
        add(pipeline, &[&depay, &parse])?;
        link(&depay, &parse)?;
        tail.attach(pipeline, &src_pad(&parse)?, Some(codec))?;
        sync(&[&parse, &depay])?;
        let sink = depay.static_pad("sink").ok_or_else(|| failed("no sink pad"))?;
        pad.link(&sink).map(|_| ()).map_err(|e| failed(format!("the RTP stream does not link: {e}")))
    });
}

fn link_parsed(pipeline: &gst::Pipeline, parsebin: &gst::Element, tail: Tail) {
    on_first_pad(pipeline, parsebin, tail, |pipeline, pad, tail| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let name = caps.structure(0).map_or("unknown", |s| s.name().as_str());
        let codec = Codec::from_media_type(name);
        if codec.is_none() && name != "video/x-raw" {
            return Err(unsupported(name));
        }
        tail.attach(pipeline, pad, codec)
    });
}

/// Runs `build` for the first pad that is video; sound and later pads stay unlinked.
fn on_first_pad(
    pipeline: &gst::Pipeline,
    element: &gst::Element,
    tail: Tail,
    build: impl Fn(&gst::Pipeline, &gst::Pad, &Tail) -> Result<(), Cause> + Send + Sync + 'static,
) {
    let pipeline = pipeline.downgrade();
    element.connect_pad_added(move |element, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let video = caps.structure(0).is_some_and(|s| {
            let name = s.name();
            name.starts_with("video/") || name.starts_with("image/") || s.get::<&str>("media") == Ok("video")
        });
        let taken = pipeline.by_name("pictures").is_some();
        if taken || !video {
            return;
        }
        if let Err(cause) = build(&pipeline, pad, &tail) {
            let error = match cause.code {
                CauseCode::Unsupported => gst::StreamError::CodecNotFound,
                _ => gst::StreamError::Failed,
            };
            gst::element_error!(element, error, ("{}", cause.detail));
        }
    });
}

impl Tail {
    /// Adds decoder and sink behind `pad`, which carries `codec` or decoded pictures.
    fn attach(&self, pipeline: &gst::Pipeline, pad: &gst::Pad, codec: Option<Codec>) -> Result<(), Cause> {
        let Some(codec) = codec else {
            let feed = self.feed.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(buffer) = info.buffer() {
                    feed.raw(buffer);
                }
                gst::PadProbeReturn::Ok
            });
            return lay(pipeline, pad, &[element("videoconvert")?, self.sink(Memory::Host)]);
        };
        let instead = self.instead.as_deref();
        let chosen =
            decoder::choose(codec, self.choice, self.device.as_deref(), instead).map_err(|tried| {
                Cause::new(CauseCode::Unsupported, format!("no decoder for {codec:?}: {tried}"))
            })?;
        self.tell(&chosen.decoding);
        let memory = chosen.decoding.memory;
        let mut chain = Vec::new();
        // Containers have H.264 without the start codes that hardware looks for; a parser puts them in.
        let factory = chosen.element.factory();
        let takes = |caps: gst::Caps| factory.as_ref().is_some_and(|f| f.can_sink_any_caps(&caps));
        if !pad.current_caps().is_none_or(takes) {
            chain.push(element(codec.parser())?);
        }
        chain.push(chosen.element);
        chain.extend(chosen.download);
        if memory == Memory::Host {
            chain.push(element("videoconvert")?);
        }
        chain.push(self.sink(memory));
        self.gate(pad);
        lay(pipeline, pad, &chain)
    }

    fn sink(&self, memory: Memory) -> gst::Element {
        let (feed, device) = (self.feed.clone(), self.device.clone());
        let Self { sync, drop, live, .. } = *self;
        Pictures { feed, device, memory, live }.sink(sync, drop).upcast()
    }

    fn tell(&self, decoding: &Decoding) {
        let Decoding { codec, name: decoder, memory, reason, is_detour } = decoding;
        let (memory, source_id) = (memory.name(), self.feed.source_id());
        tracing::info!(
            component = "camera",
            event = "decoder_chosen",
            source_id,
            decoder,
            memory,
            reason,
            ?codec,
            "decoder chosen",
        );
        if *is_detour {
            tracing::warn!(
                component = "camera",
                event = "host_frames",
                source_id,
                decoder,
                reason,
                ?codec,
                "each frame is copied to the GPU: no decoder leaves it there",
            );
        }
        self.feed.set_decoding(decoding.clone());
    }

    /// Keeps what nobody will look at away from the decoder.
    fn gate(&self, pad: &gst::Pad) {
        let (feed, live) = (self.feed.clone(), self.live);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| match info.buffer() {
            Some(buffer) if feed.encoded(buffer, live) == Verdict::Drop => gst::PadProbeReturn::Drop,
            _ => gst::PadProbeReturn::Ok,
        });
    }
}

fn failed(detail: impl Into<String>) -> Cause {
    Cause::new(CauseCode::Failed, detail)
}

fn unsupported(format: &str) -> Cause {
    Cause::new(
        CauseCode::Unsupported,
        format!("the format {format} is not supported; H.264, H.265 and MJPEG are"),
    )
}

fn element(name: &str) -> Result<gst::Element, Cause> {
    gst::ElementFactory::make(name).build().map_err(|_| {
        Cause::new(CauseCode::Unsupported, format!("the GStreamer element {name} is not installed"))
    })
}

fn caps_filter(caps: &gst::Caps) -> Result<gst::Element, Cause> {
    let filter = element("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

fn add(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<(), Cause> {
    pipeline.add_many(elements.iter().copied()).map_err(|e| failed(e.to_string()))
}

fn link(from: &gst::Element, to: &gst::Element) -> Result<(), Cause> {
    from.link(to).map_err(|e| failed(e.to_string()))
}

/// Adds elements behind `pad`, one after the other, and starts them: the last first, so that nothing comes too early.
fn lay(pipeline: &gst::Pipeline, pad: &gst::Pad, chain: &[gst::Element]) -> Result<(), Cause> {
    add(pipeline, &chain.iter().collect::<Vec<_>>())?;
    gst::Element::link_many(chain).map_err(|e| failed(e.to_string()))?;
    sync(&chain.iter().rev().collect::<Vec<_>>())?;
    let entry = chain.first().and_then(|first| first.static_pad("sink"));
    let entry = entry.ok_or_else(|| failed("a decoder without a sink pad"))?;
    pad.link(&entry).map(|_| ()).map_err(|e| failed(format!("the decoder does not link: {e}")))
}

fn src_pad(element: &gst::Element) -> Result<gst::Pad, Cause> {
    element.static_pad("src").ok_or_else(|| failed("an element without a source pad"))
}

fn sync(elements: &[&gst::Element]) -> Result<(), Cause> {
    elements.iter().try_for_each(|e| e.sync_state_with_parent()).map_err(|e| failed(e.to_string()))
}
