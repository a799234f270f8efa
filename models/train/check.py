"""Whether PyTorch, onnxruntime and OpenVINO agree on an exported model, and golden files for others."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import torch
from PIL import Image

from common import HEIGHT, WIDTH, letterbox
from data import load_input
from evaluate import detect, net_cells, session_cells

BOX_LIMIT, SCORE_LIMIT = 0.1, 1e-3  # input pixels; relative to the score
LEAST_SCORE = 1e-3  # scores below are compared as if they were this
CONFIDENCE = 0.25


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def openvino_cells(path):
    """OpenVINO on the CPU, in float32, with the interface of evaluate.net_cells."""
    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    model = core.compile_model(core.read_model(str(path)), "CPU", hints)

    class Session:
        """Looks like an onnxruntime session, as far as evaluate.session_cells asks."""

        def get_inputs(self):
            return [type("Input", (), {"name": "images"})]

        def run(self, _outputs, inputs):
            return [model(inputs)[0]]

    return lambda pixels: session_cells(Session(), pixels)


def difference(wanted, got):
    """Largest differences: boxes in input pixels, scores relative."""
    box = float(np.abs(wanted[0] - got[0]).max())
    score = float((np.abs(wanted[1] - got[1]) / np.maximum(wanted[1], LEAST_SCORE)).max())
    return {"box_px": round(box, 6), "score_relative": round(score, 8)}


def compare(net, dynamic, static, pixels):
    """Differences from PyTorch of each engine and batch size on real frames; `agree` says if all are small."""

    def torch_cells(frames):
        return net_cells(net, frames, torch.device("cpu"))

    with torch.inference_mode():
        one, three = torch_cells(pixels[:1]), torch_cells(pixels[:3])
    run = session(dynamic)
    rows = {
        "onnxruntime batch 1": difference(one, session_cells(run, pixels[:1])),
        "onnxruntime batch 3": difference(three, session_cells(run, pixels[:3])),
        "onnxruntime static": difference(one, session_cells(session(static), pixels[:1])),
        "openvino batch 1": difference(one, openvino_cells(dynamic)(pixels[:1])),
        "openvino batch 3": difference(three, openvino_cells(dynamic)(pixels[:3])),
        "openvino static": difference(one, openvino_cells(static)(pixels[:1])),
    }
    agree = all(r["box_px"] <= BOX_LIMIT and r["score_relative"] <= SCORE_LIMIT for r in rows.values())
    return rows, agree


def write_golden(model, folder, frames, out, count=8):
    """A handful of frames as PNG with the detections that the model must make on them.

    Detections: confidence from 0.25, suppressed by class at IoU 0.45; boxes in pixels of the image.
    """
    out = Path(out)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    run = session(model)
    full = [i for i, f in enumerate(frames) if len(f.objects)]
    empty = [i for i, f in enumerate(frames) if not len(f.objects)]
    share = min(len(empty), 2)
    picks = spread(full, count - share) + spread(empty, share)
    rows = []
    for i in picks:
        frame = frames[i]
        name = Path(frame.file).stem + ".png"
        Image.open(Path(folder) / frame.file).convert("RGB").save(out / name)
        boxes, scores = session_cells(run, load_input(out / name)[None])
        left, top, w, h = letterbox(frame.width, frame.height)
        found = []
        for label, confidence, *box in detect(boxes[0], scores[0], CONFIDENCE).tolist():
            x = [(v - left) * frame.width / w for v in box[::2]]
            y = [(v - top) * frame.height / h for v in box[1::2]]
            box = [round(v, 3) for v in (x[0], y[0], x[1], y[1])]
            found.append({"class": int(label), "confidence": round(confidence, 5), "box": box})
        rows.append({"file": name, "width": frame.width, "height": frame.height, "detections": found})
    head = {"model": Path(model).name, "input": [WIDTH, HEIGHT], "confidence": CONFIDENCE, "iou": 0.45}
    (out / "golden.json").write_text(json.dumps({**head, "images": rows}, indent=1) + "\n")
    return len(rows)


def spread(items, count):
    """`count` of the items, evenly spaced."""
    at = np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)
    return [items[i] for i in at]
