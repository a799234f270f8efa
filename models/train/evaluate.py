"""Detections from raw outputs as vigia makes them, average precision, and operating points."""

import numpy as np
import torch

from common import CLASSES, FIRE, HEIGHT, SMOKE, WIDTH
from net import anchors, corners, flatten

FLOOR = 0.01  # least confidence that average precision looks at
CANDIDATES = 300  # best cells of an image that suppression looks at
NMS_IOU = 0.45
MATCH_IOU = 0.5
# Share of images without the class in which a detection of it may appear, at the operating point.
FALSE_ALARMS = {FIRE: 0.001, SMOKE: 0.0015}
# Above the loudest that may not be heard. Of fire, 24 camera-hours of false friends asked for more than 0.015.
MARGIN = {FIRE: 0.035, SMOKE: 0.015}
LEAST, LEAST_RECALL = 0.15, 0.25  # a raw threshold is never lower, nor costs more recall


def overlaps(a, b):
    """IoU [P, Q] of boxes [P, 4] and [Q, 4], and the share of each a inside each b [P, Q]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = (b_[:, 2:] - b_[:, :2] for b_ in (a, b))
    area_a, area_b = area_a.prod(-1)[:, None], area_b.prod(-1)[None]
    return inter / np.maximum(area_a + area_b - inter, 1e-9), inter / np.maximum(area_a, 1e-9)


def detect(boxes, scores, floor=FLOOR, limit=CANDIDATES):
    """One image's cells -> detections [D, 6] (class, confidence, x1, y1, x2, y2), best first.

    boxes [A, 4] as corners, scores [A, C]. A cell speaks for its best class only, and suppression
    is class-aware, as in vigia (crates/core/src/detection).
    """
    label, best = scores.argmax(1), scores.max(1)
    keep = np.flatnonzero(best >= floor)
    keep = keep[np.argsort(-best[keep], kind="stable")][:limit]
    label, best, boxes = label[keep], best[keep], boxes[keep]
    hides = (overlaps(boxes, boxes)[0] > NMS_IOU) & (label[:, None] == label[None])
    alive = np.ones(len(keep), bool)
    for i in range(len(keep)):
        if alive[i]:
            alive[i + 1 :] &= ~hides[i, i + 1 :]
    return np.concatenate([label[alive, None], best[alive, None], boxes[alive]], 1).astype(np.float32)


@torch.no_grad()
def net_cells(net, pixels, device):
    """The network on uint8 frames [N, H, W, 3] -> boxes [N, A, 4] (corners) and scores [N, A, C]."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2)
    logits, logs = flatten(net(images.float().div(255)))
    points, strides = anchors(WIDTH, HEIGHT, device)
    return corners(logs, points, strides).cpu().numpy(), logits.sigmoid().cpu().numpy()


def session_cells(session, pixels):
    """The same by an onnxruntime session of an exported model."""
    images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / 255
    rows = session.run(None, {session.get_inputs()[0].name: images})[0]
    centre, half = rows[:, :2].transpose(0, 2, 1), rows[:, 2:4].transpose(0, 2, 1) / 2
    return np.concatenate([centre - half, centre + half], 2), rows[:, 4:].transpose(0, 2, 1)


def detect_all(cells, pixels, indices, batch=16):
    """Detections of frames `indices`; cells(uint8 frames) -> (boxes, scores)."""
    found = []
    for i in range(0, len(indices), batch):
        boxes, scores = cells(pixels[indices[i : i + batch]])
        found.extend(detect(b, s) for b, s in zip(boxes, scores))
    return found


def judge(found, frames):
    """Per class: confidences [D], hits [D] (bool) and images [D] of detections that count, objects.

    Detections go to objects greedily by confidence. One that hits nothing and lies mostly in an
    ignored area doesn't count.
    """
    result = []
    for label in range(len(CLASSES)):
        confidences, hits, images, total = [], [], [], 0
        for number, (detections, frame) in enumerate(zip(found, frames)):
            objects, ignored = frame.in_input()
            truth = objects[objects[:, 0] == label, 1:]
            total += len(truth)
            mine = detections[detections[:, 0] == label]
            iou = overlaps(mine[:, 2:], truth)[0]
            hidden = (overlaps(mine[:, 2:], ignored)[1] >= 0.5).any(1)
            for i in range(len(mine)):
                best = iou[i].argmax() if len(truth) else -1
                hit = best >= 0 and iou[i, best] >= MATCH_IOU
                if hit:
                    iou[:, best] = -1
                if hit or not hidden[i]:
                    confidences.append(mine[i, 1])
                    hits.append(hit)
                    images.append(number)
        confidences = np.array(confidences, np.float32)
        order = np.argsort(-confidences, kind="stable")
        hits, images = np.array(hits, bool)[order], np.array(images, np.int64)[order]
        result.append((confidences[order], hits, images, total))
    return result


def curves(hits, total):
    """Precision and recall after each detection, best first."""
    right = np.cumsum(hits)
    return right / np.maximum(np.arange(1, len(hits) + 1), 1), right / max(total, 1)


def average_precision(hits, total):
    """Area under precision over recall, all points; None without objects."""
    if total == 0:
        return None
    precision, recall = curves(hits, total)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def summary(judged):
    """AP at IoU 0.5 per class name, and their mean as "mAP50"."""
    result = {name: average_precision(j[1], j[3]) for name, j in zip(CLASSES, judged)}
    known = [v for v in result.values() if v is not None]
    result["mAP50"] = float(np.mean(known)) if known else None
    return result


def operating_points(judged, frames):
    """Per class, the raw threshold that becomes confidence 0.5, and what it costs.

    Fire and smoke: as few alarms on images without them as FALSE_ALARMS allows; others: best F1.
    """
    points = {}
    for label, (name, (confidence, hits, images, total)) in enumerate(zip(CLASSES, judged)):
        precision, recall = curves(hits, total)
        without = np.array([not (f.objects[:, 0] == label).any() for f in frames])
        loudest = np.zeros(len(frames), np.float32)
        np.maximum.at(loudest, images, confidence)
        quiet = np.sort(loudest[without])[::-1]
        if label in FALSE_ALARMS:
            allowed = int(FALSE_ALARMS[label] * len(quiet))
            wanted = float(quiet[allowed]) + MARGIN[label] if len(quiet) else LEAST
            enough = confidence[recall >= LEAST_RECALL]
            most = float(enough[0]) if len(enough) else LEAST
            limit = "false alarms" if wanted <= most else "recall"
            threshold = min(wanted, most)
        else:
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
            threshold = float(confidence[f1.argmax()]) if total and len(f1) else 0.5
            limit = "best F1"
        if threshold < LEAST:
            threshold, limit = LEAST, "floor"
        threshold = min(threshold, 0.95)
        above = int((confidence >= threshold).sum())
        points[name] = {
            "threshold": round(threshold, 5),
            "limited_by": limit,
            "precision": round(float(precision[above - 1]), 4) if above else None,
            "recall": round(float(recall[above - 1]), 4) if above else 0.0,
            "images_without": int(without.sum()),
            "false_alarm_images": int((quiet >= threshold).sum()),
            "objects": total,
        }
    return points
