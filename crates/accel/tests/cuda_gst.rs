//! Frames in CUDA memory of GStreamer's own library, on the double of libcuda.
#![cfg(feature = "surface")]

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use std::ffi::c_void;
use std::sync::Arc;

use double::on_double;
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo};
use picture::{Picture, plain, tensors};
use vigia_accel::cuda::gst_memory::{GstCuda, GstCudaError};
use vigia_accel::cuda::{DeviceFormat, Gpu};
use vigia_accel::preprocess::{Align, Matrix, Preprocessor, Range};

/// A pool as decoders have one.
fn pool(cuda: &GstCuda, info: &VideoInfo) -> gst::BufferPool {
    let context = cuda.context().structure().get::<gst::glib::Object>("gst.cuda.context");
    let context = context.expect("the GstContext carries GStreamer's CUDA context");
    // SAFETY: the library is loaded, and this is the signature of gstcudabufferpool.h; the pool is ours.
    let pool: gst::BufferPool = unsafe {
        let library = libc::dlopen(c"libgstcuda-1.0.so.0".as_ptr(), libc::RTLD_NOW);
        // The plugin with the decoders does this when it is loaded.
        let init = libc::dlsym(library, c"gst_cuda_memory_init_once".as_ptr());
        std::mem::transmute::<*mut c_void, unsafe extern "C" fn()>(init)();
        let new = libc::dlsym(library, c"gst_cuda_buffer_pool_new".as_ptr());
        let new: unsafe extern "C" fn(*mut c_void) -> *mut gst::ffi::GstBufferPool = std::mem::transmute(new);
        gst::glib::translate::from_glib_full(new(context.as_ptr().cast()))
    };
    let mut caps = info.to_caps().expect("it has caps");
    let features = gst::CapsFeatures::new(["memory:CUDAMemory"]);
    caps.get_mut().expect("ours alone").set_features(0, Some(features));
    let mut config = pool.config();
    config.set_params(Some(&caps), u32::try_from(info.size()).expect("small"), 1, 2);
    config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META.as_str());
    pool.set_config(config).expect("it takes the caps");
    pool.set_active(true).expect("it allocates");
    pool
}

/// The library, or why the test is skipped.
fn library(gpu: &Arc<Gpu>) -> Option<GstCuda> {
    gst::init().expect("GStreamer is there");
    match GstCuda::new(gpu) {
        Ok(cuda) => Some(cuda),
        Err(GstCudaError::Library(why)) => {
            eprintln!("SKIPPED: no frames in GStreamer's CUDA memory: {why}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn frames_of_cuda_memory_are_read_where_they_are() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let Some(cuda) = library(&gpu) else { return };
        for (gst_format, format, size) in [
            (VideoFormat::Nv12, DeviceFormat::Nv12, (320, 180)),
            (VideoFormat::I420, DeviceFormat::I420, (322, 182)),
        ] {
            let info = VideoInfo::builder(gst_format, size.0, size.1)
                .colorimetry(&gst_video::VideoColorimetry::new(
                    gst_video::VideoColorRange::Range16_235,
                    gst_video::VideoColorMatrix::Bt709,
                    gst_video::VideoTransferFunction::Bt709,
                    gst_video::VideoColorPrimaries::Bt709,
                ))
                .build()
                .expect("a possible picture");
            let pool = pool(&cuda, &info);
            let picture = Picture::noise(format, size, Matrix::Bt709, Range::Limited, 11);
            let mut buffer = pool.acquire_buffer(None).expect("the pool has one");
            assert!(cuda.is_cuda(&buffer));
            write(&mut buffer, &info, &picture);
            let image = cuda.image(&buffer, &info).expect("it is CUDA memory");
            drop(buffer);
            // The pitch is the real one, not that of the caps.
            assert_ne!(image.layout().pitches[0], picture.layout.pitches[0]);
            let spec = plain(160, 160, Align::Centre);
            let given = tensors(&gpu, spec, &[image]).expect("it runs");
            let mut expected = vec![0.0; given.len()];
            let mut pre = Preprocessor::new(spec).expect("possible");
            pre.run(&picture.image(), &mut expected).expect("it fits");
            let worst = given.iter().zip(&expected).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
            assert!(worst < 0.1, "{format:?}: {worst}");
            pool.set_active(false).expect("all buffers are back");
        }
        assert_eq!(count::count("cuCtxCreate_v2"), 0, "the context is shared");
    });
}

/// Through the map for the host, as `videotestsrc ! cudaupload` would.
fn write(buffer: &mut gst::Buffer, info: &VideoInfo, picture: &Picture) {
    let buffer = buffer.get_mut().expect("ours alone");
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer, info).expect("the host may map it");
    for plane in 0..picture.layout.format.planes() {
        let l = &picture.layout;
        let (row, rows) = l.format.plane_size(plane, l.width, l.height);
        let stride = usize::try_from(frame.plane_stride()[plane]).expect("positive");
        let to = frame.plane_data_mut(u32::try_from(plane).expect("small")).expect("it has planes");
        let from = picture.bytes[l.offsets[plane]..].chunks(l.pitches[plane]);
        for (to, from) in to.chunks_mut(stride).zip(from).take(rows) {
            to[..row].copy_from_slice(&from[..row]);
        }
    }
}

/// Mapping it for CUDA would work, and give an address of the host.
#[test]
fn system_memory_is_not_taken_for_cuda_memory() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let Some(cuda) = library(&gpu) else { return };
        let info = VideoInfo::builder(VideoFormat::Nv12, 64, 64).build().expect("a possible picture");
        let buffer = gst::Buffer::with_size(info.size()).expect("it fits");
        assert!(!cuda.is_cuda(&buffer));
        assert!(matches!(cuda.image(&buffer, &info), Err(GstCudaError::NotCuda)));
        let nothing = gst::Buffer::new();
        assert!(matches!(cuda.image(&nothing, &info), Err(GstCudaError::Memories(0))));
    });
}
