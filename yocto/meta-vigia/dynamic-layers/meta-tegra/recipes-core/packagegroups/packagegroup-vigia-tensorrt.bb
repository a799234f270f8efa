SUMMARY = "TensorRT as it runs plans: libnvinfer and CUDA"
DESCRIPTION = "NVIDIA's binaries under NVIDIA's terms, whatever the recipes' LICENSE says (docs/yocto.md)."

COMPATIBLE_MACHINE = "(tegra)"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = "cuda-cudart tegra-libraries-cuda tensorrt-core"
