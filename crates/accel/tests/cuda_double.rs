//! The double itself, where other tests rely on it to be strict.

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;

use std::ffi::c_void;
use std::sync::Arc;

use count::{count, symbol};
use cudarc::driver::{CudaContext, result, sys};
use double::on_double;

const MODE: sys::CUstreamCaptureMode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;

fn open() -> (Arc<CudaContext>, sys::CUstream) {
    let context = CudaContext::new(0).expect("the double is there");
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking).expect("it opens");
    (context, stream)
}

/// Adds one to a byte of the device, as a host function of another double would, and tries a call, which is refused.
unsafe extern "C" fn add_one(data: *mut c_void) {
    // SAFETY: the test gives the device address of one live byte, and the double exports this function.
    unsafe {
        let host: extern "C" fn(u64, usize) -> *mut c_void =
            std::mem::transmute(symbol(c"vigia_cuda_host_address"));
        assert!(host(data as u64, 2).is_null(), "there is one byte");
        *host(data as u64, 1).cast::<u8>() += 1;
        let refused = sys::cuStreamSynchronize(std::ptr::null_mut());
        assert_eq!(refused, sys::CUresult::CUDA_ERROR_NOT_PERMITTED);
    }
}

/// Set to 40, add one twice, read: as a graph, three times.
#[test]
fn host_functions_take_their_turn() {
    on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        let (_context, stream) = open();
        // SAFETY: all memory and handles live to the end of the test.
        unsafe {
            let byte = result::malloc_sync(1).expect("it fits");
            assert!(byte >= 1 << 60, "no address of the host");
            let pinned = result::malloc_host(1, 0).expect("it fits").cast::<u8>();
            result::stream::begin_capture(stream, MODE).expect("it begins");
            result::memset_d8_async(byte, 40, 1, stream).expect("it is captured");
            for _ in 0..2 {
                sys::cuLaunchHostFunc(stream, Some(add_one), byte as *mut c_void)
                    .result()
                    .expect("it is captured");
            }
            sys::cuMemcpyDtoHAsync_v2(pinned.cast(), byte, 1, stream).result().expect("it is captured");
            let graph = result::stream::end_capture(stream).expect("it ends");
            let flags = sys::CUgraphInstantiate_flags(0);
            let graph = result::graph::instantiate(graph, flags).expect("it is whole");
            for _ in 0..3 {
                pinned.write(0);
                result::graph::launch(graph, stream).expect("it starts");
                assert_eq!(pinned.read(), 0, "nobody has waited");
                result::stream::synchronize(stream).expect("it runs");
                assert_eq!(pinned.read(), 42);
            }
        }
        assert_eq!((count("run:host"), count("run:graph")), (6, 3));
    });
}

#[test]
fn captures_refuse_what_real_ones_refuse() {
    on_double(&[], || {
        let (_context, stream) = open();
        let other = result::stream::create(result::stream::StreamKind::NonBlocking).expect("it opens");
        let event = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING).expect("it opens");
        type Call<'a> = (&'a str, u32, &'a dyn Fn() -> Result<(), result::DriverError>);
        // SAFETY: all handles live to the end of the test, and what is refused touches nothing.
        let calls: [Call<'_>; 7] = unsafe {
            result::event::record(event, other).expect("it is recorded");
            [
                ("waiting for the stream", 900, &|| result::stream::synchronize(stream)),
                ("asking the stream", 900, &|| sys::cuStreamQuery(stream).result()),
                ("waiting for the device", 900, &|| result::ctx::synchronize()),
                ("allocating", 900, &|| result::malloc_sync(8).map(|_| ())),
                ("a copy that waits", 900, &|| sys::cuMemcpyDtoD_v2(1 << 60, 1 << 60, 1).result()),
                ("the default stream", 906, &|| {
                    sys::cuMemsetD8Async(1 << 60, 0, 1, std::ptr::null_mut()).result()
                }),
                ("an event of outside", 905, &|| {
                    result::stream::wait_event(stream, event, sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT)
                }),
            ]
        };
        for (what, code, call) in calls {
            // SAFETY: as above.
            unsafe {
                result::stream::begin_capture(stream, MODE).expect("it begins");
                assert_eq!(call().map_err(|e| e.0 as u32), Err(code), "{what}");
                let ended = result::stream::end_capture(stream).map(|_| ());
                assert_eq!(ended.map_err(|e| e.0 as u32), Err(901), "{what}");
            }
        }
        // SAFETY: as above.
        unsafe { result::stream::synchronize(stream) }.expect("nothing stays");
    });
}

#[test]
fn memory_that_was_freed_is_gone() {
    on_double(&[], || {
        let (_context, stream) = open();
        // SAFETY: what is wrong with the addresses is the point; the double checks them.
        unsafe {
            let gone = result::malloc_sync(64).expect("it fits");
            let kept = result::malloc_sync(64).expect("it fits");
            result::free_sync(gone).expect("it is ours");
            result::memcpy_dtod_async(kept, gone, 64, stream).expect("nobody knows yet");
            let waited = result::stream::synchronize(stream).map_err(|e| e.0 as u32);
            assert_eq!(waited, Err(700));
        }
    });
}

#[test]
fn copies_stay_within_their_memory() {
    on_double(&[], || {
        let (_context, _stream) = open();
        // SAFETY: as above.
        unsafe {
            let short = result::malloc_sync(64).expect("it fits");
            let copied = result::memcpy_htod_sync(short, &[0_u8; 65]).map_err(|e| e.0 as u32);
            assert_eq!(copied, Err(700));
        }
    });
}
