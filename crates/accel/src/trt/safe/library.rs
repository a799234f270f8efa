//! Finding TensorRT and deciding whether it is one we know.

use std::ffi::c_void;
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::error::TrtError;
use super::super::flags::Severity;
use super::super::result::Object;
use super::super::slots::{Builder, Class, Era, Network, Parser, Runtime, Tables};
use super::super::sys::logger::{Listener, Logger};

/// What is said to be usable.
const KNOWN: &str = "TensorRT from 10.1 on, 11 and TensorRT-RTX from 1.3 on, before 2,";

/// Whose numbering a version follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// TensorRT of JetPack and data centres.
    Enterprise,
    /// TensorRT-RTX, for graphics cards.
    Rtx,
}

/// A release of TensorRT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    pub flavour: Flavour,
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rtx = if self.flavour == Flavour::Rtx { "RTX " } else { "" };
        write!(f, "{rtx}{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Version {
    /// `getInferLibVersion`: 10.3.0 says 100300. RTX 1.7.1 says 10701, so only the file's name tells them apart.
    fn of(flavour: Flavour, number: i32) -> Self {
        let n = u32::try_from(number).unwrap_or(0);
        // Before 10 the minor number had one digit: 8.6.1 said 8601.
        let (major, minor) = if n < 10_000 { (n / 1_000, n / 100 % 10) } else { (n / 10_000, n / 100 % 100) };
        Self { flavour, major, minor, patch: n % 100 }
    }

    /// Whose slots it has; none for a release that nobody compared. 10.0 lacks the calls that give
    /// contexts their memory.
    fn era(self) -> Option<Era> {
        match (self.flavour, self.major, self.minor) {
            (Flavour::Enterprise, 10, 1..) => Some(Era::Ten),
            (Flavour::Enterprise, 11, _) => Some(Era::Eleven),
            (Flavour::Rtx, 1, 3..=4) => Some(Era::RtxEarly),
            (Flavour::Rtx, 1, 5..) => Some(Era::Rtx),
            _ => None,
        }
    }

    /// Whether a file of this name may hold it: `libnvinfer.so.10`, `libnvinfer.so.10.3.0`.
    fn fits(self, file: &str) -> bool {
        let after = file.split_once(".so.").map_or("", |(_, after)| after);
        after.split('.').next() == Some(self.major.to_string().as_str())
    }

    /// Whether its headers were compared, rather than promised by the numbering.
    fn compared(self) -> bool {
        let newest = match (self.flavour, self.major) {
            (Flavour::Enterprise, 10) => 16,
            (Flavour::Enterprise, _) => 4,
            (Flavour::Rtx, _) => 7,
        };
        self.minor <= newest
    }
}

/// Names of library and parser, in the order in which they are tried.
const NAMES: [(Flavour, &str, &str); 3] = [
    (Flavour::Enterprise, "libnvinfer.so.10", "libnvonnxparser.so.10"),
    (Flavour::Enterprise, "libnvinfer.so.11", "libnvonnxparser.so.11"),
    (Flavour::Rtx, "libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"),
];

/// How libraries begin, so that an unknown release in a folder is named rather than missed.
const STEMS: [(Flavour, &str); 2] =
    [(Flavour::Enterprise, "libnvinfer.so."), (Flavour::Rtx, "libtensorrt_rtx.so.")];

const WANTED: &str = "libnvinfer.so.10, libnvinfer.so.11 or libtensorrt_rtx.so.1";

/// Where TensorRT is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Where the dynamic linker looks.
    System,
    /// In this folder only.
    Folder(PathBuf),
}

/// TensorRT, loaded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    /// Never unloaded: it starts threads and registers destructors of its own.
    library: ManuallyDrop<libloading::Library>,
    file: String,
    /// Where the parser is; it is loaded with the first model.
    parser: PathBuf,
    version: Version,
    number: i32,
    tables: &'static Tables,
    logger: &'static Logger,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("file", &self.file).field("version", &self.version).finish()
    }
}

type Create = unsafe extern "C" fn(*mut c_void, i32) -> *mut c_void;
type CreateParser = unsafe extern "C" fn(*mut c_void, *mut c_void, i32) -> *mut c_void;
type Number = unsafe extern "C" fn() -> i32;

impl Library {
    /// Loads the first release that is there and asks for its version. No driver is needed for that.
    /// `listener` hears all messages, from any thread, as long as the library is used.
    ///
    /// # Errors
    /// [`TrtError::NotFound`], [`TrtError::Load`], [`TrtError::Symbol`] for what is no TensorRT, and
    /// [`TrtError::Version`] for a release that this program does not know.
    pub fn load(place: &Place, listener: Arc<Listener>) -> Result<Self, TrtError> {
        let (flavour, library, file, parser) = open(place)?;
        let symbol = |symbol, source| TrtError::Symbol { file: file.display().to_string(), symbol, source };
        // SAFETY: the function takes nothing and returns a number, in all releases.
        let number = unsafe {
            let number = library.get::<Number>(c"getInferLibVersion");
            number.map_err(|e| symbol("getInferLibVersion", e))?()
        };
        let (version, file) = (Version::of(flavour, number), file.display().to_string());
        let named = Path::new(&file).file_name().is_some_and(|n| version.fits(&n.to_string_lossy()));
        let Some(era) = version.era().filter(|_| named) else {
            return Err(TrtError::Version { file, found: version.to_string(), known: KNOWN });
        };
        if !version.compared() {
            let warning = format!("{file} is TensorRT {version}, newer than what was checked: self-test it");
            listener(Severity::Warning, &warning);
        }
        let (library, logger) = (ManuallyDrop::new(library), Logger::leak(era, listener));
        let tables = Tables::of(era);
        Ok(Self(Arc::new(Inner { library, file, parser, version, number, tables, logger })))
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.0.version
    }

    #[must_use]
    pub fn era(&self) -> Era {
        self.0.tables.era
    }

    /// The file as it was found.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The parser's version as it says it: part of what a plan depends on.
    ///
    /// # Errors
    /// [`TrtError::Load`] if there is no parser.
    pub fn parser_version(&self) -> Result<i32, TrtError> {
        Ok(self.parser_library()?.1)
    }

    pub(super) fn create_runtime(&self) -> Result<Object<Runtime>, TrtError> {
        self.create("createInferRuntime_INTERNAL", "starting TensorRT's runtime")
    }

    pub(super) fn create_builder(&self) -> Result<Object<Builder>, TrtError> {
        self.create("createInferBuilder_INTERNAL", "starting TensorRT's builder")
    }

    pub(super) fn create_parser(&self, network: &Object<Network>) -> Result<Object<Parser>, TrtError> {
        let (library, version) = self.parser_library()?;
        self.quiet("starting the ONNX parser", || {
            let symbol = "createNvOnnxParser_INTERNAL";
            // SAFETY: the signature of all releases; the network outlives the parser, which its owner keeps;
            // loggers live for ever.
            unsafe {
                let create = library.get::<CreateParser>(symbol);
                let create = create.map_err(|e| self.symbol(&self.0.parser, symbol, e))?;
                let parser = create(network.as_argument(), self.0.logger.as_object(), version);
                Object::new(parser, self.0.tables, "starting the ONNX parser")
            }
        })
    }

    fn create<T: Class>(&self, symbol: &'static str, doing: &'static str) -> Result<Object<T>, TrtError> {
        self.quiet(doing, || {
            // SAFETY: the signature of all releases. The logger lives for ever; the object is new, or null in
            // one of its forms.
            unsafe {
                let create = self.0.library.get::<Create>(symbol);
                let create = create.map_err(|e| self.symbol(Path::new(&self.0.file), symbol, e))?;
                Object::new(create(self.0.logger.as_object(), self.0.number), self.0.tables, doing)
            }
        })
    }

    /// Loaded when first needed: boxes that only run plans may lack it.
    fn parser_library(&self) -> Result<(ManuallyDrop<libloading::Library>, i32), TrtError> {
        let file = &self.0.parser;
        // SAFETY: NVIDIA's parser, which runs nothing of ours when it is loaded.
        let library = unsafe { libloading::Library::new(file) }
            .map_err(|source| TrtError::Load { file: file.display().to_string(), source })?;
        let symbol = "getNvOnnxParserVersion";
        // SAFETY: the function takes nothing and returns a number, in all releases.
        let version = unsafe { library.get::<Number>(symbol).map_err(|e| self.symbol(file, symbol, e))?() };
        Ok((ManuallyDrop::new(library), version))
    }

    #[allow(clippy::unused_self, reason = "reads as part of the library")]
    fn symbol(&self, file: &Path, symbol: &'static str, source: libloading::Error) -> TrtError {
        TrtError::Symbol { file: file.display().to_string(), symbol, source }
    }

    /// A creation that logs an error has failed, whatever it returns.
    fn quiet<T>(
        &self,
        doing: &'static str,
        create: impl FnOnce() -> Result<T, TrtError>,
    ) -> Result<T, TrtError> {
        let before = Logger::heard_here();
        let made = self.explain(create)?;
        if Logger::heard_here() == before {
            return Ok(made);
        }
        Err(TrtError::Call { doing, said: self.0.logger.take_errors() })
    }

    /// Adds to a failure what the library logged meanwhile.
    pub(super) fn explain<T>(&self, call: impl FnOnce() -> Result<T, TrtError>) -> Result<T, TrtError> {
        self.0.logger.forget_errors();
        call().map_err(|error| match error {
            TrtError::Call { doing, said } if said.is_empty() => {
                TrtError::Call { doing, said: self.0.logger.take_errors() }
            }
            other => other,
        })
    }
}

type Opened = (Flavour, libloading::Library, PathBuf, PathBuf);

fn open(place: &Place) -> Result<Opened, TrtError> {
    match place {
        Place::System => open_system(),
        Place::Folder(dir) => open_folder(dir),
    }
}

fn open_system() -> Result<Opened, TrtError> {
    for (flavour, name, parser) in NAMES {
        // SAFETY: NVIDIA's library, by the name it is installed under; it runs nothing of ours when loaded.
        if let Ok(library) = unsafe { libloading::Library::new(name) } {
            return Ok((flavour, library, name.into(), parser.into()));
        }
    }
    Err(TrtError::NotFound { dir: None, names: WANTED })
}

fn open_folder(dir: &Path) -> Result<Opened, TrtError> {
    let missing = || TrtError::NotFound { dir: Some(dir.into()), names: WANTED };
    let known = NAMES.iter().find(|(_, name, _)| dir.join(name).exists());
    let (flavour, file, parser) = match known {
        Some((flavour, name, parser)) => (*flavour, dir.join(name), dir.join(parser)),
        None => {
            let (flavour, file) = unknown(dir).ok_or_else(missing)?;
            (flavour, file, PathBuf::new())
        }
    };
    // SAFETY: as in `open_system`.
    let library = unsafe { libloading::Library::new(&file) }
        .map_err(|source| TrtError::Load { file: file.display().to_string(), source })?;
    Ok((flavour, library, file, parser))
}

/// A release of another major version, which will be refused by its number.
fn unknown(dir: &Path) -> Option<(Flavour, PathBuf)> {
    let mut files: Vec<_> = dir.read_dir().ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files.into_iter().find_map(|path| {
        let name = path.file_name()?.to_str()?;
        let (flavour, _) = STEMS.iter().find(|(_, stem)| name.starts_with(stem))?;
        Some((*flavour, path))
    })
}
