"""From the trained network to ONNX: fused, calibrated, as float32 and as INT8 with Q/DQ nodes.

The graph is written node by node from the network's fx trace, so that it holds only operators
that every engine reads (Conv, Relu, MaxPool, Resize, Add, Concat; and for the boxes Reshape,
Slice, Exp, Mul, Sub, Sigmoid), none of them about shapes, and any batch size.
"""

import copy
import json
import operator

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import fx, nn

from common import CLASSES, HEIGHT, LICENCE, NAME, STRIDES, WIDTH
from net import anchors

OPSET = 17


def fused(net):
    """A copy in which every batch normalisation is part of its convolution."""
    net = copy.deepcopy(net).cpu().float().eval()
    for block in [m for m in net.modules() if isinstance(m, nn.Sequential)]:
        if len(block) == 3 and isinstance(block[1], nn.BatchNorm2d):
            old, norm = block[0], block[1]
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            new = nn.Conv2d(
                old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=True
            )
            new.weight.data = old.weight.data * gain.data[:, None, None, None]
            new.bias.data = (norm.bias - norm.running_mean * gain).data
            block[0], block[1] = new, nn.Identity()
    return net


def calibrate(net, thresholds):
    """Moves each class's bias so that its threshold becomes confidence 0.5."""
    shift = torch.tensor([float(np.log(t / (1 - t))) for t in thresholds])
    for head in net.heads:
        head.class_out.bias.data -= shift


class Graph:
    """Nodes and constants of an ONNX graph under construction."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def pair(value):
    return [value, value] if isinstance(value, int) else list(value)


def module_node(graph, module, source, name):
    """One module of the network as a node; returns the name of its result."""
    if isinstance(module, nn.Conv2d):
        weight = graph.constant(name + ".weight", module.weight.detach().numpy())
        bias = graph.constant(name + ".bias", module.bias.detach().numpy())
        return graph.add(
            "Conv", [source, weight, bias], name, kernel_shape=pair(module.kernel_size),
            strides=pair(module.stride), pads=pair(module.padding) * 2,
        )  # fmt: skip
    if isinstance(module, nn.ReLU):
        return graph.add("Relu", [source], name)
    if isinstance(module, nn.MaxPool2d):
        return graph.add(
            "MaxPool", [source], name, kernel_shape=pair(module.kernel_size),
            strides=pair(module.stride), pads=pair(module.padding) * 2,
        )  # fmt: skip
    if isinstance(module, nn.Upsample):
        scales = graph.constant(name + ".scales", np.array([1, 1, 2, 2], np.float32))
        return graph.add(
            "Resize", [source, "", scales], name, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
    if isinstance(module, nn.Identity):
        return source
    raise TypeError(f"no ONNX node for {type(module).__name__}")


def network_nodes(graph, net):
    """All of the network; returns per level the names of logits and of log distances."""
    names = {}
    for node in fx.symbolic_trace(net).graph.nodes:
        if node.op == "placeholder":
            names[node] = "images"
        elif node.op == "call_module":
            names[node] = module_node(graph, net.get_submodule(node.target), names[node.args[0]], node.name)
        elif node.target in (operator.add, torch.add):
            names[node] = graph.add("Add", [names[a] for a in node.args[:2]], node.name)
        elif node.target is torch.cat:
            names[node] = graph.add("Concat", [names[a] for a in node.args[0]], node.name, axis=node.args[1])
        elif node.op == "output":
            return [tuple(names[n] for n in level) for level in node.args[0]]
        else:
            raise TypeError(f"no ONNX node for {node.target}")
    raise TypeError("the network has no output")


def decode_nodes(graph, levels):
    """From the levels to `output` [N, 4+C, A]: cx, cy, w, h in input pixels, class probabilities."""
    points, strides = (t.numpy().T[None] for t in anchors(WIDTH, HEIGHT))  # [1, 2, A], [1, 1, A]

    def joined(which, rows, name):
        shape = graph.constant(f"{name}.shape", np.array([0, rows, -1], np.int64))
        flat = [graph.add("Reshape", [level[which], shape], f"{name}.{s}") for level, s in zip(levels, STRIDES)]
        return graph.add("Concat", flat, name, axis=2)

    scores = graph.add("Sigmoid", [joined(0, len(CLASSES), "logits")], "scores")
    logs = joined(1, 4, "logs")
    distances = graph.add(
        "Mul", [graph.add("Exp", [logs], "distances.exp"), graph.constant("strides", strides)], "distances"
    )
    axis = graph.constant("axis", np.array([1], np.int64))

    def rows(first, last, name):
        ends = [graph.constant(f"{name}.{i}", np.array([v], np.int64)) for i, v in ((0, first), (1, last))]
        return graph.add("Slice", [distances, *ends, axis], name)

    low, high = rows(0, 2, "before"), rows(2, 4, "after")
    half = graph.constant("half", np.array(0.5, np.float32))
    shift = graph.add("Mul", [graph.add("Sub", [high, low], "difference"), half], "shift")
    centre = graph.add("Add", [shift, graph.constant("points", points)], "centre")
    sides = graph.add("Add", [high, low], "sides")
    graph.add("Concat", [centre, sides, scores], "output", axis=1)


def write_onnx(net, path, batch):
    """Writes a fused network; batch: a number, or a name for any."""
    graph = Graph()
    decode_nodes(graph, network_nodes(graph, net))
    cells = sum((WIDTH // s) * (HEIGHT // s) for s in STRIDES)
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, HEIGHT, WIDTH])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 4 + len(CLASSES), cells])
    model = helper.make_model(
        helper.make_graph(graph.nodes, NAME, [images], [output], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="vigia models/train",
    )
    describe(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def describe(model):
    helper.set_model_props(
        model,
        {
            "names": str(dict(enumerate(CLASSES))),
            "stride": str(max(STRIDES)),
            "task": "detect",
            "imgsz": json.dumps([HEIGHT, WIDTH]),
            "licence": LICENCE,
            "license": LICENCE,
            "description": f"{NAME}: fire, smoke, people and vehicles; trained on rendered scenes (vigia)",
        },
    )


class Samples(CalibrationDataReader):
    """Frames for the INT8 ranges, one by one; pixels uint8 [F, H, W, 3]."""

    def __init__(self, pixels, indices):
        self.rows = ({"images": pixels[i : i + 1].transpose(0, 3, 1, 2).astype(np.float32) / 255} for i in indices)

    def get_next(self):
        return next(self.rows, None)


def write_int8(source, path, pixels, count=200):
    """INT8 twin of the ONNX file `source`, with ranges from `count` frames spread over `pixels`.

    The heads' last convolutions and the decoding stay in float32. Biases too: TensorRT wants so.
    """
    model = onnx.load(source)
    kinds = {"Conv", "Relu", "MaxPool", "Resize", "Add", "Concat"}
    last = [n.name for n in model.graph.node if n.name.endswith(("class_out", "box_out"))]
    first = next(i for i, n in enumerate(model.graph.node) if n.op_type == "Reshape")
    indices = np.linspace(0, len(pixels) - 1, min(count, len(pixels))).astype(int)
    quantize_static(
        source,
        path,
        Samples(pixels, indices),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=sorted(kinds),
        nodes_to_exclude=last + [n.name for n in model.graph.node[first:]],
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )
    model = onnx.load(path)
    describe(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
