//! Tests on the double of libcuda, each in a process of its own: the loader finds it by the environment, and
//! faults are asked for there.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

const CHILD: &str = "VIGIA_CUDA_CHILD";

/// What a Jetson has, too.
const JETSON: [&str; 3] = ["libEGL.so.1", "libnvbufsurface.so", "libcuda.so.1"];

/// A folder with the double under these names.
fn folder(name: &str, libraries: &[&str]) -> PathBuf {
    let exe = env::current_exe().expect("a test knows itself");
    let deps = exe.parent().expect("it lies in deps");
    let library = deps.join("libvigia_double_cuda.so");
    assert!(library.exists(), "{} is missing; cargo builds it for tests", library.display());
    let folder = deps.join(name);
    fs::create_dir_all(&folder).expect("target can be written");
    for name in libraries.iter().chain(&["libcuda.so"]) {
        let link = folder.join(name);
        if fs::read_link(&link).ok().as_ref() != Some(&library) {
            // Another test may load it just now; what it made is the same.
            let new = folder.join(format!("{name}.{:?}.new", std::thread::current().id()));
            let _ = std::os::unix::fs::symlink(&library, &new).and_then(|()| fs::rename(&new, &link));
        }
    }
    folder
}

/// Runs `body`, which is all of the calling test, in a process whose driver is the double.
#[allow(dead_code, reason = "not every test that has this module needs it")]
pub fn on_double(variables: &[(&str, &str)], body: impl FnOnce()) {
    run(|| folder("cuda-double", &["libcuda.so.1"]), variables, body);
}

/// The same on a Jetson, where the double stands for EGL and `NvBufSurface` as well.
#[allow(dead_code, reason = "not every test that has this module needs it")]
pub fn on_jetson(body: impl FnOnce()) {
    run(|| folder("jetson-double", &JETSON), &[("VIGIA_CUDA_DEVICE", "orin")], body);
}

fn run(folder: impl FnOnce() -> PathBuf, variables: &[(&str, &str)], body: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        return body();
    }
    let thread = std::thread::current();
    let test = thread.name().expect("the harness names threads by their test");
    let mut child = Command::new(env::current_exe().expect("a test knows itself"));
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    child.env("LD_LIBRARY_PATH", folder()).env(CHILD, "1").envs(variables.iter().copied());
    let done = child.output().expect("it can be started again");
    let text = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && text.contains("1 passed"), "{variables:?}: {text}\n{errors}");
    // What the child could not test it says itself.
    errors.lines().filter(|l| l.starts_with("SKIPPED")).for_each(|l| eprintln!("{l}"));
}
