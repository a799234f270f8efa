#!/usr/bin/env python3
"""Makes relay lines outputs at low in MB1's tables, the first code of a Jetson that sets pads.

relay-pins.py BOARD.yaml PINMUX.dtsi GPIO.dtsi

Reads lines and pads of `lines.outputs` and the heartbeat from a board's file of vigia, and changes NVIDIA's tables for the carrier in
place: the pad drives (tristate off), is pulled down, and its GPIO starts as an output at low. All relays of vigia rest at low. Ends
with 1 and one sentence if a pad or a table is not as expected: nothing is guessed about what switches an engine.
"""
import re
import sys

PAD = {
    "nvidia,pull": "TEGRA_PIN_PULL_DOWN",
    "nvidia,tristate": "TEGRA_PIN_DISABLE",
    "nvidia,enable-input": "TEGRA_PIN_ENABLE",
}
LINE = re.compile(r"^\s*(\w+): \{chip: (\S+), line: P([A-Z]+)\.(\d+),(.*)\}")
LISTS = ("gpio-input", "gpio-output-low", "gpio-output-high")


def fail(why):
    sys.exit(f"relay-pins: {why}")


def outputs(board):
    """(name, port, pin, pad) of every line that drives something."""
    found = []
    for line in board.splitlines():
        match = LINE.match(line)
        group = match and re.search(r"pad: \{group: (\w+), tristate: 0\}", match[5])
        if not group:
            continue
        name, chip, port, pin = match[1], match[2], match[3], int(match[4])
        if chip != "tegra234-gpio":
            fail(f"{name} is on {chip}; only tegra234-gpio is known here")
        if name != "heartbeat" and "active: high" not in match[5]:
            fail(f"{name} is not active: high, so low would switch it on")
        found.append((name, port, pin, group[1]))
    if not found:
        fail("the board's file names no line with a pad")
    return found


def set_pad(pinmux, name, pad):
    nodes = list(re.finditer(r"\b%s\s*\{[^{}]*\}\s*;" % pad, pinmux))
    if len(nodes) != 1:
        fail(f"{name}: the pinmux table has {len(nodes)} nodes {pad}, one is expected")
    node = nodes[0][0]
    for key, value in PAD.items():
        node, changed = re.subn(r"(%s\s*=\s*<)[^>]*(>\s*;)" % key, r"\g<1>%s\g<2>" % value, node)
        if changed != 1:
            fail(f"{name}: {pad} has {changed} entries {key}, one is expected")
    return pinmux[: nodes[0].start()] + node + pinmux[nodes[0].end() :]


def main_block(gpio):
    """Where the main chip's table begins and ends."""
    starts = [m.end() for m in re.finditer(r"\bgpio@2200000\s*\{", gpio)]
    if len(starts) != 1:
        fail(f"the table of GPIOs has {len(starts)} nodes gpio@2200000, one is expected")
    depth, at = 1, starts[0]
    while depth and at < len(gpio):
        depth += {"{": 1, "}": -1}.get(gpio[at], 0)
        at += 1
    return starts[0], at


def hold_low(gpio, lines):
    start, end = main_block(gpio)
    block = gpio[start:end]
    for _, port, pin, _ in lines:
        block = re.sub(r"[ \t]*TEGRA234_MAIN_GPIO\(\s*%s\s*,\s*%d\s*\)[ \t]*\n?" % (port, pin), "", block)
    low = "".join(f"\n\t\t\t\tTEGRA234_MAIN_GPIO({port}, {pin})" for _, port, pin, _ in lines)
    lists = {key: re.findall(r"\b%s\s*=\s*<" % key, block) for key in LISTS}
    if len(lists["gpio-output-low"]) == 1:
        block = re.sub(r"(\bgpio-output-low\s*=\s*<)", r"\g<1>" + low, block)
    elif not lists["gpio-output-low"] and len(lists["gpio-input"]) == 1:
        block = re.sub(r"(\bgpio-input\s*=\s*<)", f"gpio-output-low = <{low}\n\t\t\t\t>;\n\t\t\t" + r"\g<1>", block)
    else:
        fail("the main chip's table has not one list gpio-output-low, nor one gpio-input to put it beside")
    return gpio[:start] + block + gpio[end:]


def main(board_path, pinmux_path, gpio_path):
    with open(board_path) as f:
        lines = outputs(f.read())
    with open(pinmux_path) as f:
        pinmux = f.read()
    with open(gpio_path) as f:
        gpio = f.read()
    for name, _, _, pad in lines:
        pinmux = set_pad(pinmux, name, pad)
    gpio = hold_low(gpio, lines)
    with open(pinmux_path, "w") as f:
        f.write(pinmux)
    with open(gpio_path, "w") as f:
        f.write(gpio)
    print(f"relay-pins: {len(lines)} lines rest at low from MB1 on: {', '.join(name for name, *_ in lines)}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        fail("BOARD.yaml PINMUX.dtsi GPIO.dtsi are expected")
    main(*sys.argv[1:])
