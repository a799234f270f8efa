//! The GStreamer graph of one stream, built anew for each connection.
//!
//! ```text
//! rtspsrc ! depay ! parse ─┐
//! filesrc ! parsebin ──────┼─[gate]─ decoder ! videoconvert ! appsink (one buffer)
//! v4l2src ─────────────────┘
//! ```
//! `videoconvert` stands by for decoders that give none of the formats the pre-processing
//! reads; it passes everything else through untouched.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gst_video::VideoInfo;
use vigia_core::cadence::Verdict;
use vigia_core::config::{Decoder as DecoderChoice, Pace, Stream};
use vigia_core::stream::{Cause, CauseCode};

use super::decoder::{self, Codec};
use super::feed::Feed;
use super::source::{Output, Source};

/// Formats the pre-processing reads as they are.
const FORMATS: [&str; 5] = ["NV12", "I420", "Y42B", "Y444", "GRAY8"];
/// A picture that claims to be older than this has a broken clock, not a long way.
const AGE_MAX: Duration = Duration::from_secs(10);

/// A running graph. Dropping it stops it.
#[derive(Debug)]
pub struct Pipeline {
    pub pipeline: gst::Pipeline,
    pub live: bool,
}

/// What the graph is built with.
#[derive(Debug, Clone)]
struct Tail {
    feed: Arc<Feed>,
    choice: DecoderChoice,
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
        connect_timeout: Duration,
    ) -> Result<Self, Cause> {
        let source = Source::new(stream, connect_timeout)?;
        let pipeline = gst::Pipeline::new();
        let waits = stream.pace == Pace::Max;
        let tail = Tail {
            feed: feed.clone(),
            choice,
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
        let started = Self { pipeline, live: source.live };
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
        let convert = element("videoconvert")?;
        let sink = self.sink();
        add(pipeline, &[&convert, sink.upcast_ref()])?;
        link(&convert, sink.upcast_ref())?;
        let first = match codec {
            None => {
                let feed = self.feed.clone();
                pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                    if let Some(buffer) = info.buffer() {
                        feed.raw(buffer);
                    }
                    gst::PadProbeReturn::Ok
                });
                convert.clone()
            }
            Some(codec) => {
                let chosen = decoder::choose(codec, self.choice).map_err(|tried| {
                    Cause::new(CauseCode::Unsupported, format!("no decoder for {codec:?}: {tried}"))
                })?;
                tracing::info!(
                    component = "camera", event = "decoder_chosen", decoder = chosen.name,
                    reason = chosen.reason, codec = ?codec, "decoder chosen",
                );
                add(pipeline, &[&chosen.element])?;
                match &chosen.download {
                    None => link(&chosen.element, &convert)?,
                    Some(download) => {
                        add(pipeline, &[download])?;
                        link(download, &convert)?;
                        link(&chosen.element, download)?;
                        sync(&[download])?;
                    }
                }
                self.gate(pad);
                chosen.element
            }
        };
        sync(&[sink.upcast_ref(), &convert, &first])?;
        let entry = first.static_pad("sink").ok_or_else(|| failed("a decoder without a sink pad"))?;
        pad.link(&entry).map(|_| ()).map_err(|e| failed(format!("the decoder does not link: {e}")))
    }

    /// Keeps what nobody will look at away from the decoder.
    fn gate(&self, pad: &gst::Pad) {
        let (feed, live) = (self.feed.clone(), self.live);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| match info.buffer() {
            Some(buffer) if feed.encoded(buffer, live) == Verdict::Drop => gst::PadProbeReturn::Drop,
            _ => gst::PadProbeReturn::Ok,
        });
    }

    fn sink(&self) -> gst_app::AppSink {
        let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(FORMATS)).build();
        let (feed, live) = (self.feed.clone(), self.live);
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
                feed.picture(buffer, info, age);
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        let sink = gst_app::AppSink::builder()
            .name("pictures")
            .caps(&caps)
            .sync(self.sync)
            .max_buffers(1)
            .drop(self.drop)
            .callbacks(callbacks)
            .build();
        sink.set_property("qos", false);
        // An unread picture must not hide the end of the stream.
        sink.set_property("wait-on-eos", false);
        sink.set_property("enable-last-sample", false);
        sink
    }
}

/// How long ago a picture was captured: running time now minus that of the picture.
fn age(sink: &gst_app::AppSink, sample: &gst::Sample, buffer: &gst::BufferRef) -> Duration {
    let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
    let at = segment.and_then(|s| s.to_running_time(buffer.pts()?));
    let now = sink.current_running_time();
    let age = now.zip(at).and_then(|(now, at)| now.checked_sub(at)).map_or(Duration::ZERO, Duration::from);
    if age > AGE_MAX { Duration::ZERO } else { age }
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

fn src_pad(element: &gst::Element) -> Result<gst::Pad, Cause> {
    element.static_pad("src").ok_or_else(|| failed("an element without a source pad"))
}

fn sync(elements: &[&gst::Element]) -> Result<(), Cause> {
    elements.iter().try_for_each(|e| e.sync_state_with_parent()).map_err(|e| failed(e.to_string()))
}
