"""A toy data set (coloured shapes on noise) in the format of the real one, for `run.py --quick`."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Per class: shape and colour. Quickly learnt, and of no other use.
LOOKS = (("triangle", (255, 140, 20)), ("ellipse", (170, 170, 175)), ("bar", (40, 60, 160)), ("box", (150, 20, 30)))


def make(folder, count, seed):
    """Writes `count` images and labels.jsonl into `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    lines = []
    for i in range(count):
        small = random.integers(40, 130, (18, 32, 3)).astype(np.uint8)
        image = Image.fromarray(small).resize((640, 360), Image.Resampling.BICUBIC)
        draw, objects = ImageDraw.Draw(image), []
        for _ in range(int(random.integers(0, 4))):
            label = int(random.integers(0, 4))
            shape, colour = LOOKS[label]
            h = float(random.uniform(25, 140))
            w = h * {"bar": 0.4, "box": 1.8}.get(shape, 1.0)
            x, y = float(random.uniform(0, 640 - w)), float(random.uniform(0, 360 - h))
            box = [x, y, x + w, y + h]
            if any(x < b[2] and b[0] < x + w and y < b[3] and b[1] < y + h for b in (o["box"] for o in objects)):
                continue
            if shape == "triangle":
                draw.polygon([(x + w / 2, y), (x, y + h), (x + w, y + h)], fill=colour)
            elif shape == "ellipse":
                draw.ellipse(box, fill=colour)
            else:
                draw.rectangle(box, fill=colour)
            objects.append({"class": label, "box": [round(v, 2) for v in box]})
        file = f"{i:06}.jpg"
        image.filter(ImageFilter.GaussianBlur(1)).save(folder / file, quality=int(random.integers(60, 95)))
        row = {"file": file, "width": 640, "height": 360, "scene": i, "place": "toy"}
        lines.append(json.dumps({**row, "objects": objects, "ignore": []}))
    (folder / "labels.jsonl").write_text("\n".join(lines) + "\n")
