SUMMARY = "Firmware of a box: read-only, two slots, no shell"
DESCRIPTION = "What is flashed on a box, and what its updates carry from then on."

require vigia-image.inc
