//! Compares the slot tables with TensorRT's headers: `cargo run --example trt_slots -- INCLUDE_DIR`.
//!
//! Writes a C++ function for each method, has g++ compile them, and reads from the assembler text through
//! which entry of the vtable each one calls. For a new release: run it; nothing else decides. The headers are
//! NVIDIA's and are not kept here; `g++` for x86-64 is needed, CUDA is not.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use vigia_accel::trt::flags::{Flag, Typing};
use vigia_accel::trt::slots::{Era, Slot, Tables};

/// Arguments of methods that take any, as C++ declares them.
#[rustfmt::skip]
const ARGUMENTS: [(&str, &str); 42] = [
    ("IRuntime::deserializeCudaEngine", "void const* a, size_t b"),
    ("IRuntime::setDLACore", "int32_t a"),
    ("IRuntime::setTemporaryDirectory", "char const* a"),
    ("IRuntime::setEngineHostCodeAllowed", "bool a"),
    ("ICudaEngine::createExecutionContext", "ExecutionContextAllocationStrategy a"),
    ("ICudaEngine::getTensorShape", "char const* a"),
    ("ICudaEngine::getTensorDataType", "char const* a"),
    ("ICudaEngine::getTensorIOMode", "char const* a"),
    ("ICudaEngine::getTensorFormat", "char const* a"),
    ("ICudaEngine::getProfileShape", "char const* a, int32_t b, OptProfileSelector c"),
    ("ICudaEngine::getIOTensorName", "int32_t a"),
    ("IExecutionContext::setOptimizationProfileAsync", "int32_t a, cudaStream_t b"),
    ("IExecutionContext::setInputShape", "char const* a, Dims const& b"),
    ("IExecutionContext::getTensorShape", "char const* a"),
    ("IExecutionContext::setTensorAddress", "char const* a, void* b"),
    ("IExecutionContext::inferShapes", "int32_t a, char const** b"),
    ("IExecutionContext::setInputConsumedEvent", "cudaEvent_t a"),
    ("IExecutionContext::enqueueV3", "cudaStream_t a"),
    ("IExecutionContext::setPersistentCacheLimit", "size_t a"),
    ("IExecutionContext::setAuxStreams", "cudaStream_t* a, int32_t b"),
    ("IExecutionContext::setDeviceMemoryV2", "void* a, int64_t b"),
    ("IEngineInspector::getEngineInformation", "LayerInformationFormat a"),
    ("IBuilder::createNetworkV2", "NetworkDefinitionCreationFlags a"),
    ("IBuilder::buildSerializedNetwork", "INetworkDefinition& a, IBuilderConfig& b"),
    ("IBuilder::setMaxThreads", "int32_t a"),
    ("IBuilderConfig::setInt8Calibrator", "IInt8Calibrator* a"),
    ("IBuilderConfig::setFlag", "BuilderFlag a"),
    ("IBuilderConfig::canRunOnDLA", "ILayer const* a"),
    ("IBuilderConfig::setDLACore", "int32_t a"),
    ("IBuilderConfig::setDefaultDeviceType", "DeviceType a"),
    ("IBuilderConfig::setProfileStream", "cudaStream_t const a"),
    ("IBuilderConfig::addOptimizationProfile", "IOptimizationProfile const* a"),
    ("IBuilderConfig::setProfilingVerbosity", "ProfilingVerbosity a"),
    ("IBuilderConfig::setCalibrationProfile", "IOptimizationProfile const* a"),
    ("IBuilderConfig::createTimingCache", "void const* a, size_t b"),
    ("IBuilderConfig::setTimingCache", "ITimingCache const& a, bool b"),
    ("IBuilderConfig::setMemoryPoolLimit", "MemoryPoolType a, size_t b"),
    ("IBuilderConfig::setBuilderOptimizationLevel", "int32_t a"),
    ("IBuilderConfig::setHardwareCompatibilityLevel", "HardwareCompatibilityLevel a"),
    ("IBuilderConfig::setMaxAuxStreams", "int32_t a"),
    ("IBuilderConfig::setProgressMonitor", "IProgressMonitor* a"),
    ("IBuilderConfig::setNbComputeCapabilities", "int32_t a"),
];

#[rustfmt::skip]
const MORE_ARGUMENTS: [(&str, &str); 9] = [
    ("IBuilderConfig::setComputeCapability", "ComputeCapability a, int32_t b"),
    ("INetworkDefinition::getLayer", "int32_t a"),
    ("INetworkDefinition::getInput", "int32_t a"),
    ("INetworkDefinition::getOutput", "int32_t a"),
    ("IOptimizationProfile::setDimensions", "char const* a, OptProfileSelector b, Dims const& c"),
    ("ITimingCache::combine", "ITimingCache const& a, bool b"),
    ("IRefitter::setNamedWeights", "char const* a, Weights b"),
    ("IParser::parse", "void const* a, size_t b, char const* c"),
    ("IParser::getError", "int a"),
];

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: trt_slots INCLUDE_DIR (that of NvInfer.h and NvOnnxParser.h)");
        return ExitCode::from(2);
    };
    match check(&dir) {
        Ok((era, count, wrong)) if wrong.is_empty() => {
            println!("{}: {count} slots and numbers as in era {era:?}", dir.display());
            ExitCode::SUCCESS
        }
        Ok((era, _, wrong)) => {
            eprintln!("{}: not as in era {era:?}:\n{}", dir.display(), wrong.join("\n"));
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("{}: {why}", dir.display());
            ExitCode::from(2)
        }
    }
}

/// The era that the version asks for, how much was compared, and what differs.
pub fn check(dir: &Path) -> Result<(Era, usize, Vec<String>), String> {
    let era = era(dir)?;
    let (compared, wrong) = compare(dir, era)?;
    Ok((era, compared, wrong))
}

/// The headers with the tables of any era.
pub fn compare(dir: &Path, era: Era) -> Result<(usize, Vec<String>), String> {
    let slots = Tables::of(era).slots();
    let numbers = numbers(era);
    let assembly = compile(dir, &source(&slots, &numbers))?;
    let functions = functions(&assembly);
    let mut wrong = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let found = functions.get(&format!("slot_{i}")).and_then(|lines| called(lines));
        if found != slot.index {
            wrong.push(format!(
                "  {}::{}: table {:?}, headers {found:?}",
                slot.class, slot.method, slot.index
            ));
        }
    }
    for (i, (name, number)) in numbers.iter().enumerate() {
        let found = functions.get(&format!("number_{i}")).and_then(|lines| returned(lines));
        if found != Some(*number) {
            wrong.push(format!("  {name}: table {number}, headers {found:?}"));
        }
    }
    for (function, class, expected) in destructors(era) {
        let found = functions.get(function).and_then(|lines| called(lines));
        if found != Some(expected) {
            wrong.push(format!("  delete {class}: table {expected}, headers {found:?}"));
        }
    }
    Ok((slots.len() + numbers.len() + 2, wrong))
}

fn era(dir: &Path) -> Result<Era, String> {
    let text = std::fs::read_to_string(dir.join("NvInferVersion.h")).map_err(|e| e.to_string())?;
    let define = |names: [&str; 3]| {
        let mut lines = text.lines().filter_map(|l| l.strip_prefix("#define "));
        lines.find_map(|l| {
            let mut words = l.split_whitespace();
            names.contains(&words.next()?).then(|| words.next()?.parse::<u32>().ok()).flatten()
        })
    };
    let major = define(["NV_TENSORRT_MAJOR", "TRT_MAJOR_ENTERPRISE", "TRT_MAJOR_RTX"]);
    let minor = define(["NV_TENSORRT_MINOR", "TRT_MINOR_ENTERPRISE", "TRT_MINOR_RTX"]);
    match (major, minor) {
        (Some(10), Some(_)) => Ok(Era::Ten),
        (Some(11), Some(_)) => Ok(Era::Eleven),
        (Some(1), Some(3..=4)) => Ok(Era::RtxEarly),
        (Some(1), Some(5..)) => Ok(Era::Rtx),
        other => Err(format!("no table for version {other:?}")),
    }
}

/// Numbers of enumerations that differ between eras, and the sizes we rely on.
fn numbers(era: Era) -> Vec<(String, i64)> {
    let mut numbers: Vec<_> = Flag::ALL
        .iter()
        .filter_map(|f| Some((format!("BuilderFlag::{}", f.name()), f.number(era)?.into())))
        .collect();
    let strong = Typing::Strong.bits(era).trailing_zeros();
    numbers.push(("NetworkDefinitionCreationFlag::kSTRONGLY_TYPED".into(), strong.into()));
    let fixed = [
        ("DataType::kINT64", 8),
        ("TensorIOMode::kOUTPUT", 2),
        ("OptProfileSelector::kMAX", 2),
        ("MemoryPoolType::kTACTIC_SHARED_MEMORY", 5),
        ("ExecutionContextAllocationStrategy::kUSER_MANAGED", 2),
        ("HardwareCompatibilityLevel::kAMPERE_PLUS", 1),
        ("ProfilingVerbosity::kDETAILED", 2),
        ("DeviceType::kDLA", 1),
        ("LayerInformationFormat::kJSON", 1),
        ("TensorFormat::kLINEAR", 0),
        ("ILogger::Severity::kVERBOSE", 4),
        ("sizeof(Dims)", 72),
        ("sizeof(InterfaceInfo)", 16),
    ];
    numbers.extend(fixed.map(|(n, v)| (n.to_owned(), v)));
    numbers
}

/// Functions, their classes and the slots of destructors that free.
fn destructors(era: Era) -> [(&'static str, &'static str, usize); 2] {
    use vigia_accel::trt::slots::Class as _;
    let tables = Tables::of(era);
    [
        ("delete_builder", "IBuilder", tables.builder.destroy()),
        ("delete_parser", "IParser", tables.parser.destroy()),
    ]
}

fn source(slots: &[Slot], numbers: &[(String, i64)]) -> String {
    let mut text = String::from("#include <NvInfer.h>\n#include <NvOnnxParser.h>\n");
    text += "using namespace nvinfer1; using namespace nvonnxparser;\n";
    for (i, slot) in slots.iter().enumerate() {
        let Slot { class, method, .. } = slot;
        let name = format!("{class}::{method}");
        let all = ARGUMENTS.iter().chain(&MORE_ARGUMENTS);
        let arguments = all.clone().find(|(n, _)| *n == name).map_or("", |(_, a)| a);
        let passed: Vec<_> = arguments.split(", ").filter_map(|a| a.split(' ').next_back()).collect();
        let comma = if arguments.is_empty() { "" } else { ", " };
        let _ = writeln!(
            text,
            "extern \"C\" auto slot_{i}({class}* o{comma}{arguments}) {{ return o->{method}({}); }}",
            passed.join(", ")
        );
    }
    for (i, (name, _)) in numbers.iter().enumerate() {
        let _ = writeln!(text, "extern \"C\" int number_{i}() {{ return static_cast<int>({name}); }}");
    }
    text += "extern \"C\" void delete_builder(IBuilder* o) { delete o; }\n";
    text += "extern \"C\" void delete_parser(IParser* o) { delete o; }\n";
    text
}

/// TensorRT's headers name two types of CUDA's.
const CUDA: &str = "#pragma once\n#include <cstddef>\n#include <cstdint>\n\
    typedef struct CUstream_st* cudaStream_t; typedef struct CUevent_st* cudaEvent_t;\n";

fn compile(dir: &Path, source: &str) -> Result<String, String> {
    let work = tempfile::tempdir().map_err(|e| e.to_string())?;
    let write =
        |name: &str, text: &str| std::fs::write(work.path().join(name), text).map_err(|e| e.to_string());
    write("cuda_runtime_api.h", CUDA)?;
    write("slots.cpp", source)?;
    let output = Command::new("g++")
        .args(["-std=c++17", "-O2", "-w", "-S", "-o", "-", "-fno-asynchronous-unwind-tables"])
        .args(["-fcf-protection=none", "-fno-devirtualize-speculatively", "-I"])
        .arg(dir)
        .arg("-I")
        .arg(work.path())
        .arg(work.path().join("slots.cpp"))
        .output()
        .map_err(|e| format!("g++: {e}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The instructions of each function.
fn functions(assembly: &str) -> HashMap<String, Vec<String>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    let mut current = String::new();
    for line in assembly.lines() {
        if let Some(label) = line.strip_suffix(':').filter(|l| !l.starts_with('.')) {
            label.clone_into(&mut current);
        } else if line.starts_with('\t') && !line.trim_start().starts_with('.') {
            found.entry(current.clone()).or_default().push(line.trim().to_owned());
        }
    }
    found
}

/// The slot of the one call through a vtable: `call *88(%rax)`, `jmp *88(%rax)`, or a load before it.
fn called(lines: &[String]) -> Option<usize> {
    let offset = |l: &str| {
        let place = l.split_once('*')?.1;
        let (number, register) = place.split_once('(')?;
        register.starts_with('%').then(|| if number.is_empty() { Some(0) } else { number.parse().ok() })?
    };
    let direct =
        lines.iter().filter(|l| l.starts_with("call") || l.starts_with("jmp")).find_map(|l| offset(l));
    let bytes: usize = direct?;
    bytes.is_multiple_of(8).then_some(bytes / 8)
}

/// The constant that a function returns.
fn returned(lines: &[String]) -> Option<i64> {
    lines.iter().find_map(|l| match l.strip_prefix("movl\t$") {
        Some(rest) => rest.strip_suffix(", %eax")?.parse().ok(),
        None => (l == "xorl\t%eax, %eax").then_some(0),
    })
}
