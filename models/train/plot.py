"""The curves of a run as one picture."""

import json

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

from common import CLASSES  # noqa: E402
from evaluate import curves  # noqa: E402


def write_curves(log, judged, path):
    """Loss and precision over steps from metrics.jsonl; precision over recall of the final model."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    figure, (loss, progress, final) = pyplot.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
    losses = [r for r in rows if "loss" in r]
    for part in ("class", "box"):
        loss.plot([r["step"] for r in losses], [r["loss"][part] for r in losses], label=part)
    checks = [r for r in rows if "validation" in r]
    for name in (*CLASSES, "mAP50"):
        known = [(r["step"], r["validation"][name]) for r in checks if r["validation"].get(name) is not None]
        progress.plot([s for s, _ in known], [v for _, v in known], marker="o", label=name)
    for name, (_, hits, _, total) in zip(CLASSES, judged):
        if total:
            precision, recall = curves(hits, total)
            final.plot(recall, precision, label=name)
    for axes, title, x in ((loss, "loss", "step"), (progress, "AP50 while training", "step"),
                           (final, "precision over recall", "recall")):  # fmt: skip
        axes.set(title=title, xlabel=x)
        axes.grid(alpha=0.3)
        axes.legend()
    progress.set_ylim(0, 1.02)
    final.set_ylim(0, 1.02)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
