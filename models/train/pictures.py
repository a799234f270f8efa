"""Pictures for the model card: frames on which the model is right, and frames on which it isn't."""

import numpy as np
from PIL import Image, ImageDraw

from common import CLASSES, letterbox
from evaluate import overlaps

COLOURS = ((255, 70, 40), (200, 90, 255), (60, 220, 90), (70, 170, 255))
SURE = 0.5  # confidence that is reported
COLUMNS, ROWS, TILE = 3, 3, (480, 270)


def write_pictures(folder, frames, found, out):
    """`out`/hits.jpg and `out`/misses.jpg: frames of `folder` with the most objects met, or not."""
    scores = [outcome(detections, frame) for detections, frame in zip(found, frames)]
    hits = [(right - 3 * wrong, i) for i, (right, wrong) in enumerate(scores)]
    misses = [(wrong, i) for i, (_, wrong) in enumerate(scores)]
    for name, ranked in (("hits", hits), ("misses", misses)):
        sheet = Image.new("RGB", (COLUMNS * TILE[0], ROWS * TILE[1]))
        for place, i in enumerate(one_of_each_scene(ranked)):
            tile = drawn(folder / frames[i].file, frames[i], found[i])
            sheet.paste(tile, (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
        sheet.save(out / f"{name}.jpg", quality=82)


def one_of_each_scene(ranked, per_scene=6):
    """Indices of the best frames, none of two of one scene."""
    scenes, chosen = set(), []
    for _, i in sorted(ranked, reverse=True):
        if i // per_scene not in scenes:
            scenes.add(i // per_scene)
            chosen.append(i)
        if len(chosen) == COLUMNS * ROWS:
            break
    return chosen


def outcome(detections, frame):
    """How many objects are met, and how many are missed or seen where none is."""
    objects, ignored = frame.in_input()
    sure = detections[detections[:, 1] >= SURE]
    right = wrong = 0
    for label in range(len(CLASSES)):
        truth, mine = objects[objects[:, 0] == label, 1:], sure[sure[:, 0] == label, 2:]
        met = (overlaps(truth, mine)[0] >= 0.5).any(1) if len(mine) else np.zeros(len(truth), bool)
        alone = (overlaps(mine, truth)[0] < 0.5).all(1) if len(truth) else np.ones(len(mine), bool)
        alone &= ~(overlaps(mine, ignored)[1] >= 0.5).any(1)
        right += int(met.sum())
        wrong += int((~met).sum() + alone.sum())
    return right, wrong


def drawn(path, frame, detections):
    """The frame at the size of a tile: white what is there, coloured what the model says."""
    tile = Image.open(path).convert("RGB").resize(TILE)
    pen = ImageDraw.Draw(tile)
    scale = np.array([TILE[0] / frame.width, TILE[1] / frame.height] * 2)
    for box in frame.objects[:, 1:]:
        pen.rectangle([float(v) for v in box * scale], outline=(255, 255, 255))
    left, top, width, height = letterbox(frame.width, frame.height)
    for label, confidence, *box in detections[detections[:, 1] >= SURE]:
        box = (np.array(box) - [left, top, left, top]) * ([TILE[0] / width, TILE[1] / height] * 2)
        colour = COLOURS[int(label)]
        pen.rectangle([float(v) for v in box], outline=colour, width=2)
        pen.text((float(box[0]) + 3, float(box[1]) + 1), f"{CLASSES[int(label)]} {confidence:.2f}", fill=colour)
    return tile
