//! The slot tables against TensorRT's own headers, if `VIGIA_TRT_HEADERS` names folders of them (`:` between two).
//! They are NVIDIA's and not kept here; the crate trtx-sys carries those of 11.4 and of RTX, and
//! github.com/NVIDIA/TensorRT those of the others.

#[allow(dead_code, reason = "the tool has a main function")]
#[path = "../examples/trt_slots.rs"]
mod trt_slots;

use std::env;

use vigia_accel::trt::slots::Era;

#[test]
fn tables_are_as_the_headers_say() {
    let Some(dirs) = env::var_os("VIGIA_TRT_HEADERS") else {
        return eprintln!("SKIPPED: VIGIA_TRT_HEADERS names no folder with NvInfer.h and NvOnnxParser.h");
    };
    for dir in env::split_paths(&dirs) {
        let (era, compared, wrong) =
            trt_slots::check(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        println!("{}: {era:?}, {compared} compared", dir.display());
        assert!(compared > 100 && wrong.is_empty(), "{}: {wrong:#?}", dir.display());
        // And it would be noticed: early RTX has all methods of later ones, most of them elsewhere.
        if era == Era::RtxEarly {
            let (_, wrong) = trt_slots::compare(&dir, Era::Rtx).expect("it compiles");
            assert!(wrong.len() > 20, "{}: {wrong:#?}", dir.display());
        }
    }
}
