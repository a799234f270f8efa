SUMMARY = "A Jetson's own: decoders, power model, fan, boot slots"
DESCRIPTION = "What a Jetson needs besides vigia itself; other machines have no use for it."

COMPATIBLE_MACHINE = "(tegra)"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = " \
    gstreamer1.0-plugins-nvvidconv \
    gstreamer1.0-plugins-nvvideo4linux2 \
    tegra-libraries-multimedia-utils \
    tegra-nvfancontrol \
    tegra-nvpmodel \
    tegra-redundant-boot \
"
