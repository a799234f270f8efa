//! NVIDIA's real `libnvinfer` of 10 and 11 as far as it can be had without a GPU: the lean ones, which load plans and
//! build none. They prove the logger of either era, and what a runtime does without a driver.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use vigia_accel::trt::flags::Severity;
use vigia_accel::trt::{Builder, Driver, Library, Place, Runtime, RuntimeOptions, TrtError};

/// Release, major version, and what it says of itself.
const RELEASES: [(&str, u32, &str); 2] = [("10.16.1.11", 10, "10.16.1"), ("11.4.0.106", 11, "11.4.0")];

fn lean(release: &str, major: u32) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/trt");
    let dir = std::env::var_os("VIGIA_TRT_RTX").map_or_else(default, PathBuf::from);
    let file = dir.join(format!("lean-{release}-{}/libnvinfer_lean.so.{major}", std::env::consts::ARCH));
    let there = file.canonicalize().ok();
    if there.is_none() {
        eprintln!("SKIPPED: {} is not there; tests/trt/fetch.sh fetches it", file.display());
    }
    there
}

#[test]
fn a_real_runtime_speaks_to_our_logger_and_fails_in_words() {
    for (release, major, version) in RELEASES {
        let Some(file) = lean(release, major) else { continue };
        let dir = tempfile::tempdir().expect("a folder");
        symlink(file, dir.path().join(format!("libnvinfer.so.{major}"))).expect("a link");
        let said = Arc::new(Mutex::new(Vec::new()));
        let hears = said.clone();
        let listener = move |s, text: &str| hears.lock().expect("no panic").push((s, text.to_owned()));
        let library = Library::load(&Place::Folder(dir.path().into()), Arc::new(listener)).expect("it loads");
        assert_eq!(library.version().to_string(), version);
        // That the check passed is a lie of this test where there is no GPU.
        let driver = Driver::checked(|| Ok::<_, String>(())).expect("it said so");
        let error = Builder::new(&library, Some(driver)).expect_err("a lean one builds nothing");
        assert!(matches!(error, TrtError::Symbol { symbol: "createInferBuilder_INTERNAL", .. }), "{error}");
        let runtime = match Runtime::new(&library, driver, &RuntimeOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => {
                let sentence = error.to_string();
                println!("{version}: {sentence}");
                assert!(sentence.starts_with("TensorRT: starting TensorRT's runtime failed: "), "{sentence}");
                let said = said.lock().expect("no panic");
                assert!(
                    said.iter().any(|(s, text)| *s <= Severity::Error && sentence.contains(text)),
                    "{said:?}"
                );
                continue;
            }
        };
        println!("{version}: {} DLA cores", runtime.dla_cores().expect("a number"));
        for bytes in [&[][..], b"no plan", &[0x5a; 1 << 16]] {
            let sentence = runtime.load(bytes).expect_err("no plan").to_string();
            assert!(sentence.starts_with("TensorRT: loading the plan failed: "), "{sentence}");
        }
    }
}
