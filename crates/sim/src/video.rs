//! A scene as an MP4 file, rendered as fast as the machine can.

use std::path::Path;

use gst::{ClockTime, prelude::*};

use crate::SimError;
use crate::scene::Shot;
use crate::stage::Stage;
use crate::yuv;

/// What the encoder may take for the frames it still has when the last one was painted.
const END_MAX: ClockTime = ClockTime::from_seconds(120);

/// Writes `frames` frames of a scene from its beginning.
///
/// # Errors
/// [`SimError::Video`], [`SimError::Init`].
pub fn write(
    path: &Path,
    stage: &Stage,
    (width, height): (u32, u32),
    fps: u32,
    frames: u32,
) -> Result<(), SimError> {
    gst::init().map_err(SimError::Init)?;
    let failed = |what: String| SimError::Video { path: path.to_owned(), what };
    let line = format!(
        "appsrc name=in format=time block=true caps={} ! x264enc speed-preset=veryfast key-int-max={} \
         ! h264parse ! mp4mux ! filesink name=out",
        caps(width, height, fps),
        fps * 2,
    );
    let pipeline = gst::parse::launch(&line).map_err(|e| failed(e.to_string()))?;
    let pipeline = Running(pipeline.downcast::<gst::Pipeline>().map_err(|_| failed("no pipeline".into()))?);
    let source = pipeline.0.by_name("in").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
    let source = source.ok_or_else(|| failed("there is no source".to_owned()))?;
    if let Some(sink) = pipeline.0.by_name("out") {
        sink.set_property("location", path);
    }
    let bus = pipeline.0.bus().ok_or_else(|| failed("there is no bus".to_owned()))?;
    let complaint = |wait| {
        let end = bus.timed_pop_filtered(wait, &[gst::MessageType::Error, gst::MessageType::Eos]);
        match end.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(error)) => Some(error.error().to_string()),
            Some(_) => None,
            None => Some("it does not end".to_owned()),
        }
    };
    let broken = |_| failed(complaint(ClockTime::SECOND).unwrap_or_default());
    pipeline.0.set_state(gst::State::Playing).map_err(broken)?;
    let mut shot = stage.shot((width, height));
    for n in 0..frames {
        let buffer = paint(&mut shot, n as f32 / fps as f32, time_of(n.into(), fps));
        source.push_buffer(buffer).map_err(|_| failed(complaint(ClockTime::SECOND).unwrap_or_default()))?;
    }
    source.end_of_stream().map_err(|e| failed(e.to_string()))?;
    complaint(END_MAX).map_or(Ok(()), |what| Err(failed(what)))
}

/// The pictures that [`paint`] makes.
pub(crate) fn caps(width: u32, height: u32, fps: u32) -> String {
    format!(
        "video/x-raw,format=I420,width={width},height={height},framerate={fps}/1,\
         interlace-mode=progressive,colorimetry={}",
        yuv::COLORIMETRY
    )
}

/// When frame `n` is shown.
pub(crate) fn time_of(n: u64, fps: u32) -> ClockTime {
    ClockTime::SECOND * n / u64::from(fps)
}

/// The moment `t` as an encoder takes it, to be shown at `pts`.
pub(crate) fn paint(shot: &mut Shot, t: f32, pts: ClockTime) -> gst::Buffer {
    let frame = shot.frame(t);
    let mut buffer = gst::Buffer::from_slice(yuv::i420(&frame.rgb, (frame.width, frame.height)));
    // Nobody else has it yet, so it can be changed.
    if let Some(fields) = buffer.get_mut() {
        fields.set_pts(pts);
    }
    buffer
}

/// A pipeline that ends with its owner.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        // Going to NULL doesn't fail in the elements used here.
        self.0.set_state(gst::State::Null).ok();
    }
}
