SUMMARY = "Firmware of a box: read-only, two slots, no shell"

require vigia-image.inc
