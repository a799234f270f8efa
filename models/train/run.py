"""Makes the model: trains, evaluates, calibrates, exports, checks. See README.md."""

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from pathlib import Path

# Threads that wait for each other sleep at once: beside the data workers, spinning starves them.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np  # noqa: E402
import torch  # noqa: E402

import toy  # noqa: E402
from check import compare, session, write_golden  # noqa: E402
from common import CLASSES, HEIGHT, NAME, WIDTH, InputError  # noqa: E402
from data import open_cache, read_labels  # noqa: E402
from evaluate import detect_all, judge, net_cells, operating_points, session_cells, summary  # noqa: E402
from export import calibrate, fused, write_int8, write_onnx  # noqa: E402
from net import size  # noqa: E402
from pictures import write_pictures  # noqa: E402
from plot import write_curves  # noqa: E402
from train import pick_device, train  # noqa: E402

STEPS, QUICK_STEPS = 10000, 40


def arguments():
    parser = argparse.ArgumentParser(description=f"Makes {NAME}.")
    parser.add_argument("--data", type=Path, help="folder with train/ and val/, each with images and labels.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, models and reports")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"training steps (default {STEPS})")
    parser.add_argument("--init", type=Path, help="checkpoint whose weights to start from")
    parser.add_argument("--fine", action="store_true", help="a second course at full size, for --init")
    parser.add_argument("--rate", type=float, help="highest learning rate, instead of the course's own")
    parser.add_argument("--quick", action="store_true", help="a toy data set and few steps, to prove the pipeline")
    return parser.parse_args()


def digest(path):
    return {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def make(data, out, steps, init, fine, rate):
    """The whole pipeline; returns the process's exit code."""
    begin = time.monotonic()
    average = train(data, out, steps, init, fine, rate)
    if average is None:
        return 130
    trained = time.monotonic() - begin

    held_out = read_labels(data / "val")
    pixels = open_cache(data / "val", held_out, mixed=False)
    everything = np.arange(len(held_out))
    device = pick_device()
    judged = judge(detect_all(lambda p: net_cells(average, p, device), pixels, everything), held_out)
    points = operating_points(judged, held_out)
    write_curves(out / "metrics.jsonl", judged, out / "curves.png")

    net = fused(average)
    calibrate(net, [points[name]["threshold"] for name in CLASSES])
    dynamic, static, small = (out / f"{NAME}{kind}.onnx" for kind in ("", "-b1", "-int8"))
    write_onnx(net, dynamic, "batch")
    write_onnx(net, static, 1)
    training = open_cache(data / "train", read_labels(data / "train"), mixed=True)
    write_int8(dynamic, small, training)

    differences, agree = compare(net, dynamic, static, pixels[spread_over(held_out)])
    precision = {"trained": summary(judged)}
    for kind, path in (("float32", dynamic), ("int8", small)):
        run = session(path)
        found = detect_all(lambda p, run=run: session_cells(run, p), pixels, everything)
        if path == dynamic:
            write_pictures(data / "val", held_out, found, out)
        precision[kind] = summary(judge(found, held_out))
    golden = write_golden(dynamic, data / "val", held_out, out / "golden")
    parameters, macs = size(net, WIDTH, HEIGHT)
    report = {
        "model": NAME,
        "classes": list(CLASSES),
        "input": [WIDTH, HEIGHT],
        "parameters": parameters,
        "macs": macs,
        "steps": steps,
        "seconds_of_training_in_the_last_start": round(trained),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {device}",
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "frames": {"train": len(training), "val": len(held_out)},
        "ap50": precision,
        "operating_points": points,
        "differences_from_pytorch": differences,
        "engines_agree": agree,
        "golden_images": golden,
        "files": {path.name: digest(path) for path in (dynamic, static, small)},
    }
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    for kind, row in precision.items():
        print(f"{kind}: " + "  ".join(f"{k} {v:.3f}" for k, v in row.items() if v is not None))
    for name, point in points.items():
        print(f"{name}: {point}")
    print(f"differences from PyTorch: {differences}")
    print(f"{out}/report.json is written")
    if not agree:
        print("error: the engines don't agree on the model", file=sys.stderr)
        return 1
    return 0


def spread_over(frames):
    """Three frames for comparisons, preferably with objects."""
    full = [i for i, f in enumerate(frames) if len(f.objects)] or list(range(len(frames)))
    return [full[i % len(full)] for i in (0, len(full) // 2, len(full) - 1)]


def main():
    args = arguments()
    try:
        if args.quick:
            data, steps = args.out / "toy", QUICK_STEPS
            if not (data / "val" / "labels.jsonl").is_file():
                toy.make(data / "train", 160, seed=1)
                toy.make(data / "val", 48, seed=2)
        elif args.data is None:
            raise InputError("--data is missing: the folder with train/ and val/")
        else:
            data, steps = args.data, args.steps
        if args.fine and args.init is None:
            raise InputError("--fine needs --init: the checkpoint of the first course")
        if steps < 10:
            raise InputError("--steps must be at least 10")
        return make(data, args.out, steps, args.init, args.fine, args.rate)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
