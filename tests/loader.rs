//! A model that comes back is compiled once: what was measured of it is remembered.

#[path = "support/shared.rs"]
mod shared;

use serde_json::{Value, json};
use vigia::config::{self, Flag};
use vigia::model::{self, Loader};

#[test]
fn a_model_that_comes_back_is_not_measured_again() {
    let Some(openvino) = shared::openvino() else { return };
    let stream = |id| json!({ "source_id": id, "uri": "test://pattern", "max_fps": 30.0 });
    // More than any machine looks at one by one.
    let streams: Vec<Value> = (0..60).map(stream).collect();
    let flags = vec![
        Flag::new("streams", Value::from(streams), "test"),
        Flag::new("detector.models_dir", concat!(env!("CARGO_MANIFEST_DIR"), "/models"), "test"),
        Flag::new("detector.openvino_dir", openvino.display().to_string(), "test"),
        Flag::new("detector.engine", "openvino", "test"),
    ];
    let config = config::load(None, None, std::iter::empty(), flags).expect("a good configuration");
    let streams = model::streams(&config);
    let mut loader = Loader::default();
    let mode = |loader: &mut Loader| loader.load(&config, "lookout-n", &streams).expect("it loads").mode;
    let first = mode(&mut loader);
    assert!(first.starts_with("throughput: 1800.0 frames/s x "), "{first}");
    // The same time to the digit: two measurements differ.
    assert_eq!(mode(&mut loader), first);
    assert_eq!(mode(&mut loader), first);
}
