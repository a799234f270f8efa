SUMMARY = "As vigia-image, with a shell: for a bench, never for a site"
DESCRIPTION = "root over ssh with the key of VIGIA_DEV_SSH_KEY, GPIO and V4L2 tools; no password here either. There is no bundle of it: \
no box of a site takes it as an update."

require vigia-image.inc

# nooelint: oelint.var.badimagefeature.allow-root-login
IMAGE_FEATURES += "ssh-server-openssh allow-root-login"
IMAGE_INSTALL += "libgpiod-tools v4l-utils mosquitto-clients systemd-analyze strace"
IMAGE_INSTALL:append:vigia-jetson = " tensorrt-trtexec-prebuilt"
VIGIA_SHELL = "--shell"

# A public key, e.g. ~/.ssh/id_ed25519.pub.
VIGIA_DEV_SSH_KEY ?= ""
vigia_dev_key() {
    [ -s "${VIGIA_DEV_SSH_KEY}" ] || bbfatal "VIGIA_DEV_SSH_KEY names no public key: nobody could log in to this image"
    install -D -m 0600 "${VIGIA_DEV_SSH_KEY}" ${IMAGE_ROOTFS}${ROOT_HOME}/.ssh/authorized_keys
    chmod 0700 ${IMAGE_ROOTFS}${ROOT_HOME}/.ssh
}
ROOTFS_POSTPROCESS_COMMAND:append = " vigia_dev_key"
