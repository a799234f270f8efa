"""Labels, the cache of decoded frames, and the stream of training batches."""

import hashlib
import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import augment
from common import CLASSES, HEIGHT, PAD, WIDTH, InputError, letterbox


@dataclass
class Frame:
    """One labelled image; boxes in pixels of the original image."""

    file: str
    width: int
    height: int
    objects: np.ndarray  # [G, 5]: class, x1, y1, x2, y2
    ignored: np.ndarray  # [K, 4]

    def in_input(self):
        """(objects, ignored) in input pixels."""
        left, top, w, h = letterbox(self.width, self.height)
        scale = np.array([w / self.width, h / self.height] * 2, np.float32)
        shift = np.array([left, top] * 2, np.float32)
        objects = self.objects.copy()
        objects[:, 1:] = objects[:, 1:] * scale + shift
        return objects, self.ignored * scale + shift


def read_labels(folder):
    """The frames of `folder`/labels.jsonl, in the order of the file."""
    path = Path(folder) / "labels.jsonl"
    if not path.is_file():
        raise InputError(f"{folder} holds no labels.jsonl")
    frames = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            objects = [[o["class"], *o["box"]] for o in row["objects"]]
            objects = np.array(objects, np.float32).reshape(-1, 5)
            ignored = np.array(row.get("ignore", []), np.float32).reshape(-1, 4)
            frame = Frame(row["file"], int(row["width"]), int(row["height"]), objects, ignored)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}:{number} is not a label line ({error!r})") from error
        if objects.size and not np.isin(objects[:, 0], range(len(CLASSES))).all():
            raise InputError(f"{path}:{number} names a class that is not 0 to {len(CLASSES) - 1}")
        frames.append(frame)
    if not frames:
        raise InputError(f"{path} holds no labels")
    return frames


def resize_plain(pixels, width, height):
    """Two-tap linear resize of uint8 [h, w, 3], without smoothing: what vigia does to a live frame."""

    def taps(size, wanted):
        at = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
        low = np.minimum(at.astype(np.int64), max(size - 2, 0))
        return low, np.minimum(low + 1, size - 1), (at - low).astype(np.float32)

    y0, y1, fy = taps(pixels.shape[0], height)
    x0, x1, fx = taps(pixels.shape[1], width)
    rows = pixels[y0] * (1 - fy)[:, None, None] + pixels[y1] * fy[:, None, None]
    return rows[:, x0] * (1 - fx)[:, None] + rows[:, x1] * fx[:, None]


def load_input(path, smooth=False):
    """The image file as letterboxed uint8 [HEIGHT, WIDTH, 3]; `smooth`: with an anti-aliased resize."""
    try:
        image = Image.open(path).convert("RGB")
    except OSError as error:
        raise InputError(f"{path} can't be read as an image ({error})") from error
    left, top, w, h = letterbox(*image.size)
    if smooth:
        small = np.asarray(image.resize((w, h), Image.Resampling.BILINEAR))
    else:
        small = np.rint(resize_plain(np.asarray(image), w, h)).astype(np.uint8)
    canvas = np.full((HEIGHT, WIDTH, 3), PAD, np.uint8)
    canvas[top : top + h, left : left + w] = small
    return canvas


def _fill(job):
    """Decodes frames `first`..`last` into the cache file (one process of several)."""
    cache, folder, files, first, count, mixed = job
    frames = np.memmap(cache, np.uint8, "r+", shape=(count, HEIGHT, WIDTH, 3))
    for i, file in enumerate(files, first):
        # Training sees both kinds of resize: cameras' own scalers are smooth, vigia's is plain.
        frames[i] = load_input(Path(folder) / file, smooth=mixed and i % 2 == 1)
    frames.flush()


def open_cache(folder, frames, mixed):
    """All frames of a folder, letterboxed, as a uint8 array [F, HEIGHT, WIDTH, 3] mapped from `folder`.cache.

    Made once, for all courses; made anew when labels.jsonl has changed.
    """
    cache = Path(folder).with_suffix(".cache")
    stamp = hashlib.sha256((Path(folder) / "labels.jsonl").read_bytes()).hexdigest()
    seal = cache.with_suffix(".sha256")
    shape = (len(frames), HEIGHT, WIDTH, 3)
    if not (cache.is_file() and seal.is_file() and seal.read_text() == stamp):
        seal.unlink(missing_ok=True)
        print(f"decoding {len(frames)} frames of {folder} into {cache}", flush=True)
        np.memmap(cache, np.uint8, "w+", shape=shape).flush()
        files = [f.file for f in frames]
        jobs = [
            (cache, folder, files[i : i + 256], i, len(frames), mixed) for i in range(0, len(files), 256)
        ]
        with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
            for _ in pool.imap_unordered(_fill, jobs):
                pass
        seal.write_text(stamp)
    return np.memmap(cache, np.uint8, "r", shape=shape)


class Batches(torch.utils.data.Dataset):
    """Batch number `step` is a function of the seed and `step` alone, so that a run can resume.

    Items: images uint8 [N, 3, H, W], objects [G, 6] (image, class, box), ignored [K, 5] (image, box),
    boxes in pixels of the batch's own size.
    """

    def __init__(self, folder, frames, schedule, seed):
        self.folder, self.frames, self.schedule, self.seed = folder, frames, schedule, seed
        self.pixels = None
        # Position of each step's first sample in the endless shuffled sequence of frames.
        self.starts = np.concatenate([[0], np.cumsum([schedule.batch(s) for s in range(schedule.steps)])])

    def __len__(self):
        return self.schedule.steps

    def __getitem__(self, step):
        if self.pixels is None:  # mapped by each worker for itself
            self.pixels = open_cache(self.folder, self.frames, mixed=True)
        width, height = self.schedule.size(step)
        images, objects, ignored = [], [], []
        for i in range(self.schedule.batch(step)):
            random = np.random.default_rng((self.seed, step, i))
            index = self._shuffled(self.starts[step] + i)
            picture, boxes, areas = augment.sample(
                self._source, index, len(self.frames), width, height, self.schedule.mosaic(step), random
            )
            images.append(picture)
            objects.append(np.insert(boxes, 0, i, axis=1))
            ignored.append(np.insert(areas, 0, i, axis=1))
        images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # channels last in memory
        return images, torch.from_numpy(np.concatenate(objects)), torch.from_numpy(np.concatenate(ignored))

    def _shuffled(self, position):
        epoch, place = divmod(int(position), len(self.frames))
        if getattr(self, "epoch", None) != epoch:
            self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.frames))
            self.epoch = epoch
        return int(self.order[place])

    def _source(self, index):
        """Frame `index`: picture, where it lies in it (left, top, width, height), objects, ignored."""
        frame = self.frames[index]
        objects, ignored = frame.in_input()
        return Image.fromarray(self.pixels[index]), letterbox(frame.width, frame.height), objects, ignored
