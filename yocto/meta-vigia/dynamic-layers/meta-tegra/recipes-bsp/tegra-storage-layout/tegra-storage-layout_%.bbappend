FILESEXTRAPATHS:prepend := "${THISDIR}/files:"

SRC_URI:append:vigia-jetson = " file://data-partition.py"

# NVIDIA's layouts go through our script before the recipe fills them in. For modules without storage of their own, only the boot
# devices of the internal layout are used, and the external one holds the slots.
VIGIA_LAYOUTS = "${STAGING_DATADIR}/l4t-storage-layout"
VIGIA_INTERNAL = "${VIGIA_LAYOUTS}/${PARTITION_LAYOUT_TEMPLATE}"
VIGIA_EXTERNAL = "${VIGIA_LAYOUTS}/${PARTITION_LAYOUT_EXTERNAL}"
VIGIA_HOLDS_SLOTS = "${@'external' if d.getVar('TEGRAFLASH_NO_INTERNAL_STORAGE') == '1' or (d.getVar('TNSPEC_BOOTDEV') or '').startswith('nvme') else 'internal'}"

PARTITION_FILE:vigia-jetson = "${@d.getVar('VIGIA_INTERNAL') if d.getVar('VIGIA_HOLDS_SLOTS') == 'external' else '${B}/vigia-layout.xml'}"
PARTITION_FILE_EXTERNAL:vigia-jetson = "${@'${B}/vigia-layout.xml' if d.getVar('VIGIA_HOLDS_SLOTS') == 'external' else d.getVar('VIGIA_EXTERNAL')}"

do_compile:prepend:vigia-jetson() {
    python3 ${UNPACKDIR}/data-partition.py \
        ${@d.getVar('VIGIA_EXTERNAL') if d.getVar('VIGIA_HOLDS_SLOTS') == 'external' else d.getVar('VIGIA_INTERNAL')} ${B}/vigia-layout.xml
}
