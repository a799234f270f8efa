"""What every part of the pipeline agrees on: classes, sizes, the letterbox, one error type."""

CLASSES = ("fire", "smoke", "person", "vehicle")
FIRE, SMOKE = 0, 1
WIDTH, HEIGHT = 640, 384  # network input, pixels
STRIDES = (8, 16, 32)  # input pixels per cell of each output level
PAD = 114  # grey level around a letterboxed frame
NAME = "lookout-n"
LICENCE = "Apache-2.0"


class InputError(Exception):
    """Bad input from the user: one sentence, exit code 2."""


def letterbox(width, height):
    """Where a `width` x `height` frame lies in the input: (left, top, width, height) in input pixels.

    Rounds as vigia does (crates/accel/src/preprocess/letterbox.rs, `Align::Centre`).
    """
    ratio = min(WIDTH / width, HEIGHT / height)
    w = max(1, min(WIDTH, round(width * ratio)))
    h = max(1, min(HEIGHT, round(height * ratio)))
    return (WIDTH - w) // 2, (HEIGHT - h) // 2, w, h
