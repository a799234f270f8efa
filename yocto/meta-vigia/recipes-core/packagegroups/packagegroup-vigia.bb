SUMMARY = "A box: both programs and what they need on this machine"
DESCRIPTION = "Everything of vigia that an image installs; on a Jetson with decoders and TensorRT."

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = "ca-certificates packagegroup-vigia-gstreamer tzdata-core vigia vigia-pump vigia-system"
RDEPENDS:${PN}:append:vigia-jetson = " packagegroup-vigia-jetson packagegroup-vigia-tensorrt packagegroup-vigia-tensorrt-builder"
