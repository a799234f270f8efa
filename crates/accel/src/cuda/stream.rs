//! Streams, events and graphs: what orders work on the device.

use std::fmt;
use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::error::{CudaError, While};
use super::gpu::Gpu;
use super::image::RawStream;

/// Who goes first where streams compete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Frames that somebody waits for.
    High,
    /// Warming up, loading.
    Low,
}

/// Work that is done in order. It does not wait for the default stream, nor that for it.
pub struct Stream {
    gpu: Arc<Gpu>,
    raw: sys::CUstream,
}

// SAFETY: a stream handle may be used from any thread; the driver locks.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Stream {
    /// # Errors
    /// [`CudaError::Call`].
    pub fn new(gpu: &Arc<Gpu>, priority: Priority) -> Result<Self, CudaError> {
        gpu.bind()?;
        let (least, greatest) = result::stream::get_priority_range().while_("asking for priorities")?;
        let level = match priority {
            Priority::High => greatest,
            Priority::Low => least,
        };
        let raw = result::stream::create_with_priority(result::stream::StreamKind::NonBlocking, level);
        Ok(Stream { gpu: gpu.clone(), raw: raw.while_("creating a stream")? })
    }

    /// For TensorRT and the kernels; the stream stays ours.
    pub(crate) fn raw(&self) -> sys::CUstream {
        self.raw
    }

    /// Waits for all that was enqueued. For setting up and shutting down; frames wait for an [`Event`].
    ///
    /// # Errors
    /// [`CudaError::Call`] of whatever failed on the way.
    pub fn wait(&self) -> Result<(), CudaError> {
        self.gpu.bind()?;
        // SAFETY: the handle lives as long as we.
        unsafe { result::stream::synchronize(self.raw) }.while_("waiting for a stream")
    }

    /// Captures what `enqueue` puts on this stream, by this thread, into a graph.
    pub(super) fn capture(
        &self,
        enqueue: impl FnOnce() -> Result<(), CudaError>,
    ) -> Result<Graph, CudaError> {
        self.gpu.bind()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the handle lives as long as we; the capture is ended below in any case.
        unsafe { result::stream::begin_capture(self.raw, mode) }.while_("beginning a capture")?;
        let enqueued = enqueue();
        // SAFETY: as above.
        let graph = unsafe { result::stream::end_capture(self.raw) };
        // What went wrong inside says more than that the capture broke.
        enqueued?;
        let raw = graph.while_("ending a capture")?;
        let flags = sys::CUgraphInstantiate_flags(0);
        // SAFETY: the capture gave the graph to us; it is destroyed once, here, and the executable in `Graph::drop`.
        let made = unsafe {
            let made = result::graph::instantiate(raw, flags);
            self.gpu.context().record_err(result::graph::destroy(raw));
            made
        };
        Ok(Graph { gpu: self.gpu.clone(), raw: made.while_("instantiating a graph")? })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let context = self.gpu.context();
        // SAFETY: the handle is ours and used nowhere any more; the driver lets enqueued work finish.
        let gone = context.bind_to_thread().and_then(|()| unsafe { result::stream::destroy(self.raw) });
        context.record_err(gone);
    }
}

/// Captured work, ready to be launched as one.
pub(super) struct Graph {
    gpu: Arc<Gpu>,
    raw: sys::CUgraphExec,
}

// SAFETY: graphs must not be used by two threads at once; launching takes &mut.
unsafe impl Send for Graph {}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").finish_non_exhaustive()
    }
}

impl Graph {
    /// The thread must have the context.
    pub fn launch(&mut self, stream: &Stream) -> Result<(), CudaError> {
        // SAFETY: both handles live; what the graph touches is owned by the slot that owns the graph.
        unsafe { result::graph::launch(self.raw, stream.raw()) }.while_("launching a graph")
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let context = self.gpu.context();
        // SAFETY: the handle is ours; a running launch keeps what it needs.
        let gone = context.bind_to_thread().and_then(|()| unsafe { result::graph::exec_destroy(self.raw) });
        context.record_err(gone);
    }
}

/// How a thread waits for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Asleep, until the driver wakes it.
    Blocking,
    /// Awake: some microseconds sooner, for a core that is busy meanwhile.
    Spinning,
    /// Awake; and the event knows its time, for measuring.
    Timed,
}

/// A place in a stream.
pub struct Event {
    gpu: Arc<Gpu>,
    raw: sys::CUevent,
}

// SAFETY: an event handle may be used from any thread; the driver locks.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

impl Event {
    /// # Errors
    /// [`CudaError::Call`].
    pub fn new(gpu: &Arc<Gpu>, wait: Wait) -> Result<Self, CudaError> {
        use sys::CUevent_flags::{CU_EVENT_BLOCKING_SYNC as BLOCKING, CU_EVENT_DISABLE_TIMING as UNTIMED};
        let flags = match wait {
            Wait::Blocking => BLOCKING as u32 | UNTIMED as u32,
            Wait::Spinning => UNTIMED as u32,
            Wait::Timed => 0,
        };
        gpu.bind()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: the out parameter is a local.
        unsafe { sys::cuEventCreate(&raw mut raw, flags) }.while_("creating an event")?;
        Ok(Event { gpu: gpu.clone(), raw })
    }

    /// Puts the event behind what `stream` has to do so far.
    ///
    /// # Errors
    /// [`CudaError::Call`].
    pub fn record(&self, stream: &Stream) -> Result<(), CudaError> {
        self.gpu.bind()?;
        // SAFETY: both handles live as long as their owners.
        unsafe { result::event::record(self.raw, stream.raw()) }.while_("recording an event")
    }

    /// Makes `reader` wait for what `writer` has to do so far. The event may be used again at once.
    pub(super) fn between(&self, writer: RawStream, reader: &Stream) -> Result<(), CudaError> {
        use sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: the frame whose writer it is keeps that stream, and the others live as long as their owners.
        unsafe {
            result::event::record(self.raw, writer.0).while_("recording the writer of a frame")?;
            result::stream::wait_event(reader.raw(), self.raw, CU_EVENT_WAIT_DEFAULT)
        }
        .while_("waiting for the writer of a frame")
    }

    /// Waits until the stream has come by.
    ///
    /// # Errors
    /// [`CudaError::Call`] of whatever failed on the way.
    pub fn wait(&self) -> Result<(), CudaError> {
        self.gpu.bind()?;
        // SAFETY: the handle lives as long as we.
        unsafe { result::event::synchronize(self.raw) }.while_("waiting for an event")
    }

    /// Whether the stream has come by.
    ///
    /// # Errors
    /// [`CudaError::Call`] of whatever failed on the way.
    pub fn is_done(&self) -> Result<bool, CudaError> {
        self.gpu.bind()?;
        // SAFETY: the handle lives as long as we.
        match unsafe { result::event::query(self.raw) } {
            Err(e) if e.0 == sys::CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            other => other.while_("asking an event").map(|()| true),
        }
    }

    /// Milliseconds between two timed events that are done.
    ///
    /// # Errors
    /// [`CudaError::Call`], also for events that are not timed.
    pub fn ms_until(&self, later: &Event) -> Result<f32, CudaError> {
        self.gpu.bind()?;
        // SAFETY: both handles live as long as their owners.
        unsafe { result::event::elapsed(self.raw, later.raw) }.while_("reading the time between events")
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let context = self.gpu.context();
        // SAFETY: the handle is ours; the driver keeps what a stream has yet to reach.
        let gone = context.bind_to_thread().and_then(|()| unsafe { result::event::destroy(self.raw) });
        context.record_err(gone);
    }
}
