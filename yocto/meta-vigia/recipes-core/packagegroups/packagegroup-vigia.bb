SUMMARY = "A box: both programs and what they need on this machine"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = "vigia vigia-pump vigia-system packagegroup-vigia-gstreamer ca-certificates tzdata-core"
RDEPENDS:${PN}:append:vigia-jetson = " packagegroup-vigia-jetson packagegroup-vigia-tensorrt packagegroup-vigia-tensorrt-builder"
