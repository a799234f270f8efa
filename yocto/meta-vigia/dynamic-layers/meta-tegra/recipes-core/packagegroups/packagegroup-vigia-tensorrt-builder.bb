SUMMARY = "TensorRT as it builds plans: the ONNX parser and what it needs"
DESCRIPTION = "A box builds its own plans, since they hold for one TensorRT and one GPU. tensorrt-core brings the builder's \
resources for this GPU; about 2 GB with these."

COMPATIBLE_MACHINE = "(tegra)"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = "packagegroup-vigia-tensorrt tensorrt-plugins-prebuilt"
