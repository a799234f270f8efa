"""Assignment of objects to cells, and the loss.

Assignment follows the idea of task alignment (TOOD, arXiv 2108.07755): a cell's worth for an
object is score^a * IoU^b, and the best few cells inside the object learn it. The class loss is
varifocal (arXiv 2008.13367), the box loss complete IoU (arXiv 1911.08287).
"""

import math

import torch
import torch.nn.functional as F

from net import anchors, corners, flatten

TOP_CELLS = 10  # cells that learn one object
SCORE_POWER, IOU_POWER = 0.5, 4.0
SMALLEST = 8.0  # objects are at least this wide and high when cells inside are looked for, pixels
NEGATIVE_WEIGHT, FOCUS = 0.75, 2.0
BOX_WEIGHT = 2.5
# A flame has no edge that two people agree on: a box that overlaps it by half is as sure a fire as
# one that overlaps it by nine tenths. So confidence follows the root of the overlap.
CERTAINTY = 0.5


def iou(a, b):
    """Plain IoU of boxes [..., 4] (broadcast)."""
    wh = (torch.min(a[..., 2:], b[..., 2:]) - torch.max(a[..., :2], b[..., :2])).clamp(min=0)
    inter = wh.prod(-1)
    area_a, area_b = (a[..., 2:] - a[..., :2]).prod(-1), (b[..., 2:] - b[..., :2]).prod(-1)
    return inter / (area_a + area_b - inter + 1e-7)


def complete_iou(a, b):
    """IoU less the distance of centres and the difference of aspects; boxes [K, 4] -> [K]."""
    plain = iou(a, b)
    hull = torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])
    gap = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).square().sum(-1)
    wa, ha = (a[:, 2:] - a[:, :2]).clamp(min=1e-3).unbind(-1)
    wb, hb = (b[:, 2:] - b[:, :2]).clamp(min=1e-3).unbind(-1)
    aspect = 4 / math.pi**2 * (torch.atan(wb / hb) - torch.atan(wa / ha)).square()
    with torch.no_grad():
        weight = aspect / (1 - plain + aspect + 1e-7)
    return plain - gap / (hull.square().sum(-1) + 1e-7) - weight * aspect


@torch.no_grad()
def assign(scores, boxes, points, objects):
    """Which cell learns which object.

    scores [N, A, C], boxes [N, A, 4], points [A, 2]; objects [G, 6] as (image, class, x1, y1, x2, y2).
    Returns owner [N, A] (index into objects, -1 for background) and quality [N, A] (0..1).
    """
    n, a, _ = scores.shape
    owner = torch.full((n, a), -1, dtype=torch.long, device=scores.device)
    quality = torch.zeros((n, a), device=scores.device)
    g = objects.shape[0]
    if g == 0:
        return owner, quality
    image, label, box = objects[:, 0].long(), objects[:, 1].long(), objects[:, 2:]
    centre, half = (box[:, :2] + box[:, 2:]) / 2, ((box[:, 2:] - box[:, :2]) / 2).clamp(min=SMALLEST / 2)
    inside = ((points[None] - centre[:, None]).abs() <= half[:, None]).all(-1)  # [G, A]
    overlap = iou(box[:, None], boxes[image]) * inside
    score = scores.transpose(1, 2)[image, label]  # [G, A]
    worth = (score.pow(SCORE_POWER) * overlap.pow(IOU_POWER) + 1e-9) * inside
    best, cells = worth.topk(min(TOP_CELLS, a), dim=1)
    chosen = torch.zeros_like(inside).scatter_(1, cells, best > 0)
    # A cell wanted by several objects of its image goes to the one that it overlaps most.
    claim = torch.where(chosen, overlap + 1e-6, torch.zeros_like(overlap))
    rows = image[:, None].expand(-1, a)
    most = torch.zeros((n, a), device=scores.device).scatter_reduce_(0, rows, claim, "amax")
    chosen &= claim >= most[image]
    object_index, cell = chosen.nonzero(as_tuple=True)
    owner[image[object_index], cell] = object_index
    # An object's best cell is taught its IoU, the others in proportion to their worth.
    chosen = owner[image] == torch.arange(g, device=scores.device)[:, None]
    worth, overlap = worth * chosen, overlap * chosen
    peak = worth.amax(1, keepdim=True).clamp(min=1e-9)
    taught = worth / peak * overlap.amax(1, keepdim=True)
    object_index, cell = chosen.nonzero(as_tuple=True)
    quality[image[object_index], cell] = taught[object_index, cell]
    return owner, quality


def detection_loss(levels, objects, ignored, width, height):
    """Loss of one batch, as (total, parts).

    levels: the network's output; objects [G, 6] (image, class, x1, y1, x2, y2) and ignored [K, 5]
    (image, x1, y1, x2, y2) in input pixels. Background cells inside ignored areas teach nothing.
    """
    logits, logs = flatten(levels)
    points, strides = anchors(width, height, logits.device)
    boxes = corners(logs, points, strides)
    scores = logits.sigmoid()
    owner, quality = assign(scores.detach(), boxes.detach(), points, objects)
    positive = owner >= 0

    target = torch.zeros_like(logits)
    image, cell = positive.nonzero(as_tuple=True)
    mine = objects[owner[image, cell]]
    target[image, cell, mine[:, 1].long()] = quality[image, cell] ** CERTAINTY
    weight = torch.where(target > 0, target, NEGATIVE_WEIGHT * scores.detach().pow(FOCUS))
    weight = weight * attention(positive, points, ignored)[..., None]
    total_quality = quality.sum().clamp(min=1.0)
    class_loss = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum()
    class_loss = class_loss / total_quality
    shape = 1 - complete_iou(boxes[image, cell], mine[:, 2:])
    box_loss = (shape * quality[image, cell]).sum() / total_quality
    total = class_loss + BOX_WEIGHT * box_loss
    return total, {"class": class_loss.detach(), "box": box_loss.detach()}


@torch.no_grad()
def attention(positive, points, ignored):
    """1 for cells that count, 0 for background cells in ignored areas; [N, A]."""
    counts = torch.ones(positive.shape, device=positive.device)
    if ignored.shape[0]:
        box = ignored[:, 1:]
        inside = ((points[None] >= box[:, None, :2]) & (points[None] <= box[:, None, 2:])).all(-1)
        area, cell = inside.nonzero(as_tuple=True)
        counts[ignored[area, 0].long(), cell] = 0.0
    return torch.where(positive, torch.ones_like(counts), counts)
