//! The smallest detector: one convolution and a reshape, whose answer is known. Where it is white it sees an object at each
//! of its places, all in the middle of the picture and sure to 0.9; where it is black, none.

use std::cell::RefCell;
use std::path::PathBuf;

use gst_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo,
    VideoTransferFunction,
};
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};
use vigia_core::detection::head::Head;
use vigia_core::detection::{BBox, Detection};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use super::Scratch;
use crate::detect::manifest::{self, Input, Located, Manifest, Preprocess};
use crate::detect::network::Network;
use crate::frame::{Frame, Surface};

/// Both sides, in pixels; as many places as pixels.
const SIDE: u8 = 32;
/// What a white pixel is.
const SURE: f32 = 0.9;
/// Half a float has eleven bits.
const NEAR: f32 = 0.02;

/// The model in a folder, as if it had been imported.
pub fn located(scratch: &Scratch) -> Result<Located, String> {
    let bytes = model().write_buf().map_err(|e| e.to_string())?;
    let onnx = scratch.put("tiny.onnx", &bytes).map_err(|e| e.to_string())?;
    let side = u32::from(SIDE);
    let manifest = Manifest {
        id: "tiny".into(),
        file: PathBuf::from("tiny.onnx"),
        sha256: manifest::sha256(&onnx, |_| {}).map_err(|e| e.to_string())?,
        head: Head::Yolov8,
        input: Input { width: side, height: side, dynamic: false },
        preprocess: Preprocess::default(),
        classes: vec!["white".into()],
        licence: None,
        source: None,
        quantised_from: None,
        notice: None,
    };
    Ok(Located { manifest, onnx })
}

/// Whether it sees in white and in black what is there.
pub fn answer(network: &mut Network) -> Result<(), String> {
    for (level, expected) in [(255, 1), (0, 0), (255, 1)] {
        let seen = network.look(&plain(level)?, 0.5).map_err(|e| e.to_string())?;
        if seen.len() != expected || !seen.iter().all(is_right) {
            let name = if level == 0 { "black" } else { "white" };
            return Err(format!("of a {name} picture it says {seen:?}; {expected} of {SURE} were right"));
        }
    }
    Ok(())
}

fn is_right(d: &Detection) -> bool {
    let BBox { x1, y1, x2, y2 } = d.bbox;
    let corners = [(x1, 12.0), (y1, 12.0), (x2, 20.0), (y2, 20.0)];
    (d.confidence - SURE).abs() < NEAR && corners.iter().all(|(is, right)| (is - right).abs() < 0.1)
}

/// A grey picture, full range.
fn plain(level: u8) -> Result<Frame, String> {
    let (side, pixels) = (u32::from(SIDE), usize::from(SIDE).pow(2));
    let colours = VideoColorimetry::new(
        VideoColorRange::Range0_255,
        VideoColorMatrix::Bt601,
        VideoTransferFunction::Unknown,
        VideoColorPrimaries::Unknown,
    );
    let info = VideoInfo::builder(VideoFormat::Nv12, side, side).colorimetry(&colours).build();
    let mut planes = vec![level; pixels];
    planes.resize(pixels * 3 / 2, 128);
    Ok(Frame {
        source_id: 0,
        picture: 0,
        captured: Utc::from_unix_ns(0),
        captured_at: Instant(0),
        pts_ms: 0.0,
        surface: Surface::System {
            buffer: gst::Buffer::from_mut_slice(planes),
            info: info.map_err(|e| e.to_string())?,
        },
    })
}

fn model() -> ModelProto {
    let side = i64::from(SIDE);
    // Centre and size are constants; the fifth channel is the mean of red, green and blue, 0.9 at most.
    let mut weights = vec![0.0; 12];
    weights.extend([SURE / 3.0; 3]);
    let graph = GraphProto {
        node: vec![
            NodeProto {
                attribute: vec![ints("kernel_shape", &[1, 1]), ints("strides", &[1, 1])],
                ..node("Conv", &["images", "weights", "bias"], "maps")
            },
            node("Reshape", &["maps", "shape"], "boxes"),
        ],
        initializer: vec![
            floats("weights", &[5, 3, 1, 1], &weights),
            floats("bias", &[5], &[16.0, 16.0, 8.0, 8.0, 0.0]),
            TensorProto {
                name: Some("shape".into()),
                dims: vec![3],
                data_type: Some(DataType::INT64),
                raw_data: Some(RefCell::new([1_i64, 5, -1].iter().flat_map(|n| n.to_le_bytes()).collect())),
                ..TensorProto::default()
            },
        ],
        input: vec![value("images", &[1, 3, side, side])],
        output: vec![value("boxes", &[1, 5, side * side])],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(13) }],
        producer_name: Some("vigia".into()),
        ..ModelProto::default()
    }
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: Some(format!("make {output}")),
        op_type: Some(op.into()),
        input: inputs.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute: Vec::new(),
        domain: None,
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::INTS),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::FLOAT),
        raw_data: Some(RefCell::new(values.iter().flat_map(|v| v.to_le_bytes()).collect())),
        ..TensorProto::default()
    }
}

fn value(name: &str, sizes: &[i64]) -> ValueInfoProto {
    let dim = sizes.iter().map(|n| Dimension { dim_value: Some(*n), ..Dimension::default() }).collect();
    let tensor = TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}
