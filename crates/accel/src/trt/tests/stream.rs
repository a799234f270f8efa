//! The double on a driver: a tiny one, in C, that does nothing until it is told to.

use std::ffi::c_void;
use std::fs;
use std::path::Path;
use std::process::Command;

use half::f16;

use super::super::flags::Scratch;
use super::super::{DevicePtr, Stream};
use super::double::Double;
use super::nets::{self, Kind};

/// Work is kept in order and done by `tiny_run`, as often as that is called: a stream, and a graph of it.
/// Its device memory is the host's, seen through an offset, so that nobody can take one for the other.
const TINY: &str = r"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef void (*host_function)(void*);
struct work { void* to; const void* from; size_t bytes; host_function call; void* data; };
static struct work list[64]; static int count;
#define OFFSET 0x7000000000000000ull
static int add(struct work w) { if (count == 64) return 2; list[count++] = w; return 0; }
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
  if (from < OFFSET || stream != (void*)0x51) return 1;
  return add((struct work){to, (void*)(from - OFFSET), bytes, 0, 0}); }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
  if (to < OFFSET || stream != (void*)0x51) return 1;
  return add((struct work){(void*)(to - OFFSET), from, bytes, 0, 0}); }
int cuLaunchHostFunc(void* stream, host_function call, void* data) {
  return stream == (void*)0x51 ? add((struct work){0, 0, 0, call, data}) : 1; }
int cuMemHostAlloc(void** at, size_t bytes, unsigned flags) { *at = malloc(bytes); return *at && !flags ? 0 : 2; }
int cuMemFreeHost(void* at) { free(at); return 0; }
size_t tiny_lost;
int cuMemAlloc_v2(uint64_t* at, size_t bytes) { tiny_lost += bytes; *at = OFFSET; return 0; }
void tiny_run(void) { for (int i = 0; i < count; i++) {
  if (list[i].call) list[i].call(list[i].data); else memcpy(list[i].to, list[i].from, list[i].bytes); } }
void tiny_clear(void) { count = 0; }
";

const OFFSET: u64 = 0x7000_0000_0000_0000;

struct Tiny(libloading::Library);

impl Tiny {
    /// Loaded under the driver's own name, so that the double finds this one.
    fn new(dir: &Path) -> Option<Self> {
        let (source, library) = (dir.join("tiny.c"), dir.join("libcuda.so.1"));
        fs::write(&source, TINY).expect("the disk has room");
        // Where the tests are built for another machine, so is this.
        let compiler = std::env::var("VIGIA_TEST_CC").unwrap_or_else(|_| "cc".into());
        let compiled = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-Wl,-soname,libcuda.so.1", "-o"])
            .arg(&library)
            .arg(&source)
            .status();
        if !compiled.is_ok_and(|s| s.success()) {
            eprintln!("SKIPPED: no C compiler for the tiny driver");
            return None;
        }
        // SAFETY: what was compiled above; it runs nothing when it is loaded.
        Some(Self(unsafe { libloading::Library::new(&library) }.expect("it loads")))
    }

    fn call(&self, symbol: &str) {
        // SAFETY: the functions that are called so take and return nothing.
        unsafe { self.0.get::<extern "C" fn()>(symbol).expect("it is there")() }
    }

    fn lost(&self) -> usize {
        // SAFETY: a number of the library's that only this thread changes.
        unsafe { **self.0.get::<*const usize>("tiny_lost").expect("it is there") }
    }
}

fn device<T>(memory: &[T]) -> DevicePtr {
    // SAFETY: vectors of the test outlive the work, which is done when it says so.
    unsafe { DevicePtr::from_raw(memory.as_ptr().cast::<c_void>().expose_provenance() as u64 + OFFSET) }
}

#[test]
fn an_inference_waits_for_its_stream_and_can_be_repeated() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(tiny) = Tiny::new(dir.path()) else { return };
    Double::each(|double| {
        double.on_a_driver("growth=1000");
        let lost = tiny.lost();
        // SAFETY: the tiny driver's only stream.
        let stream = unsafe { Stream::from_raw(0x51) };
        let engine = double.runtime().load(&double.plan(Kind::Half)).expect("the plan loads");
        let mut context = engine.context(Scratch::Own).expect("a context");
        let mut images = vec![f16::from_f32(0.25); 3 * 256];
        let output = vec![f16::from_f32(-1.0); 8 * 256];
        context.set_shape("images", &[1, 3, nets::SIDE, nets::SIDE]).expect("within the profile");
        context.set_address("images", device(&images)).expect("an address");
        context.set_address("output0", device(&output)).expect("an address");
        context.enqueue(stream).expect("it is queued");
        let at = |i: usize| {
            // SAFETY: the driver writes here between the reads.
            unsafe { output.as_ptr().add(i).read_volatile() }.to_f32()
        };
        assert!((0..output.len()).all(|i| at(i) == -1.0), "nothing runs before its turn");
        tiny.call("tiny_run");
        // In the middle all 27 kernels count: 0.5 or -0.5 each, on quarters.
        let middle = |channel: usize, value: f32| {
            let minus = (channel * 27..channel * 27 + 27).filter(|i| i % 5 == 0 || i % 7 == 3).count();
            let sum = value * 0.5 * (27.0 - 2.0 * f32::from(u8::try_from(minus).expect("small")));
            sum / (1.0 + (-sum).exp())
        };
        let near = |value: f32| (0..8).all(|c| (at(c * 256 + 136) - middle(c, value)).abs() < 0.01);
        assert!(near(0.25), "the first run");
        // A graph runs the same work again, on what lies there now.
        images.fill(f16::from_f32(0.5));
        tiny.call("tiny_run");
        assert!(near(0.5), "the second run");
        assert_eq!(tiny.lost() - lost, 1000, "one inference was queued");
        // SAFETY: no such stream.
        let wrong = unsafe { Stream::from_raw(0x52) };
        let error = context.enqueue(wrong).expect_err("no such stream").to_string();
        assert!(error.contains("copying an input: CUDA error 1"), "{error}");
        tiny.call("tiny_clear");
    });
}
