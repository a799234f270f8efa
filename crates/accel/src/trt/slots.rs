//! Where TensorRT's methods stand in their vtables, as data.
//!
//! An object of the API is `{vtable, implementation}`; its public methods are inline calls through the
//! vtable of the implementation, so that the number of a method there is the binary interface. The
//! numbers only grow within one [`Era`] (methods are appended), and nearly all of them differ between two.
//! The layer, the double of the library (`doubles/nvinfer`) and the checker (`examples/trt_slots.rs`) read
//! the same tables.
//!
//! Compared by that checker with the headers of 18 releases from 10.1 to 10.16, of 11.0, 11.1 and 11.4, and of RTX
//! 1.3 to 1.7 (the parser's of 10.2 to 10.14 were not to be had; those of 10.1 and 10.15 agree).

/// Releases that share their slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// TensorRT 10.1 to 10.x, all of JetPack 6 and 7.
    Ten,
    /// TensorRT-RTX 1.3 and 1.4: mostly 10's slots, the builder's configuration is 11's.
    RtxEarly,
    /// TensorRT-RTX from 1.5 on: 11's slots, and compute capabilities to build for.
    Rtx,
    /// TensorRT 11.x.
    Eleven,
}

impl Era {
    pub const ALL: [Self; 4] = [Self::Ten, Self::RtxEarly, Self::Rtx, Self::Eleven];

    /// Whether `ILogger` begins with the language and the version of the interface.
    #[must_use]
    pub const fn versioned_logger(self) -> bool {
        matches!(self, Self::Rtx | Self::Eleven)
    }

    /// Whether networks may be typed weakly, with precisions chosen by flags.
    #[must_use]
    pub const fn weak_types(self) -> bool {
        matches!(self, Self::Ten)
    }

    const fn column(self) -> usize {
        match self {
            Self::Ten => 0,
            Self::RtxEarly => 1,
            Self::Rtx => 2,
            Self::Eleven => 3,
        }
    }
}

/// The place of one method in one era; none if that era has no such method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub class: &'static str,
    pub method: &'static str,
    pub index: Option<usize>,
}

/// The slots of one class.
pub trait Class: Sized + 'static {
    /// Its name in NVIDIA's headers.
    const NAME: &'static str;
    /// Whether methods are called on the object itself, not on its implementation.
    const DIRECT: bool;
    /// The slot of the destructor that also frees.
    fn destroy(&self) -> usize;
    /// Its part of an era's tables.
    fn of(tables: &'static Tables) -> &'static Self;
    /// Each method.
    fn slots(&self) -> Vec<Slot>;
}

macro_rules! index {
    (_) => {
        None
    };
    ($n:literal) => {
        Some($n)
    };
}

macro_rules! destructor {
    () => {
        [1; 4]
    };
    ($d:expr) => {
        $d
    };
}

macro_rules! tables {
    ($($field:ident: $class:ident $name:literal $(direct $destroy:expr)? => {
        $($method:ident $cpp:literal $ten:tt $early:tt $rtx:tt $eleven:tt;)+
    })+) => {
        $(
            #[doc = concat!("Slots of `", $name, "`.")]
            #[derive(Debug, Clone, Copy)]
            pub struct $class {
                destroy: usize,
                $(pub $method: Slot,)+
            }

            impl $class {
                const fn new(era: Era) -> Self {
                    let at = era.column();
                    Self {
                        destroy: destructor!($($destroy)?)[at],
                        $($method: Slot {
                            class: $name,
                            method: $cpp,
                            index: [index!($ten), index!($early), index!($rtx), index!($eleven)][at],
                        },)+
                    }
                }
            }

            impl Class for $class {
                const NAME: &'static str = $name;
                const DIRECT: bool = { let direct: &[[usize; 4]] = &[$($destroy)?]; !direct.is_empty() };

                fn destroy(&self) -> usize {
                    self.destroy
                }

                fn of(tables: &'static Tables) -> &'static Self {
                    &tables.$field
                }

                fn slots(&self) -> Vec<Slot> {
                    vec![$(self.$method),+]
                }
            }
        )+

        /// All slots of an era.
        #[derive(Debug)]
        pub struct Tables {
            pub era: Era,
            $(pub $field: $class,)+
        }

        impl Tables {
            const fn new(era: Era) -> Self {
                Self { era, $($field: $class::new(era),)+ }
            }

            /// Each method that this era has.
            #[must_use]
            pub fn slots(&self) -> Vec<Slot> {
                let all = [$(self.$field.slots()),+].concat();
                all.into_iter().filter(|s| s.index.is_some()).collect()
            }
        }
    };
}

impl Tables {
    /// The tables of an era.
    #[must_use]
    pub const fn of(era: Era) -> &'static Self {
        static TABLES: [Tables; 4] = [
            Tables::new(Era::Ten),
            Tables::new(Era::RtxEarly),
            Tables::new(Era::Rtx),
            Tables::new(Era::Eleven),
        ];
        &TABLES[era.column()]
    }
}

// Columns: 10.x, RTX 1.3 and 1.4, RTX from 1.5 on, 11.x.
tables! {
    runtime: Runtime "IRuntime" => {
        deserialize "deserializeCudaEngine" 3 3 3 3;
        set_dla_core "setDLACore" 5 5 4 4;
        dla_cores "getNbDLACores" 7 7 6 6;
        set_temporary_directory "setTemporaryDirectory" 14 14 13 13;
        allow_host_code "setEngineHostCodeAllowed" 21 21 20 20;
    }
    engine: Engine "ICudaEngine" => {
        layers "getNbLayers" 3 3 3 3;
        create_context "createExecutionContext" 5 5 5 5;
        refittable "isRefittable" 8 6 6 6;
        profiles "getNbOptimizationProfiles" 10 8 8 8;
        create_inspector "createEngineInspector" 18 16 14 14;
        tensor_shape "getTensorShape" 19 17 15 15;
        tensor_type "getTensorDataType" 20 18 16 16;
        tensor_mode "getTensorIOMode" 23 21 19 19;
        tensor_format "getTensorFormat" 26 24 22 22;
        profile_shape "getProfileShape" 29 27 25 25;
        tensors "getNbIOTensors" 30 28 26 26;
        tensor_name "getIOTensorName" 31 29 27 27;
        hardware_compatibility "getHardwareCompatibilityLevel" 32 30 28 28;
        device_memory "getDeviceMemorySizeV2" 52 50 44 44;
    }
    context: Context "IExecutionContext" => {
        set_profile "setOptimizationProfileAsync" 17 17 16 16;
        set_input_shape "setInputShape" 21 21 20 20;
        tensor_shape "getTensorShape" 22 22 21 21;
        set_address "setTensorAddress" 24 24 23 23;
        infer_shapes "inferShapes" 28 28 27 27;
        set_consumed_event "setInputConsumedEvent" 29 29 28 28;
        enqueue "enqueueV3" 37 37 36 36;
        set_persistent_cache "setPersistentCacheLimit" 38 38 37 37;
        set_aux_streams "setAuxStreams" 42 42 41 41;
        set_device_memory "setDeviceMemoryV2" 49 49 48 48;
    }
    inspector: Inspector "IEngineInspector" => {
        engine_information "getEngineInformation" 6 6 6 6;
    }
    builder: Builder "IBuilder" => {
        dla_cores "getNbDLACores" 5 5 3 3;
        create_config "createBuilderConfig" 7 7 5 5;
        create_network "createNetworkV2" 8 8 6 6;
        create_profile "createOptimizationProfile" 9 9 7 7;
        build "buildSerializedNetwork" 14 14 11 11;
        set_threads "setMaxThreads" 17 17 14 14;
    }
    config: Config "IBuilderConfig" => {
        set_calibrator "setInt8Calibrator" 6 _ _ _;
        set_flag "setFlag" 11 9 9 9;
        can_run_on_dla "canRunOnDLA" 17 15 15 15;
        set_dla_core "setDLACore" 18 16 16 16;
        set_default_device "setDefaultDeviceType" 20 18 18 18;
        set_profile_stream "setProfileStream" 23 21 21 21;
        add_profile "addOptimizationProfile" 25 23 23 23;
        set_verbosity "setProfilingVerbosity" 27 25 25 25;
        set_calibration_profile "setCalibrationProfile" 31 _ _ _;
        create_cache "createTimingCache" 40 29 29 29;
        set_cache "setTimingCache" 41 30 30 30;
        set_memory_limit "setMemoryPoolLimit" 43 32 32 32;
        set_level "setBuilderOptimizationLevel" 47 36 36 36;
        set_hardware_compatibility "setHardwareCompatibilityLevel" 49 38 38 38;
        set_aux_streams "setMaxAuxStreams" 54 43 43 43;
        set_monitor "setProgressMonitor" 56 45 45 45;
        set_capabilities "setNbComputeCapabilities" _ 55 55 _;
        set_capability "setComputeCapability" _ 57 57 _;
    }
    network: Network "INetworkDefinition" => {
        layers "getNbLayers" 12 12 12 12;
        layer "getLayer" 13 13 13 13;
        inputs "getNbInputs" 14 14 14 14;
        input "getInput" 15 15 15 15;
        outputs "getNbOutputs" 16 16 16 16;
        output "getOutput" 17 17 17 17;
    }
    tensor: Tensor "ITensor" => {
        name "getName" 3 3 3 3;
        shape "getDimensions" 5 5 5 5;
        data_type "getType" 7 7 6 6;
    }
    layer: Layer "ILayer" => {
        name "getName" 4 4 4 4;
    }
    profile: Profile "IOptimizationProfile" => {
        set_shape "setDimensions" 2 2 2 2;
        valid "isValid" 9 9 7 7;
    }
    memory: Memory "IHostMemory" => {
        data "data" 2 2 2 2;
        size "size" 3 3 3 3;
    }
    cache: Cache "ITimingCache" => {
        serialize "serialize" 2 2 2 2;
        combine "combine" 3 3 3 3;
    }
    // Refitting an engine is a table only: nothing calls it yet.
    refitter: Refitter "IRefitter" => {
        refit "refitCudaEngine" 4 4 4 4;
        set_weights "setNamedWeights" 13 13 9 9;
    }
    parser: Parser "IParser" direct [9, 9, 7, 7] => {
        parse "parse" 0 0 0 0;
        errors "getNbErrors" 5 5 3 3;
        error "getError" 6 6 4 4;
    }
    // Owned by its parser: never destroyed by us.
    parser_error: ParserError "IParserError" direct [0; 4] => {
        code "code" 0 0 0 0;
        description "desc" 1 1 1 1;
        file "file" 2 2 2 2;
        line "line" 3 3 3 3;
        function "func" 4 4 4 4;
        node "node" 5 5 5 5;
        node_name "nodeName" 6 6 6 6;
        node_operator "nodeOperator" 7 7 7 7;
    }
}
