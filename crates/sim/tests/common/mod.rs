//! A client as plain as they come: one GStreamer pipeline, and what arrives at its end.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::path::{Path, PathBuf};

use gst::{ClockTime, prelude::*};
use vigia_sim::Codec;

/// Nothing on loopback takes this long, not even on a machine that is busy building.
pub const PATIENCE: ClockTime = ClockTime::from_seconds(15);

pub struct Client {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub pts: ClockTime,
    pub width: i32,
    pub height: i32,
}

impl Client {
    /// Decodes.
    pub fn watch(url: &str, codec: Codec) -> Self {
        let decoder = match codec {
            Codec::H264 => "rtph264depay ! h264parse ! avdec_h264",
            Codec::H265 => "rtph265depay ! h265parse ! avdec_h265",
            Codec::Mjpeg => "rtpjpegdepay ! jpegdec",
        };
        Self::open(url, decoder, "")
    }

    /// Decodes H.264 with the times the camera gave, not those the client makes of them.
    pub fn watch_unsmoothed(url: &str) -> Self {
        Self::open(url, "rtph264depay ! h264parse ! avdec_h264", "buffer-mode=none")
    }

    /// Takes H.264 apart, but doesn't decode.
    pub fn record(url: &str) -> Self {
        Self::open(url, "rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au", "")
    }

    /// The sink doesn't wait on EOS: an end must be heard even by a test that left frames unread.
    fn open(url: &str, chain: &str, options: &str) -> Self {
        gst::init().unwrap();
        let line = format!(
            "rtspsrc location={url} protocols=tcp latency=50 tls-validation-flags=0 tcp-timeout=5000000 \
             {options} ! {chain} ! appsink name=out sync=false wait-on-eos=false"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, sink }
    }

    pub fn sample(&self, wait: ClockTime) -> Option<gst::Sample> {
        self.sink.try_pull_sample(wait)
    }

    pub fn frame(&self, wait: ClockTime) -> Option<Frame> {
        let sample = self.sample(wait)?;
        let caps = sample.caps()?.structure(0)?;
        Some(Frame {
            pts: sample.buffer()?.pts()?,
            width: caps.get("width").ok()?,
            height: caps.get("height").ok()?,
        })
    }

    /// The next frame, which must come.
    #[track_caller]
    pub fn must_see(&self) -> Frame {
        let frame = self.frame(PATIENCE);
        frame.unwrap_or_else(|| panic!("no frame; the client says {:?}", self.complaint(ClockTime::ZERO)))
    }

    #[track_caller]
    pub fn must_see_frames(&self, count: u64) -> Vec<Frame> {
        (0..count).map(|_| self.must_see()).collect()
    }

    /// Frames until one is like this.
    #[track_caller]
    pub fn must_see_until(&self, what: &str, is_wanted: impl Fn(&Frame) -> bool) -> Frame {
        (0..500).map(|_| self.must_see()).find(is_wanted).unwrap_or_else(|| panic!("500 frames, none {what}"))
    }

    /// Takes frames that were on their way, until none comes for `silence`.
    #[track_caller]
    pub fn must_fall_silent(&self, silence: ClockTime) {
        let still = (0..500).take_while(|_| self.sample(silence).is_some()).count();
        assert!(still < 500, "the stream goes on");
    }

    /// The error or the end that the pipeline reports.
    pub fn complaint(&self, wait: ClockTime) -> Option<String> {
        let kinds = [gst::MessageType::Error, gst::MessageType::Eos];
        let message = self.pipeline.bus()?.timed_pop_filtered(wait, &kinds)?;
        Some(match message.view() {
            gst::MessageView::Error(error) => format!("{} {:?}", error.error(), error.debug()),
            _ => "end of stream".to_owned(),
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).ok();
    }
}

/// A clip of two seconds at 25 frames per second, H.264 with B-frames, made for this test.
pub struct TinyClip(PathBuf);

impl TinyClip {
    pub const FRAMES: u64 = 50;
    pub const FRAME: ClockTime = ClockTime::from_mseconds(40);

    pub fn make(name: &str) -> Self {
        gst::init().unwrap();
        let path = std::env::temp_dir().join(format!("vigia-sim-{}-{name}.mp4", std::process::id()));
        let line = format!(
            "videotestsrc num-buffers={} pattern=ball ! video/x-raw,format=I420,width=160,height=120,\
             framerate=25/1 ! x264enc speed-preset=veryfast bframes=2 b-adapt=false key-int-max=25 \
             ! h264parse ! mp4mux ! filesink location={}",
            Self::FRAMES,
            path.display()
        );
        let pipeline = gst::parse::launch(&line).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let end = pipeline
            .bus()
            .unwrap()
            .timed_pop_filtered(PATIENCE, &[gst::MessageType::Eos, gst::MessageType::Error]);
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TinyClip {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}
