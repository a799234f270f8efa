# The recipe fetches nothing: our script and the board's file come from where they lie.
VIGIA_PINS := "${THISDIR}/files/relay-pins.py"
VIGIA_BOARD_FILE = "${VIGIA_PROJECT}/hardware/${VIGIA_BOARD}.yaml"
VIGIA_PINS_FILES = "${VIGIA_PINS}:True ${VIGIA_BOARD_FILE}:True"
do_install[file-checksums] += "${@d.getVar('VIGIA_PINS_FILES') if d.getVar('VIGIA_BOARD') else ''}"

# The pinmux table includes that of the GPIOs, by a name of NVIDIA's choice.
do_install:append:vigia-jetson() {
    if [ -n "${VIGIA_BOARD}" ]; then
        pinmux=${D}${datadir}/tegraflash/${TEGRA_FLASHVAR_PINMUX_CONFIG}
        gpio=$(sed -n 's/^#include "\(.*mb1-bct-gpio-.*\)"/\1/p' $pinmux)
        [ -n "$gpio" ] || bbfatal "$pinmux includes no table of GPIOs"
        python3 ${VIGIA_PINS} ${VIGIA_BOARD_FILE} $pinmux ${D}${datadir}/tegraflash/$(basename $gpio)
    fi
}
