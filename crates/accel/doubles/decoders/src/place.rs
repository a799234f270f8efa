//! The last element of a decoder: puts pictures where its kind leaves them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use crate::driver::Driver;
use crate::{cuda, nvmm};

pub const CUDA: &str = "memory:CUDAMemory";
pub const NVMM: &str = "memory:NVMM";

/// The rows of a plane of NV12, without their padding.
pub fn rows<'a>(frame: &'a VideoFrameRef<&'a gst::BufferRef>, plane: u32) -> Vec<&'a [u8]> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let (row, rows) = if plane == 0 { (width, height) } else { (2 * width.div_ceil(2), height.div_ceil(2)) };
    let stride = usize::try_from(frame.plane_stride()[plane as usize]).unwrap_or(row);
    let data = frame.plane_data(plane).unwrap_or_default();
    data.chunks(stride.max(1)).take(rows).map(|r| &r[..row]).collect()
}

enum Pool {
    /// Decoders of CUDA memory give pictures of the host to who asks for them.
    Host,
    Cuda(cuda::Pool),
    Nvmm(nvmm::Pool),
}

#[derive(Default)]
struct State {
    info: Option<VideoInfo>,
    pool: Option<Pool>,
    context: Option<gst::Context>,
}

mod imp {
    use super::*;

    #[expect(missing_debug_implementations, reason = "GStreamer shows the object around it")]
    pub struct Place {
        sink: gst::Pad,
        src: gst::Pad,
        state: Mutex<State>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Place {
        const NAME: &'static str = "VigiaDoublePlace";
        type Type = super::Place;
        type ParentType = gst::Element;

        fn with_class(class: &Self::Class) -> Self {
            let template = |name| class.pad_template(name).expect("made below");
            let sink = gst::Pad::builder_from_template(&template("sink"))
                .chain_function(|_, parent, buffer| {
                    Self::catch_panic_pad_function(
                        parent,
                        || Err(gst::FlowError::Error),
                        |this| this.chain(&buffer),
                    )
                })
                .event_function(|pad, parent, event| {
                    Self::catch_panic_pad_function(parent, || false, |this| this.event(pad, event))
                })
                .query_function(|pad, parent, query| {
                    Self::catch_panic_pad_function(parent, || false, |this| this.query(pad, query))
                })
                .build();
            let src = gst::Pad::builder_from_template(&template("src")).build();
            Self { sink, src, state: Mutex::default() }
        }
    }

    impl ObjectImpl for Place {
        fn constructed(&self) {
            self.parent_constructed();
            for pad in [&self.sink, &self.src] {
                self.obj().add_pad(pad).expect("it is new");
            }
        }
    }

    impl GstObjectImpl for Place {}

    impl ElementImpl for Place {
        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: std::sync::OnceLock<Vec<gst::PadTemplate>> = std::sync::OnceLock::new();
            TEMPLATES.get_or_init(|| {
                let template = |name, direction, caps: &gst::Caps| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("sound")
                };
                vec![
                    template("sink", gst::PadDirection::Sink, &nv12(&[])),
                    template("src", gst::PadDirection::Src, &nv12(&[CUDA, NVMM])),
                ]
            })
        }

        fn set_context(&self, context: &gst::Context) {
            if context.context_type() == cuda::CONTEXT {
                self.state().context = Some(context.clone());
            }
            self.parent_set_context(context);
        }

        fn change_state(
            &self,
            change: gst::StateChange,
        ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
            if change == gst::StateChange::NullToReady && Driver::get().is_none() {
                return Err(gst::StateChangeError);
            }
            if change == gst::StateChange::PausedToReady {
                // Before the pads, which wait for a thread that may wait for a surface.
                self.close();
            }
            self.parent_change_state(change)
        }
    }

    impl Place {
        fn state(&self) -> MutexGuard<'_, State> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn close(&self) {
            match self.state().pool.take() {
                Some(Pool::Cuda(pool)) => pool.close(),
                Some(Pool::Nvmm(pool)) => pool.close(),
                Some(Pool::Host) | None => {}
            }
        }

        fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
            match event.view() {
                gst::EventView::Caps(caps) => {
                    let negotiated = self.negotiate(caps.caps());
                    // Downstream first: whoever maps surfaces lets them go when it hears of new caps.
                    let Some((caps, info, feature)) = negotiated else { return false };
                    let taken = self.src.push_event(gst::event::Caps::new(&caps));
                    self.close();
                    let Some(pool) = self.pool(feature, &caps, &info) else { return false };
                    let mut state = self.state();
                    (state.info, state.pool) = (Some(info), Some(pool));
                    taken
                }
                _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
            }
        }

        /// What goes downstream: CUDA memory or surfaces where it takes them.
        fn negotiate(&self, caps: &gst::CapsRef) -> Option<(gst::Caps, VideoInfo, Option<&'static str>)> {
            let info = VideoInfo::from_caps(caps).ok()?;
            let wanted = self.src.peer_query_caps(None);
            let takes = |feature: &&str| wanted.iter_with_features().any(|(_, f)| f.contains(*feature));
            let feature = [CUDA, NVMM].into_iter().find(takes);
            let mut caps = caps.to_owned();
            if let Some(feature) = feature {
                caps.make_mut().set_features(0, Some(gst::CapsFeatures::new([feature])));
            }
            Some((caps, info, feature))
        }

        fn pool(&self, feature: Option<&str>, caps: &gst::Caps, info: &VideoInfo) -> Option<Pool> {
            let driver = Driver::get()?;
            let context = self.state().context.clone();
            match feature {
                None => Some(Pool::Host),
                Some(CUDA) => cuda::Pool::new(&context?, caps, info).map(Pool::Cuda),
                Some(_) => nvmm::Pool::new(driver, info).map(Pool::Nvmm),
            }
        }

        fn query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
            match query.view() {
                // Its own pool is not for who decodes.
                gst::QueryView::Allocation(_) => false,
                _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
            }
        }

        fn chain(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            let (driver, info) = (Driver::get(), self.state().info.clone());
            let (Some(driver), Some(info)) = (driver, info) else {
                return Err(gst::FlowError::NotNegotiated);
            };
            let frame =
                VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|_| gst::FlowError::Error)?;
            // Without the lock while a pool is waited for.
            let state = self.state();
            let mut placed = match &state.pool {
                None => return Err(gst::FlowError::Flushing),
                Some(Pool::Host) => buffer.clone(),
                Some(Pool::Cuda(pool)) => {
                    let pool = pool.clone();
                    drop(state);
                    pool.place(driver, &frame)?
                }
                Some(Pool::Nvmm(pool)) => {
                    let pool = pool.clone();
                    drop(state);
                    pool.place(&frame)?
                }
            };
            let (pts, duration) = (buffer.pts(), buffer.duration());
            let out = placed.make_mut();
            out.set_pts(pts);
            out.set_duration(duration);
            self.src.push(placed)
        }
    }
}

/// NV12 of the host, and with these features.
pub fn nv12(features: &[&str]) -> gst::Caps {
    let of = || gst::Caps::builder("video/x-raw").field("format", "NV12");
    let mut all = gst::Caps::new_empty();
    for feature in features {
        all.make_mut().append(of().features([*feature]).build());
    }
    all.make_mut().append(of().build());
    all
}

glib::wrapper! {
    /// Takes NV12 of the host.
    pub struct Place(ObjectSubclass<imp::Place>) @extends gst::Element, gst::Object;
}
