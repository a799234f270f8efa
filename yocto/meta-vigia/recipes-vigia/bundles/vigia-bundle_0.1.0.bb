SUMMARY = "Signed update of a box"
DESCRIPTION = "The root of vigia-image for the other slot; RAUC checks signature, board and version before it writes."
LICENSE = "Apache-2.0"

inherit bundle

RAUC_BUNDLE_COMPATIBLE = "${VIGIA_COMPATIBLE}"
RAUC_BUNDLE_VERSION = "${PV}"
RAUC_BUNDLE_DESCRIPTION = "vigia ${PV} for ${MACHINE}"
RAUC_BUNDLE_DESCRIPTION:vigia-jetson = "vigia ${PV} for ${MACHINE}, TensorRT ${VIGIA_TENSORRT}"
RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "vigia-image"
RAUC_SLOT_rootfs[fstype] = "ext4"

# A development key unless VIGIA_KEYS says otherwise; a release is signed where its key lives: rauc resign (docs/yocto.md).
RAUC_KEY_FILE = "${VIGIA_KEYS}/signing.key"
RAUC_CERT_FILE = "${VIGIA_KEYS}/signing.crt"
RAUC_KEYRING_FILE = "${VIGIA_KEYS}/keyring.pem"
