#!/usr/bin/env python3
"""NVIDIA's partition layout with two slots, plus the partition `data` on the rest of the disk.

data-partition.py FROM.xml TO.xml [FROM.xml TO.xml ...]

Of the files, exactly one holds APP: that one gets `data`, at the end of the device; the others are copied. Whatever took the rest of the
disk before keeps the size it has. Ends with 1 and one sentence where a layout is not as expected: a box must not be
flashed with a layout that nobody has understood.
"""
import sys
import xml.etree.ElementTree as ET

FILL = 0x800
LINUX_DATA = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def fail(why):
    sys.exit(f"data-partition: {why}")


def text(partition, tag):
    return (partition.findtext(tag) or "").strip()


def add_data(device, path):
    names = [p.get("name") for p in device.findall("partition")]
    for wanted in ("APP", "APP_b", "secondary_gpt"):
        if names.count(wanted) != 1:
            fail(f"{path}: {names.count(wanted)} partitions {wanted}, one is expected: is USE_REDUNDANT_FLASH_LAYOUT set?")
    if "data" in names:
        fail(f"{path}: there is a partition data already")
    for partition in device.findall("partition"):
        attribute = int(text(partition, "allocation_attribute") or "0", 0)
        if not attribute & FILL:
            continue
        if not text(partition, "size"):
            device.remove(partition)
            continue
        partition.find("allocation_attribute").text = f" {attribute & ~FILL:#x} "
    data = ET.Element("partition", name="data", type="data")
    ids = [int(p.get("id")) for p in device.findall("partition") if p.get("id")]
    # Numbers without an id are given in order; with ids around, an own one is safe.
    if len(ids) > 1:
        data.set("id", str(max(ids) + 1))
    fields = {
        "allocation_policy": "sequential",
        "filesystem_type": "basic",
        "size": "1073741824",
        "file_system_attribute": "0",
        "allocation_attribute": "0x808",
        "percent_reserved": "0",
        "align_boundary": "16384",
        "partition_type_guid": LINUX_DATA,
        "description": "What a box remembers: settings, journals, plans. Made by the box itself.",
    }
    for tag, value in fields.items():
        ET.SubElement(data, tag).text = f" {value} "
    children = list(device)
    device.insert(next(i for i, p in enumerate(children) if p.get("name") == "secondary_gpt"), data)


def main(paths):
    if not paths or len(paths) % 2:
        fail("pairs of FROM TO are expected")
    done = 0
    for source, target in zip(paths[::2], paths[1::2]):
        try:
            tree = ET.parse(source)
        except (OSError, ET.ParseError) as why:
            fail(f"{source}: {why}")
        holders = [d for d in tree.getroot().iter("device") if any(p.get("name") == "APP" for p in d.findall("partition"))]
        for device in holders:
            add_data(device, source)
            done += 1
        ET.indent(tree, space="    ")
        tree.write(target, encoding="utf-8", xml_declaration=True)
    if done != 1:
        fail(f"{done} of the layouts hold APP, one is expected")


if __name__ == "__main__":
    main(sys.argv[1:])
