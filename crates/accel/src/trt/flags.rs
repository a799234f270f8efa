//! Numbers of TensorRT's enumerations. Most are the same everywhere; those that are not say so.
use super::slots::Era;

/// How much the library says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Internal,
    Error,
    Warning,
    Info,
    Verbose,
}

impl Severity {
    pub(crate) fn of(number: i32) -> Self {
        match number {
            0 => Self::Internal,
            1 => Self::Error,
            2 => Self::Warning,
            3 => Self::Info,
            _ => Self::Verbose,
        }
    }
}

/// Type of the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    Float,
    Half,
    Int8,
    Int32,
    Bool,
    UInt8,
    Fp8,
    Bf16,
    Int64,
    /// A type this program has no name for, such as packed ones.
    Other(i32),
}

impl DataType {
    const NUMBERED: [Self; 9] = [
        Self::Float,
        Self::Half,
        Self::Int8,
        Self::Int32,
        Self::Bool,
        Self::UInt8,
        Self::Fp8,
        Self::Bf16,
        Self::Int64,
    ];

    pub(crate) fn of(number: i32) -> Self {
        let known = usize::try_from(number).ok().and_then(|n| Self::NUMBERED.get(n));
        known.copied().unwrap_or(Self::Other(number))
    }

    /// Bytes of one value; none for types that are packed or unknown.
    #[must_use]
    pub const fn bytes(self) -> Option<usize> {
        match self {
            Self::Float | Self::Int32 => Some(4),
            Self::Half | Self::Bf16 => Some(2),
            Self::Int8 | Self::Bool | Self::UInt8 | Self::Fp8 => Some(1),
            Self::Int64 => Some(8),
            Self::Other(_) => None,
        }
    }
}

/// Which way a tensor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Input,
    Output,
}

/// Which shape of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Least = 0,
    Usual = 1,
    Most = 2,
}

/// What the builder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Half precision where it is faster, in weakly typed networks.
    Fp16,
    /// Eight bits where a calibration says how, in weakly typed networks.
    Int8,
    /// What DLA can't do runs on the GPU.
    GpuFallback,
    /// The weights may be changed later.
    Refit,
    /// Nineteen bits in multiplications of 32-bit floats; set unless taken away.
    Tf32,
    SparseWeights,
    /// No conversions at inputs and outputs.
    DirectIo,
    /// The plan runs with later minor versions, too.
    VersionCompatible,
    /// Such a plan without a runtime inside.
    ExcludeLeanRuntime,
    /// The plan has no weights; they come with a refit.
    StripPlan,
}

impl Flag {
    pub const ALL: [Self; 10] = [
        Self::Fp16,
        Self::Int8,
        Self::GpuFallback,
        Self::Refit,
        Self::Tf32,
        Self::SparseWeights,
        Self::DirectIo,
        Self::VersionCompatible,
        Self::ExcludeLeanRuntime,
        Self::StripPlan,
    ];

    /// The flag's name in `BuilderFlag`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp16 => "kFP16",
            Self::Int8 => "kINT8",
            Self::GpuFallback => "kGPU_FALLBACK",
            Self::Refit => "kREFIT",
            Self::Tf32 => "kTF32",
            Self::SparseWeights => "kSPARSE_WEIGHTS",
            Self::DirectIo => "kDIRECT_IO",
            Self::VersionCompatible => "kVERSION_COMPATIBLE",
            Self::ExcludeLeanRuntime => "kEXCLUDE_LEAN_RUNTIME",
            Self::StripPlan => "kSTRIP_PLAN",
        }
    }

    /// Its number, if it may be set in this era. 11 took FP16, INT8 and others away: numbers up to 11 kept
    /// their places, later ones moved down by one. Early RTX numbers as 10 does, but types strongly.
    #[must_use]
    pub const fn number(self, era: Era) -> Option<i32> {
        let [ten, eleven] = match self {
            Self::Fp16 => [0, -1],
            Self::Int8 => [1, -1],
            Self::GpuFallback => [3, 3],
            Self::Refit => [4, 4],
            Self::Tf32 => [6, 6],
            Self::SparseWeights => [7, 7],
            Self::DirectIo => [11, 11],
            Self::VersionCompatible => [13, 12],
            Self::ExcludeLeanRuntime => [14, 13],
            Self::StripPlan => [19, 18],
        };
        let weak = matches!(self, Self::Fp16 | Self::Int8);
        match era {
            Era::Ten => Some(ten),
            Era::RtxEarly | Era::Rtx | Era::Eleven if weak => None,
            Era::RtxEarly => Some(ten),
            Era::Rtx | Era::Eleven => Some(eleven),
        }
    }
}

/// How the types of a network are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// As the model says.
    Strong,
    /// By flags and speed; 10.x only.
    Weak,
}

impl Typing {
    /// Bits of `NetworkDefinitionCreationFlag`: `kSTRONGLY_TYPED` is bit 1 before 11, then bit 0.
    #[must_use]
    pub const fn bits(self, era: Era) -> u32 {
        match (self, era) {
            (Self::Weak, _) => 0,
            (Self::Strong, Era::Ten | Era::RtxEarly) => 1 << 1,
            (Self::Strong, Era::Rtx | Era::Eleven) => 1,
        }
    }
}

/// Memory of the builder with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    Workspace = 0,
    DlaManagedSram = 1,
    DlaLocalDram = 2,
    DlaGlobalDram = 3,
    TacticDram = 4,
    TacticSharedMemory = 5,
}

/// What an engine is told about its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    LayerNames = 0,
    None = 1,
    Detailed = 2,
}

/// On which GPUs a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hardware {
    /// On the model it was built on.
    Same = 0,
    AmpereAndLater = 1,
}

/// Where layers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Gpu = 0,
    Dla = 1,
}

/// Who gives a context the memory for what is between its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scratch {
    /// The library, when the context is made.
    Own = 0,
    /// The caller, before each shape: contexts that never run at once can share it.
    Lent = 2,
}
