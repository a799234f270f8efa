"""Training: schedule, checkpoints, moving average, progress. See README.md; run.py calls `train`."""

import json
import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from common import HEIGHT, WIDTH, InputError
from data import Batches, open_cache, read_labels
from evaluate import detect_all, judge, net_cells, summary
from loss import detection_loss
from net import Lookout, size

SMALL, MIDDLE = (224, 128), (416, 256)  # picture sizes of the first course
RATE, FINE_RATE, LAST_RATE, DECAY = 2e-3, 8e-4, 2e-5, 0.05
CLIP = 10.0  # largest norm of a gradient
AVERAGE = 0.9985  # weight decay of the moving average, per step


@dataclass(frozen=True)
class Schedule:
    """What happens at which step."""

    steps: int
    fine: bool = False  # the second course, from the weights of the first: full size, smaller steps
    peak: float | None = None  # instead of the course's own

    def small(self, step):
        return not self.fine and step < 0.45 * self.steps

    def size(self, step):
        if self.fine:
            return WIDTH, HEIGHT
        return SMALL if self.small(step) else MIDDLE

    def batch(self, step):
        return 32 if self.small(step) else 16

    def mosaic(self, step):
        """How often a picture is put together of four."""
        return 0.5 if step < 0.93 * self.steps else 0.0

    def rate(self, step):
        """Learning rate: linear warm-up, then half a cosine."""
        warm = max(1, min(200, self.steps // 10))
        peak = self.peak or (FINE_RATE if self.fine else RATE)
        if step < warm:
            return peak * (step + 1) / warm
        turn = math.pi * (step - warm) / max(1, self.steps - warm)
        return LAST_RATE + (peak - LAST_RATE) * (1 + math.cos(turn)) / 2


class Average:
    """Exponential moving average of weights and of batch normalisation's statistics."""

    def __init__(self, net):
        self.net = Lookout().to(next(net.parameters()).device).eval()
        self.net.load_state_dict(net.state_dict())
        for p in self.net.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, net, step):
        keep = min(AVERAGE, (1 + step) / (20 + step))
        state = net.state_dict()
        for name, mean in self.net.state_dict().items():
            if mean.dtype.is_floating_point:
                mean.lerp_(state[name], 1 - keep)
            else:
                mean.copy_(state[name])


def fast_type(device):
    """bfloat16 where the hardware multiplies in it, else None for float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text() if cpu.is_file() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else None


def pick_device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save(path, net, average, optimizer, step, steps):
    """Writes a checkpoint whole or not at all."""
    state = {
        "net": net.state_dict(),
        "average": average.net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "step": step,
        "steps": steps,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path, device):
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise InputError(f"{path} can't be read as a checkpoint ({error})") from error


def start(out, steps, init, device):
    """Network, average, optimizer and first step: from out/last.pt if it is there, else new."""
    torch.manual_seed(0)
    net = Lookout().to(device, memory_format=torch.channels_last)
    if init and not (out / "last.pt").is_file():
        net.load_state_dict(load(init, device)["average"])
    average = Average(net)
    plain = [p for p in net.parameters() if p.ndim < 2]
    heavy = [p for p in net.parameters() if p.ndim >= 2]
    groups = [{"params": heavy, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    first = 0
    if (out / "last.pt").is_file():
        state = load(out / "last.pt", device)
        if state["steps"] != steps:
            raise InputError(f"{out}/last.pt is of a run of {state['steps']} steps, not {steps}: move it away")
        net.load_state_dict(state["net"])
        average.net.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"].cpu())
        first = state["step"]
        print(f"continuing at step {first} of {steps}", flush=True)
    return net, average, optimizer, first


def train(data, out, steps, init=None, fine=False, rate=None, every=500, seed=1):
    """Trains to out/last.pt. Returns the averaged network, or None when stopped by a signal.

    data: folder with train/ and val/; every: steps between checkpoints.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    device = pick_device()
    schedule = Schedule(steps, fine, rate)
    frames, held_out = read_labels(Path(data) / "train"), read_labels(Path(data) / "val")
    open_cache(Path(data) / "train", frames, mixed=True)
    watched = np.linspace(0, len(held_out) - 1, min(400, len(held_out))).astype(int)
    held_pixels = open_cache(Path(data) / "val", held_out, mixed=False)
    net, average, optimizer, first = start(out, steps, init, device)
    kind = fast_type(device)
    parameters, macs = size(net, WIDTH, HEIGHT)
    print(
        f"{parameters} parameters, {macs / 1e6:.0f} million MAC; {len(frames)} training and "
        f"{len(held_out)} validation frames; {device} in {kind or torch.float32}",
        flush=True,
    )
    stopped = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.append(True)) for number in signals]
    batches = Batches(Path(data) / "train", frames, schedule, seed)
    workers = max(1, min(14, (os.cpu_count() or 2) - 1))
    loader = torch.utils.data.DataLoader(
        batches, batch_size=None, sampler=range(first, steps), num_workers=workers, prefetch_factor=4,
        pin_memory=device.type == "cuda", worker_init_fn=calm, multiprocessing_context="spawn",
    )  # fmt: skip
    check_at = {round(steps * k / 5) for k in range(1, 5)}
    progress = Progress(out / "metrics.jsonl", steps, first)
    net.train()
    for step, (images, objects, ignored) in enumerate(loader, first):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        parts = one_step(net, optimizer, images, objects, ignored, device, kind)
        average.update(net, step)
        progress.add(step + 1, parts, len(images), images.shape[3], schedule.rate(step))
        if step + 1 in check_at:
            found = detect_all(lambda p: net_cells(average.net, p, device), held_pixels, watched)
            progress.note(step + 1, summary(judge(found, [held_out[i] for i in watched])))
        if stopped or (step + 1) % every == 0 or step + 1 == steps:
            save(out / "last.pt", net, average, optimizer, step + 1, steps)
        if stopped:
            print(f"stopped at step {step + 1} of {steps}; the same command continues", flush=True)
            return None
    for number, handler in zip(signals, before):
        signal.signal(number, handler)
    return average.net


def calm(_worker):
    """Workers leave signals to the parent, and use one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)


def one_step(net, optimizer, images, objects, ignored, device, kind):
    """Forward, backward, update; returns the parts of the loss."""
    images = images.to(device, non_blocking=True).float().div_(255)
    objects, ignored = objects.to(device), ignored.to(device)
    with torch.autocast(device.type, kind, enabled=kind is not None):
        levels = net(images)
    total, parts = detection_loss(levels, objects, ignored, images.shape[3], images.shape[2])
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
    if torch.isfinite(norm):
        optimizer.step()
    return parts


class Progress:
    """One line about every 20 s on the console, and one of JSON in the log."""

    def __init__(self, path, steps, first):
        self.path, self.steps, self.first = path, steps, first
        # Lines of steps that a resumed run does again are dropped.
        lines = path.read_text().splitlines() if first and path.is_file() else []
        path.write_text("".join(line + "\n" for line in lines if json.loads(line)["step"] <= first))
        self.begin = self.mark = time.monotonic()
        self.sums, self.count, self.images = {}, 0, 0

    def add(self, step, parts, images, width, rate):
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count, self.images = self.count + 1, self.images + images
        now = time.monotonic()
        if now - self.mark < 20 and step < self.steps:
            return
        means = {name: round(float(value) / self.count, 4) for name, value in self.sums.items()}
        speed = self.images / (now - self.mark)
        left = (now - self.mark) / self.count * (self.steps - step)
        losses = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(
            f"{step}/{self.steps}  {losses}  {width} px  {speed:.0f} img/s  about {left / 60:.0f} min left",
            flush=True,
        )
        self.write({"step": step, "loss": means, "width": width, "rate": rate, "images_s": round(speed, 1)})
        self.mark, self.sums, self.count, self.images = now, {}, 0, 0

    def note(self, step, precision):
        shown = "  ".join(f"{k} {v:.3f}" for k, v in precision.items() if v is not None)
        print(f"{step}/{self.steps}  validation: {shown}", flush=True)
        self.write({"step": step, "validation": precision})
        self.mark = time.monotonic()

    def write(self, row):
        with self.path.open("a") as log:
            log.write(json.dumps(row) + "\n")
