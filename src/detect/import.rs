//! Taking a model in: look at the graph, run it once, write its manifest.

use std::path::{Path, PathBuf};

use rten_onnx::onnx::{DataType, ModelProto, TypeProtoTensor};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vigia_core::config::Engine as Choice;
use vigia_core::detection::head::{self, CLASSES_MAX, Decoder, Head, HeadError};

use super::engine::{self, EngineError, EngineOptions, Mode};
use super::manifest::{self, INPUT_SIDE_MAX, Input, MODEL_BYTES_MAX, Manifest, ManifestError, Preprocess};

/// Side of the input when the graph leaves it open and nobody says.
const USUAL_SIDE: u32 = 640;

/// What the technician may say; everything else is read from the graph.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wishes {
    pub id: Option<String>,
    pub head: Option<Head>,
    /// Width and height, for a graph with a dynamic input.
    pub size: Option<(u32, u32)>,
    pub classes: Option<Vec<String>>,
    pub licence: Option<String>,
    pub source: Option<String>,
    pub quantised_from: Option<String>,
    pub openvino_dir: Option<PathBuf>,
}

/// What a graph says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Graph {
    pub input: Vec<Option<u32>>,
    pub outputs: usize,
    pub opset: i64,
    pub producer: String,
    pub names: Option<Vec<String>>,
}

/// Why a file is not a detector that vigia can run.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {MODEL_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is not an ONNX file: {what}", .path.display())]
    NotOnnx { path: PathBuf, what: String },
    #[error("{}: {what}", .path.display())]
    NotDetector { path: PathBuf, what: String },
    #[error("{} does not run: {source}", .path.display())]
    DoesNotRun { path: PathBuf, source: EngineError },
    #[error("{}: {source}", .path.display())]
    Head { path: PathBuf, source: HeadError },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Reads the graph of an ONNX file without running it.
///
/// # Errors
/// [`ImportError`]: not there, too large, not ONNX, external weights.
pub fn inspect(path: &Path) -> Result<Graph, ImportError> {
    let io = |source| ImportError::Io { path: path.into(), source };
    let not_onnx = |what: &str| ImportError::NotOnnx { path: path.into(), what: what.into() };
    let file = std::fs::File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(not_onnx("not a file"));
    }
    if meta.len() > MODEL_BYTES_MAX {
        return Err(ImportError::TooLarge(path.into()));
    }
    // A broken length field in the file must not become an allocation: parse what was read.
    let bytes = std::fs::read(path).map_err(io)?;
    let model = ModelProto::parse_buf(&bytes).map_err(|e| not_onnx(&e.to_string()))?;
    let graph = model.graph.as_ref().ok_or_else(|| not_onnx("it has no graph"))?;
    if graph.node.is_empty() {
        return Err(not_onnx("its graph is empty"));
    }
    if graph.initializer.iter().any(|t| t.data_location.as_ref().is_some_and(|l| l.0 == 1)) {
        let what = "its weights lie in another file; export it with the weights inside".into();
        return Err(ImportError::NotDetector { path: path.into(), what });
    }
    // Old exporters list weights among the inputs.
    let weights: Vec<_> = graph.initializer.iter().filter_map(|t| t.name.as_deref()).collect();
    let inputs: Vec<_> =
        graph.input.iter().filter(|i| i.name.as_deref().is_none_or(|n| !weights.contains(&n))).collect();
    let not_detector = |what: String| ImportError::NotDetector { path: path.into(), what };
    let [input] = inputs[..] else {
        return Err(not_detector(format!("it has {} inputs; one image is expected", inputs.len())));
    };
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let input = tensor.map(dimensions).unwrap_or_default();
    if tensor.and_then(|t| t.elem_type.as_ref()).is_some_and(|t| *t != DataType::FLOAT) {
        return Err(not_detector("its input is not 32-bit float".into()));
    }
    if input.len() != 4 || input[1].is_some_and(|c| c != 3) {
        return Err(not_detector(format!("its input {input:?} is not an image [batch, 3, height, width]")));
    }
    let prop = |key| {
        let found = model.metadata_props.iter().find(|p| p.key.as_deref() == Some(key));
        found.and_then(|p| p.value.as_deref())
    };
    Ok(Graph {
        input,
        outputs: graph.output.len(),
        opset: model.opset_import.iter().filter_map(|o| o.version).max().unwrap_or(0),
        producer: model.producer_name.clone().unwrap_or_default(),
        names: prop("names").and_then(names),
    })
}

/// Dimensions; `None` where the graph leaves one open.
fn dimensions(tensor: &TypeProtoTensor) -> Vec<Option<u32>> {
    let dims = tensor.shape.iter().flat_map(|s| &s.dim);
    dims.map(|d| d.dim_value.and_then(|v| u32::try_from(v).ok()).filter(|v| *v > 0)).collect()
}

/// Class names as exporters write them: `{0: 'person', 1: "bird's nest"}` or a JSON list.
#[must_use]
pub fn names(text: &str) -> Option<Vec<String>> {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        return Some(list);
    }
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (id, after) = rest.split_once(':')?;
        let id: usize = id.trim().trim_matches(['"', '\'']).parse().ok()?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| *c == '\'' || *c == '"')?;
        let (name, after) = quoted(&after[1..], quote)?;
        if id != found.len() || found.len() >= CLASSES_MAX {
            return None;
        }
        found.push(name);
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    (!found.is_empty()).then_some(found)
}

/// The text up to an unescaped `quote`, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            c if c == quote => return Some((name, &text[i + c.len_utf8()..])),
            c => name.push(c),
        }
    }
    None
}

/// Makes the manifest of an ONNX file: reads the graph, runs it once, infers what it can.
/// `progress` hears what is being done.
///
/// # Errors
/// [`ImportError`] with one sentence.
pub fn examine(
    path: &Path,
    wishes: &Wishes,
    mut progress: impl FnMut(&str),
) -> Result<Manifest, ImportError> {
    progress("reading the graph");
    let graph = inspect(path)?;
    let input = input_size(path, &graph, wishes)?;
    progress("running it once");
    let (head, classes) = run_once(path, &graph, &input, wishes)?;
    progress("hashing the file");
    let sha256 = manifest::sha256(path, |_| {})?;
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("model");
    let id = wishes.id.clone().unwrap_or_else(|| stem.to_owned());
    if !manifest::is_id(&id) {
        let what = format!("`{id}` can't name a model: 1 to 64 letters, digits, `.`, `_` or `-` (use --id)");
        return Err(ImportError::NotDetector { path: path.into(), what });
    }
    let manifest = Manifest {
        file: PathBuf::from(format!("{id}.onnx")),
        id,
        sha256,
        head,
        input,
        preprocess: Preprocess::usual(head),
        classes,
        licence: wishes.licence.clone(),
        source: wishes.source.clone(),
        quantised_from: wishes.quantised_from.clone(),
        notice: None,
    };
    manifest.check().map_err(|what| ImportError::NotDetector { path: path.into(), what })?;
    Ok(manifest)
}

fn input_size(path: &Path, graph: &Graph, wishes: &Wishes) -> Result<Input, ImportError> {
    let (height, width) = (graph.input[2], graph.input[3]);
    let dynamic = height.is_none() || width.is_none();
    let (wide, high) = wishes.size.unwrap_or((USUAL_SIDE, USUAL_SIDE));
    let input = Input { width: width.unwrap_or(wide), height: height.unwrap_or(high), dynamic };
    let sides = 32..=INPUT_SIDE_MAX;
    let fixed = |asked, is: Option<u32>| is.is_none_or(|is| asked == is);
    let what = if !sides.contains(&input.width) || !sides.contains(&input.height) {
        format!("its input is {}x{}; each side must be 32 to {INPUT_SIDE_MAX}", input.width, input.height)
    } else if let Some((w, h)) = wishes.size
        && (!fixed(w, width) || !fixed(h, height))
    {
        format!("its input is fixed to {}x{}; {w}x{h} was asked for", input.width, input.height)
    } else {
        return Ok(input);
    };
    Err(ImportError::NotDetector { path: path.into(), what })
}

/// Runs the network on a grey image; the shapes of its outputs tell the head.
fn run_once(
    path: &Path,
    graph: &Graph,
    input: &Input,
    wishes: &Wishes,
) -> Result<(Head, Vec<String>), ImportError> {
    let options = EngineOptions {
        choice: Choice::Auto,
        mode: Mode::Latency,
        threads: None,
        openvino_dir: wishes.openvino_dir.clone(),
        width: input.width,
        height: input.height,
    };
    let does_not_run = |source| ImportError::DoesNotRun { path: path.into(), source };
    let head_error = |source| ImportError::Head { path: path.into(), source };
    let mut engine = engine::open(path, &options).map_err(does_not_run)?.engine;
    engine.input(0).map_err(does_not_run)?.fill(0.45);
    engine.start(0).map_err(does_not_run)?;
    let (w, h) = (input.width as usize, input.height as usize);
    let found = engine
        .wait(0, |outputs| {
            let shapes: Vec<_> = outputs.iter().map(|o| o.shape.to_vec()).collect();
            let (head, count) = match wishes.head {
                Some(head) => (head, head::infer(&shapes, w, h).map_or(0, |(_, n)| n)),
                None => head::infer(&shapes, w, h)?,
            };
            let classes = match wishes.classes.clone().or_else(|| graph.names.clone()) {
                Some(named) => named,
                // Its output carries class ids, whose number nobody can tell.
                None if head == Head::End2end => return Ok(None),
                None => invented(count),
            };
            // Proves that head, classes and outputs fit each other.
            Decoder::new(head, classes.len(), w, h).decode(outputs, 0.0, &mut Vec::new())?;
            Ok(Some((head, classes)))
        })
        .map_err(does_not_run)?
        .map_err(head_error)?;
    found.ok_or_else(|| ImportError::NotDetector {
        path: path.into(),
        what: "it names no classes, and its output doesn't tell how many there are; say them with --classes"
            .into(),
    })
}

fn invented(count: usize) -> Vec<String> {
    if count == COCO.len() {
        return COCO.map(str::to_owned).to_vec();
    }
    (0..count.max(1)).map(|i| format!("class_{i}")).collect()
}

/// Copies the model and writes its manifest into `dir`. Nothing half written stays behind: until
/// the manifest is in its place, a model of that name works as before.
///
/// # Errors
/// [`ImportError::Io`], [`ImportError::Manifest`].
pub fn store(path: &Path, manifest: &Manifest, dir: &Path) -> Result<PathBuf, ImportError> {
    std::fs::create_dir_all(dir).map_err(|source| ImportError::Io { path: dir.into(), source })?;
    let mut manifest = manifest.clone();
    let whole = |file: &Path| manifest::sha256(file, |_| {}).is_ok_and(|found| found == manifest.sha256);
    let plain = dir.join(&manifest.file);
    let there = whole(&plain);
    if !there && plain.exists() {
        // The model it belongs to needs it until the new manifest is there.
        let hash = manifest.sha256.get(..12).unwrap_or_default();
        manifest.file = PathBuf::from(format!("{}-{hash}.onnx", manifest.id));
    }
    if !there {
        put(&dir.join(&manifest.file), |part| {
            std::fs::copy(path, part)?;
            if !whole(part) {
                return Err(std::io::Error::other("the model changed while it was taken in"));
            }
            Ok(())
        })?;
    }
    let yaml = dir.join(format!("{}.yaml", manifest.id));
    let old = Manifest::read(&yaml).ok().map(|m| m.file).filter(|old| *old != manifest.file);
    put(&yaml, |part| {
        let text = serde_saphyr::to_string(&manifest).map_err(std::io::Error::other)?;
        std::fs::write(part, text)
    })?;
    if let Some(old) = old {
        // A file too many does no harm.
        let _ = std::fs::remove_file(dir.join(old));
    }
    Ok(yaml)
}

/// Has `write` make a file, and gives it its name once it is whole and on the disk.
fn put(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), ImportError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let made = write(&part).and_then(|()| {
        std::fs::File::open(&part)?.sync_all()?;
        std::fs::rename(&part, path)?;
        // Or the power takes the name away again.
        path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
    });
    made.map_err(|source| {
        let _ = std::fs::remove_file(&part);
        ImportError::Io { path: path.into(), source }
    })
}

/// The 80 classes of COCO, for models that carry no names.
#[rustfmt::skip]
const COCO: [&str; 80] = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase",
    "scissors", "teddy bear", "hair drier", "toothbrush",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_as_exporters_write_them() {
        let some = |v: &[&str]| Some(v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        for (text, want) in [
            ("{0: 'person', 1: 'car'}", some(&["person", "car"])),
            (r#"{0: "bird's nest", 1: 'it\'s'}"#, some(&["bird's nest", "it's"])),
            (r#"{"0": "fire", "1": "smoke"}"#, some(&["fire", "smoke"])),
            (r#"["fire", "smoke"]"#, some(&["fire", "smoke"])),
            ("{0: 'a: b, c', 1: 'd'}", some(&["a: b, c", "d"])),
            ("{1: 'second only'}", None),
            ("{0: 'open", None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(names(text), want, "{text}");
        }
    }
}
