//! Driver, TensorRT, and a network of two layers built and run, once on a DLA core where there is one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;
use vigia_accel::cuda::{Gpu, measure};
use vigia_accel::trt::{Driver, Library, Runtime, RuntimeOptions};
use vigia_core::config::Config;

use super::{Check, Scratch, tiny};
use crate::detect::network::Network;
use crate::engines::accuracy::SUPPRESSION;
use crate::engines::build::{self, Order};
use crate::engines::open::{self, NoGpu};
use crate::engines::progress::Line;
use crate::engines::recipe::{Precision, Recipe};

const COPIED_BYTES: usize = 64 << 20;

pub fn check(config: &Config, is_needed: bool, scratch: &Scratch, note: &mut impl FnMut(Check)) {
    let gpu = open::gpu();
    note(driver(&gpu, is_needed));
    let library = build::library(config.detector.tensorrt_dir.as_deref().map(Path::new));
    note(match &library {
        Ok(library) => tensorrt(library),
        Err(e) => Check::missing("tensorrt", e, is_needed),
    });
    let (Ok(gpu), Ok(library)) = (gpu, library) else {
        for name in ["small network", "dla"] {
            note(Check::missing(name, "there is no GPU with TensorRT", is_needed && name != "dla"));
        }
        return;
    };
    for precision in [Precision::Fp32, Precision::Fp16] {
        let recipe = Recipe { precision, batch: 1, level: 0, workspace_mib: 64, dla: None };
        let name = format!("small network, {precision}");
        note(match small(&gpu, &library, scratch, &recipe) {
            Ok(bytes) => Check::passed(&name, "built, run, and right", json!({ "plan_bytes": bytes })),
            Err(e) => Check::failed(&name, e),
        });
    }
    note(dla(&gpu, &library, scratch));
}

fn driver(gpu: &Result<Arc<Gpu>, NoGpu>, is_needed: bool) -> Check {
    let gpu = match gpu {
        Ok(gpu) => gpu,
        Err(e) => return Check::missing("gpu", e, is_needed),
    };
    let p = gpu.properties();
    let (major, minor) = p.capability;
    let mib = p.memory_bytes >> 20;
    let free = gpu.memory().map(|m| m.free >> 20);
    // Only a figure: what matters of the copy is how fast it was.
    let copied = measure::copy_bandwidth(gpu, COPIED_BYTES).map(|b| (b / 1e8).round() / 10.0);
    let said = format!("{}, compute capability {major}.{minor}, {mib} MiB", p.name);
    let figures = json!({
        "name": p.name, "capability": format!("{major}.{minor}"), "multiprocessors": p.multiprocessors,
        "integrated": p.integrated, "driver_cuda": format!("{}.{}", p.driver / 1000, p.driver % 1000 / 10),
        "memory_mib": mib, "free_mib": free.ok(), "copy_gb_per_s": copied.ok(),
    });
    Check::passed("gpu", said, figures)
}

fn tensorrt(library: &Library) -> Check {
    let version = library.version().to_string();
    let parser = library.parser_version();
    let says = parser.as_ref().map_or_else(|e| format!("runs plans only: {e}"), |p| format!("parser {p}"));
    let figures = json!({ "version": version, "parser": parser.ok() });
    Check::passed("tensorrt", format!("TensorRT {version}, {says}"), figures)
}

/// Builds the small network and lets it answer; how large its plan is.
fn small(gpu: &Arc<Gpu>, library: &Library, scratch: &Scratch, recipe: &Recipe) -> Result<usize, String> {
    let located = tiny::located(scratch)?;
    let driver = Driver::checked(|| Ok::<_, String>(())).map_err(|e| e.to_string())?;
    let order = Order { model: &located, recipe, device: &open::device(gpu) };
    let hears = Arc::new(|_: Line| {});
    let built = build::build(library, Some(driver), &order, hears, Arc::new(AtomicBool::new(false)));
    let plan = built.map_err(|e| e.to_string())?.plan;
    let mut engine = open::engine(gpu, library, &plan, &located, recipe).map_err(|e| e.to_string())?;
    engine.warm().map_err(|e| e.to_string())?;
    let mut network = Network::on_gpu(engine, Arc::new(located.manifest), SUPPRESSION);
    tiny::answer(&mut network)?;
    Ok(plan.len())
}

fn dla(gpu: &Arc<Gpu>, library: &Library, scratch: &Scratch) -> Check {
    let driver = Driver::checked(|| Ok::<_, String>(()));
    let cores =
        driver.and_then(|driver| Runtime::new(library, driver, &RuntimeOptions::default())?.dla_cores());
    match cores {
        Ok(0) => Check::missing("dla", "no DLA core on this device, or none that this TensorRT uses", false),
        Ok(cores) => {
            let recipe =
                Recipe { precision: Precision::Fp16, batch: 1, level: 0, workspace_mib: 64, dla: Some(0) };
            match small(gpu, library, scratch, &recipe) {
                Ok(_) => Check::passed(
                    "dla",
                    format!("the small network ran on one of {cores}"),
                    json!({ "cores": cores }),
                ),
                Err(e) => Check::failed("dla", e),
            }
        }
        Err(e) => Check::failed("dla", e),
    }
}
