"""Random changes to training pictures. Boxes are numpy arrays of float32 in pixels.

Colour changes are mild in hue: a red car must not become a fire by accident.
"""

import numpy as np
from PIL import Image, ImageFilter

from common import PAD

SMALLEST = 3.0  # an object with a shorter side becomes an ignored area, pixels of the batch
VISIBLE = 0.3  # so does one of which less than this share of its area is left
LUMA = np.array([0.299, 0.587, 0.114])
NOISE = np.random.default_rng(7).normal(0, 1, 1 << 21).astype(np.float32)


def sample(source, index, count, width, height, mosaic, random):
    """One training picture: uint8 [height, width, 3], objects [G, 5] and ignored areas [K, 4].

    source(i) gives frame i (see data.Batches); `mosaic`: how often four frames are put together.
    """
    if random.random() < mosaic:
        picture, objects, ignored = four(source, index, count, width, height, random)
    else:
        picture = Image.new("RGB", (width, height), (PAD,) * 3)
        objects, ignored = place(picture, (0, 0, width, height), source(index), False, random)
    return degrade(recolour(picture, random), random), objects, ignored


def four(source, index, count, width, height, random):
    """Frame `index` and three others, one in each quarter around a random centre."""
    picture = Image.new("RGB", (width, height), (PAD,) * 3)
    cx, cy = (int(side * random.uniform(0.3, 0.7)) for side in (width, height))
    windows = [(0, 0, cx, cy), (cx, 0, width, cy), (0, cy, cx, height), (cx, cy, width, height)]
    order = random.permutation(4)
    indices = [index, *random.integers(0, count, 3)]
    parts = [place(picture, windows[w], source(int(i)), True, random) for w, i in zip(order, indices)]
    return picture, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def place(picture, window, frame, fill, random):
    """Draws a frame into a window of the picture, at a random scale and place, perhaps mirrored.

    `fill`: the frame covers the whole window. Returns its objects and ignored areas there.
    """
    image, (left, top, w, h), objects, ignored = frame
    x0, y0, x1, y1 = window
    if fill:
        cover = max((x1 - x0) / w, (y1 - y0) / h)
        scale = cover * np.exp(random.uniform(0, np.log(2.0)))
    else:
        fit = picture.width / image.width
        scale = fit if random.random() < 0.25 else fit * np.exp(random.uniform(np.log(0.65), np.log(1.6)))
    # The frame's corner in the picture: anywhere between flush left and flush right.
    ends = [(a, b - scale * side) for a, b, side in ((x0, x1, w), (y0, y1, h))]
    fx, fy = (min(e) + random.random() * abs(e[1] - e[0]) for e in ends)
    mirrored = random.random() < 0.5
    step = -1 / scale if mirrored else 1 / scale
    start = left + w - (x0 - fx) * 1 / scale if mirrored else left + (x0 - fx) / scale
    change = (step, 0, start, 0, 1 / scale, top + (y0 - fy) / scale)
    tile = image.transform(
        (x1 - x0, y1 - y0), Image.Transform.AFFINE, change, Image.Resampling.BILINEAR, fillcolor=(PAD,) * 3
    )
    picture.paste(tile, (x0, y0))

    def moved(boxes):
        boxes = (boxes - [left, top, left, top]) * scale
        if mirrored:
            boxes = np.stack([w * scale - boxes[:, 2], boxes[:, 1], w * scale - boxes[:, 0], boxes[:, 3]], 1)
        return boxes + [fx, fy, fx, fy]

    return clip(objects[:, 0], moved(objects[:, 1:]), moved(ignored), window)


def clip(labels, boxes, ignored, window):
    """What is left of boxes inside a window; objects that are hardly visible become ignored areas."""
    low, high = np.array([*window[:2]] * 2), np.array([*window[2:]] * 2)

    def area(b):
        return (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])

    seen, ignored = np.clip(boxes, low, high), np.clip(ignored, low, high)
    sides = seen[:, 2:] - seen[:, :2]
    touching = (sides > 0).all(1)
    good = touching & (sides >= SMALLEST).all(1) & (area(seen) >= VISIBLE * np.maximum(area(boxes), 1e-6))
    objects = np.concatenate([labels[good, None], seen[good]], 1)
    ignored = np.concatenate([ignored[area(ignored) > 0], seen[touching & ~good]])
    return objects.astype(np.float32), ignored.astype(np.float32)


def recolour(picture, random):
    """Brightness, contrast, gamma, white balance, saturation and a small turn of hue; sometimes grey."""
    grey = random.random() < 0.08
    saturation = 0.0 if grey else random.uniform(0.6, 1.35)
    matrix = np.outer(np.ones(3), LUMA) * (1 - saturation) + np.eye(3) * saturation
    if not grey and random.random() < 0.5:
        matrix = matrix @ turned(np.radians(random.uniform(-5, 5)))
        matrix = matrix * random.uniform(0.92, 1.08, (3, 1))
    picture = picture.convert("RGB", [v for row in matrix for v in (*row, 0.0)])
    gain, contrast = random.uniform(0.75, 1.25), random.uniform(0.75, 1.25)
    gamma = np.exp(random.uniform(-0.35, 0.35))
    levels = (np.arange(256) / 255) ** gamma * gain
    levels = np.clip((levels - 0.45) * contrast + 0.45, 0, 1)
    return picture.point(list(np.rint(levels * 255).astype(int)) * 3)


def turned(angle):
    """Matrix that turns colours around the grey axis."""
    c, s = np.cos(angle), np.sin(angle) / np.sqrt(3)
    k = (1 - c) / 3
    return np.array([[c + k, k - s, k + s], [k + s, c + k, k - s], [k - s, k + s, c + k]])


def degrade(picture, random):
    """Blur, sensor noise and small holes, each now and then; picture -> uint8 [h, w, 3]."""
    if random.random() < 0.12:
        picture = picture.filter(ImageFilter.BoxBlur(random.uniform(0.3, 1.2)))
    pixels = np.array(picture)
    if random.random() < 0.2:
        start = int(random.integers(0, NOISE.size - pixels.size))
        noise = NOISE[start : start + pixels.size].reshape(pixels.shape) * np.float32(random.uniform(2, 10))
        if random.random() < 0.4:
            noise = noise[..., :1]  # the same in all channels
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.1:
        for _ in range(int(random.integers(1, 4))):
            h, w = (int(side * random.uniform(0.03, 0.1)) for side in pixels.shape[:2])
            y, x = (int(random.integers(0, side - cut)) for side, cut in zip(pixels.shape[:2], (h, w)))
            pixels[y : y + h, x : x + w] = random.integers(0, 256, 3)
    return pixels
