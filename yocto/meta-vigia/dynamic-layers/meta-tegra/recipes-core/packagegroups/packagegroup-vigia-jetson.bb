SUMMARY = "A Jetson's own: decoders, power model, fan, boot slots"

COMPATIBLE_MACHINE = "(tegra)"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = " \
    gstreamer1.0-plugins-nvvideo4linux2 \
    gstreamer1.0-plugins-nvvidconv \
    tegra-libraries-multimedia-utils \
    tegra-nvfancontrol \
    tegra-nvpmodel \
    tegra-redundant-boot \
"
