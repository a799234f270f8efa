FILESEXTRAPATHS:prepend := "${THISDIR}/files:"

# What mounts a verity bundle, and a watchdog that is not left off.
SRC_URI:append:vigia-jetson = " file://vigia.cfg"
