FILESEXTRAPATHS:prepend := "${THISDIR}/files:"

# What mounts a verity bundle, and a watchdog that is not left off.
SRC_URI += "file://vigia.cfg"
