SUMMARY = "Cameras in, detections on MQTT, water and alarms out"
DESCRIPTION = "The program vigia: cameras, engines, consensus, MQTT. TensorRT and CUDA are loaded when it starts, if they are there."

require recipes-vigia/vigia/vigia-cargo.inc

# cmake builds the MQTT library that a crate brings with it.
DEPENDS += "cmake-native glib-2.0 gstreamer1.0 gstreamer1.0-plugins-base openssl"
export OPENSSL_NO_VENDOR = "1"

RDEPENDS:${PN} = "packagegroup-vigia-gstreamer vigia-system"
