//! The double in each era, loaded as the real libraries are.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use super::super::flags::{Severity, Typing};
use super::super::{
    Builder, Config, Driver, Library, Network, Place, Profile, Runtime, RuntimeOptions, Shapes,
};
use super::nets::{self, Kind};

/// File names of library and parser, and the version that the double shall say: one of each era.
pub const RELEASES: [(&str, &str, &str); 4] = [
    ("libnvinfer.so.10", "libnvonnxparser.so.10", "10.3.0"),
    ("libnvinfer.so.11", "libnvonnxparser.so.11", "11.4.0"),
    ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1", "RTX 1.7.1"),
    ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1", "RTX 1.4.0"),
];

/// Each is a copy of its own, so that one process holds them all.
static FOLDERS: LazyLock<TempDir> = LazyLock::new(|| {
    let folders = tempfile::tempdir().expect("a folder for temporary files");
    for (library, parser, version) in RELEASES {
        place(&folders.path().join(version), library, parser, &version.to_lowercase().replace(' ', ""));
    }
    folders
});

/// Where cargo left the double, beside the tests.
pub fn file() -> PathBuf {
    let tests = std::env::current_exe().expect("a program has a file");
    tests.with_file_name("libvigia_double_nvinfer.so")
}

/// Puts a double of its own into a folder.
pub fn place(dir: &Path, library: &str, parser: &str, version: &str) {
    fs::create_dir_all(dir).expect("a folder");
    fs::copy(file(), dir.join(library)).expect("cargo builds the double for these tests");
    fs::write(dir.join("version"), version).expect("the disk has room");
    symlink(library, dir.join(parser)).expect("a link");
}

pub type Said = Arc<Mutex<Vec<(Severity, String)>>>;

/// One release, for one test at a time: its faults are the process's.
pub struct Double {
    pub library: Library,
    pub version: &'static str,
    pub said: Said,
    faults: unsafe extern "C" fn(*const std::ffi::c_char),
    live: extern "C" fn() -> i64,
    before: i64,
    _alone: MutexGuard<'static, ()>,
}

impl Double {
    /// Runs a test with each release, and checks that it leaves no object behind.
    pub fn each(test: impl Fn(&Self)) {
        for release in 0..RELEASES.len() {
            test(&Self::new(release));
        }
    }

    pub fn new(release: usize) -> Self {
        static ALONE: [Mutex<()>; RELEASES.len()] = [const { Mutex::new(()) }; RELEASES.len()];
        let alone = ALONE[release].lock().unwrap_or_else(PoisonError::into_inner);
        let (name, _, version) = RELEASES[release];
        let dir = FOLDERS.path().join(version);
        let said = Said::default();
        let hears = said.clone();
        let listener = move |s, text: &str| hears.lock().expect("no panic").push((s, text.to_owned()));
        let library =
            Library::load(&Place::Folder(dir.clone()), Arc::new(listener)).expect("the double loads");
        // SAFETY: the double, which is loaded already; the symbols have these signatures.
        let (faults, live) = unsafe {
            let again = libloading::Library::new(dir.join(name)).expect("it is loaded already");
            let faults = *again.get::<unsafe extern "C" fn(_)>("vigia_double_faults").expect("the double's");
            let live = *again.get::<extern "C" fn() -> i64>("vigia_double_live").expect("the double's");
            std::mem::forget(again);
            (faults, live)
        };
        let double = Self { library, version, said, faults, live, before: live(), _alone: alone };
        double.faults("");
        double
    }

    /// What goes wrong from now on.
    pub fn faults(&self, faults: &str) {
        self.on_a_driver(&format!("host-memory,{faults}"));
    }

    /// The same, with memory that a driver knows.
    pub fn on_a_driver(&self, faults: &str) {
        let text = CString::new(faults).expect("no zero");
        // SAFETY: a C string.
        unsafe { (self.faults)(text.as_ptr()) };
    }

    pub fn driver() -> Driver {
        Driver::checked(|| Ok::<_, String>(())).expect("the double needs none")
    }

    pub fn builder(&self) -> Builder {
        Builder::new(&self.library, Some(Self::driver())).expect("a builder")
    }

    pub fn runtime(&self) -> Runtime {
        Runtime::new(&self.library, Self::driver(), &RuntimeOptions::default()).expect("a runtime")
    }

    /// The small network and a configuration for batches of 1, 4 and 8.
    pub fn small(&self, kind: Kind) -> (Network, Config) {
        self.typed(kind, Typing::Strong)
    }

    pub fn typed(&self, kind: Kind, typing: Typing) -> (Network, Config) {
        let builder = self.builder();
        let mut network = builder.network(typing).expect("a network");
        network.read_onnx(&nets::bytes(kind), None).expect("the network is read");
        let mut config = builder.config().expect("a configuration");
        config.add(&profile()).expect("a profile");
        (network, config)
    }

    pub fn plan(&self, kind: Kind) -> Vec<u8> {
        let (mut network, mut config) = self.small(kind);
        network.build(&mut config).expect("a plan").to_vec()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!((self.live)(), self.before, "{}: objects are left", self.version);
        }
    }
}

pub fn profile() -> Profile {
    let shape = |n| vec![n, 3, nets::SIDE, nets::SIDE];
    Profile(vec![Shapes { input: "images".into(), least: shape(1), usual: shape(4), most: shape(8) }])
}
