//! A live picture, encoded: one pipeline for one resolution.
//!
//! A new resolution is a new pipeline. That is a new sequence with a key frame and new parameter
//! sets on the same RTP session, which is what a camera sends when someone changes its profile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gst::{ClockTime, prelude::*};

use crate::{
    camera::{Codec, Pattern, Picture},
    feed::Feed,
    painter::Painter,
    video,
};

#[derive(Debug)]
pub(crate) struct Encoder {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    /// Paints what is encoded, if GStreamer doesn't.
    painter: Option<Painter>,
}

impl Encoder {
    /// Starts encoding into `feed`. What breaks later becomes an error of the stream it feeds.
    pub(crate) fn start(pattern: &Pattern, feed: &Arc<Feed>) -> Result<Self, gst::glib::Error> {
        let failed = |what: &str| gst::glib::Error::new(gst::CoreError::Failed, what);
        let pipeline = gst::parse::launch(&line(pattern))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| failed("not a pipeline"))?;
        let sink = pipeline.by_name("out").and_then(|e| e.downcast::<gst_app::AppSink>().ok());
        let sink = sink.ok_or_else(|| failed("no sink"))?;
        sink.set_callbacks(callbacks(Arc::clone(feed)));
        let bus = pipeline.bus().ok_or_else(|| failed("no bus"))?;
        let to = Arc::downgrade(feed);
        bus.set_sync_handler(move |_, message| {
            if let (gst::MessageView::Error(error), Some(feed)) = (message.view(), to.upgrade()) {
                feed.fail(&error.error().to_string());
            }
            gst::BusSyncReply::Drop
        });
        // From here on `Drop` takes the pipeline down again.
        let mut encoder = Self { pipeline, sink, painter: None };
        encoder.pipeline.use_clock(Some(feed.clock()));
        encoder.pipeline.set_state(gst::State::Playing).map_err(|_| failed("the encoder does not start"))?;
        if let Picture::Scene(stage) = pattern.picture {
            let source = encoder.pipeline.by_name("in").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
            let source = source.ok_or_else(|| failed("no source"))?;
            let painter = Painter::start(source, stage, pattern, Arc::clone(feed));
            encoder.painter = Some(painter.map_err(|e| failed(&e.to_string()))?);
        }
        Ok(encoder)
    }

    /// Asks for a key frame now: whoever missed a few frames can go on from there.
    pub(crate) fn force_key_frame(&self) {
        let order = gst::Structure::builder("GstForceKeyUnit").field("all-headers", true).build();
        // An encoder that doesn't take the order comes to its next key frame anyway.
        self.sink.send_event(gst::event::CustomUpstream::new(order));
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Nothing in this pipeline refuses NULL, and the stream it fed is being left anyway.
        self.pipeline.set_state(gst::State::Null).ok();
        self.painter = None;
    }
}

fn line(pattern: &Pattern) -> String {
    let Pattern { width, height, fps, codec, gop, picture } = pattern;
    let encoder = match codec {
        Codec::H264 => {
            format!("x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max={gop} ! h264parse")
        }
        Codec::H265 => format!(
            "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} \
             option-string=pools=none:frame-threads=1 ! h265parse"
        ),
        Codec::Mjpeg => "jpegenc quality=70".to_owned(),
    };
    let source = match test_picture(*picture) {
        Some(nick) => format!(
            "videotestsrc is-live=true pattern={nick} \
             ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
        ),
        None => format!(
            "appsrc name=in is-live=true format=time max-buffers=2 leaky-type=downstream caps={}",
            video::caps(*width, *height, *fps)
        ),
    };
    format!("{source} ! {encoder} ! {caps} ! appsink name=out sync=false", caps = codec.caps())
}

/// What GStreamer calls a test picture.
fn test_picture(picture: Picture) -> Option<&'static str> {
    match picture {
        Picture::Ball => Some("ball"),
        Picture::Bars => Some("smpte"),
        Picture::Snow => Some("snow"),
        Picture::Scene(_) => None,
    }
}

fn callbacks(feed: Arc<Feed>) -> gst_app::AppSinkCallbacks {
    let waits_for_key = AtomicBool::new(false);
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let known = forward(&feed, sink, &sample, &waits_for_key);
            known.map(|()| gst::FlowSuccess::Ok).ok_or(gst::FlowError::Error)
        })
        .build()
}

/// Hands one access unit on, unless the camera is stalled or the unit refers to one that a stall
/// kept back. Returns nothing if the sample isn't one that an encoder makes.
fn forward(
    feed: &Feed,
    sink: &gst_app::AppSink,
    sample: &gst::Sample,
    waits_for_key: &AtomicBool,
) -> Option<()> {
    let buffer = sample.buffer()?;
    if feed.holds_back() {
        waits_for_key.store(true, Ordering::Relaxed);
        return Some(());
    }
    if waits_for_key.load(Ordering::Relaxed) && buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
        return Some(());
    }
    waits_for_key.store(false, Ordering::Relaxed);
    let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
    let base = sink.base_time()?;
    let pts = base + segment.to_running_time(buffer.pts())?;
    // Zero-latency encoders don't reorder; where they give a decoding time, it is before PTS by
    // a constant that means nothing to a payloader.
    feed.push(sample.caps_owned()?.as_ref(), buffer, pts, pts);
    Some(())
}
