SUMMARY = "Cameras in, detections on MQTT, water and alarms out"
DESCRIPTION = "The program vigia: cameras, engines, consensus, MQTT. TensorRT and CUDA are loaded when it starts, if they are there."

require recipes-vigia/vigia/vigia-cargo.inc

# cmake builds the MQTT library that a crate brings with it.
DEPENDS = "gstreamer1.0 gstreamer1.0-plugins-base glib-2.0 openssl cmake-native"
export OPENSSL_NO_VENDOR = "1"

RDEPENDS:${PN} = "vigia-system packagegroup-vigia-gstreamer"
