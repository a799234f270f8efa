//! Finding the library: what is taken, what is refused, in which words.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::super::flags::Severity;
use super::super::{Builder, Driver, Flavour, Library, Place, Runtime, RuntimeOptions, TrtError};
use super::double::{Double, place};

fn load(dir: &std::path::Path) -> Result<Library, TrtError> {
    Library::load(&Place::Folder(dir.into()), Arc::new(|_, _: &str| {}))
}

#[test]
fn each_release_is_known_by_its_name_and_number() {
    Double::each(|double| {
        assert_eq!(double.library.version().to_string(), double.version);
        assert!(double.library.file().contains(".so."), "{}", double.library.file());
        let number = double.library.parser_version().expect("a parser");
        assert!(number > 10_000, "{number}");
        assert_eq!(*double.said.lock().expect("no panic"), []);
    });
}

#[test]
fn a_folder_without_it_says_what_is_looked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let sentence = load(dir.path()).expect_err("there is nothing").to_string();
    let expected = format!(
        "no TensorRT in {}: libnvinfer.so.10, libnvinfer.so.11 or libtensorrt_rtx.so.1 is looked for",
        dir.path().display()
    );
    assert_eq!(sentence, expected);
}

/// By name, as an installed one is found: the linker reads its path when a process starts, so it needs one of its own.
#[test]
fn an_installed_one_is_found_by_its_name() {
    const CHILD: &str = "VIGIA_TEST_OF_LINKER";
    if std::env::var_os(CHILD).is_some() {
        let library = Library::load(&Place::System, Arc::new(|_, _: &str| {})).expect("it is in the path");
        assert_eq!((library.version().to_string().as_str(), library.file()), ("11.4.0", "libnvinfer.so.11"));
        assert!(library.parser_version().expect("beside it") > 0);
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    place(dir.path(), "libnvinfer.so.11", "libnvonnxparser.so.11", "11.4.0");
    let tests = std::env::current_exe().expect("a program has a file");
    if std::env::var_os("VIGIA_TEST_CC").is_some() {
        return eprintln!("SKIPPED: under qemu tests can't start themselves");
    }
    let child = Command::new(tests)
        .args(["--exact", "trt::tests::load::an_installed_one_is_found_by_its_name"])
        .env(CHILD, "1")
        .env("LD_LIBRARY_PATH", dir.path())
        .output()
        .expect("it starts");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
fn an_unknown_release_is_refused_by_name_and_a_newer_one_warned_of() {
    const KNOWN: &str = "TensorRT from 10.1 on, 11 and TensorRT-RTX from 1.3 on, before 2, can be used";
    for (library, version, shown) in [
        ("libnvinfer.so.12", "12.0.0", "12.0.0"),
        ("libnvinfer.so.8", "8.6.1", "8.6.1"),
        ("libnvinfer.so.10", "10.0.1", "10.0.1"),
        ("libnvinfer.so.10", "11.4.0", "11.4.0"),
        ("libtensorrt_rtx.so.1", "rtx1.2.0", "RTX 1.2.0"),
        ("libtensorrt_rtx.so.2", "rtx2.0.0", "RTX 2.0.0"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        place(dir.path(), library, "parser", version);
        let sentence = load(dir.path()).expect_err("nobody compared it").to_string();
        assert_eq!(sentence, format!("{}/{library} is TensorRT {shown}; {KNOWN}", dir.path().display()));
    }
    for (library, version) in [
        ("libnvinfer.so.10", "10.17.0"),
        ("libnvinfer.so.11", "11.5.1"),
        ("libtensorrt_rtx.so.1", "rtx1.8.0"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        place(dir.path(), library, "parser", version);
        let said = Arc::new(Mutex::new(Vec::new()));
        let hears = said.clone();
        let listener = move |s, text: &str| hears.lock().expect("no panic").push((s, text.to_owned()));
        Library::load(&Place::Folder(dir.path().into()), Arc::new(listener))
            .expect("appended to, by promise");
        let said = said.lock().expect("no panic");
        let [(Severity::Warning, warning)] = said.as_slice() else { panic!("{said:?}") };
        assert!(warning.contains(library) && warning.contains("newer than what was checked"), "{warning}");
    }
}

#[test]
fn what_is_no_library_is_refused_with_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("libnvinfer.so.10");
    fs::write(&file, b"not an ELF file").expect("the disk has room");
    let error = load(dir.path()).expect_err("no library");
    assert!(matches!(error, TrtError::Load { .. }), "{error}");
    assert!(error.to_string().starts_with(&file.display().to_string()), "{error}");
}

#[test]
fn without_a_driver_nothing_of_a_runtime_is_called() {
    let double = Double::new(0);
    let refused = Driver::checked(|| Err("cuInit: 100, no device")).expect_err("no driver");
    let source = std::error::Error::source(&refused).expect("a cause").to_string();
    assert_eq!(
        (refused.to_string().as_str(), source.as_str()),
        ("without a working NVIDIA driver TensorRT is not touched", "cuInit: 100, no device",)
    );
    let error = Builder::new(&double.library, None).expect_err("only RTX builds without one").to_string();
    assert_eq!(error, "TensorRT's builder needs a checked driver");
    drop(double);
    let rtx = Double::new(2);
    assert_eq!(rtx.library.version().flavour, Flavour::Rtx);
    Builder::new(&rtx.library, None).expect("RTX builds without one");
}

/// A pointer that is none, no pointer at all, and a pointer with a complaint: each is a failure with its reason.
#[test]
fn a_creation_that_fails_in_any_way_is_a_failure() {
    Double::each(|double| {
        for (fault, said) in [
            ("bogus-runtime=1", "CUDA initialization failure with error: 35"),
            ("complain=1", "createInferRuntime: Error Code 1: something is not right"),
        ] {
            double.faults(fault);
            let error = Runtime::new(&double.library, Double::driver(), &RuntimeOptions::default())
                .expect_err(fault)
                .to_string();
            assert_eq!(error, format!("TensorRT: starting TensorRT's runtime failed: {said}"));
            double.runtime();
        }
        double.faults("null-builder=1");
        let error = Builder::new(&double.library, Some(Double::driver())).expect_err("none").to_string();
        assert!(
            error.starts_with("TensorRT: starting TensorRT's builder failed: createInferBuilder"),
            "{error}"
        );
        double.builder();
    });
}

#[test]
fn messages_come_with_their_severity_and_a_listener_may_panic() {
    Double::each(|double| {
        double.runtime();
        let said = double.said.lock().expect("no panic").clone();
        assert_eq!(said, [(Severity::Info, "this is a double of TensorRT, for tests".to_owned())]);
    });
    let dir = tempfile::tempdir().expect("a folder");
    place(dir.path(), "libnvinfer.so.11", "libnvonnxparser.so.11", "11.4.0");
    let calls = Arc::new(Mutex::new(0));
    let counts = calls.clone();
    let listener = move |_, _: &str| {
        *counts.lock().expect("the count is over before the panic") += 1;
        panic!("a listener that panics");
    };
    let library = Library::load(&Place::Folder(dir.path().into()), Arc::new(listener)).expect("it loads");
    Runtime::new(&library, Double::driver(), &RuntimeOptions::default()).expect("a panic stays on its side");
    assert_eq!(*calls.lock().expect("the count is over before the panic"), 1);
}
