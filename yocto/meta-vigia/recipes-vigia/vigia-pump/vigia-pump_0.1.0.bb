SUMMARY = "Owner of the relays of pump and alarm"
DESCRIPTION = "The program vigia-pump: the pump's machine on lines of the kernel. No MQTT, no GStreamer, no C code."

require recipes-vigia/vigia/vigia-cargo.inc

RDEPENDS:${PN} = "vigia-system"
