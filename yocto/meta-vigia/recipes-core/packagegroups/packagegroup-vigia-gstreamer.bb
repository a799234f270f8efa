SUMMARY = "Elements of GStreamer that vigia's cameras are made of"
DESCRIPTION = "RTSP, files, V4L2 devices and test pictures, MJPEG in software; H.264 and H.265 are decoded by hardware."

inherit packagegroup

RDEPENDS:${PN} = " \
    glib-networking \
    gstreamer1.0-plugins-bad-jpegformat \
    gstreamer1.0-plugins-bad-videoparsersbad \
    gstreamer1.0-plugins-base-app \
    gstreamer1.0-plugins-base-typefindfunctions \
    gstreamer1.0-plugins-base-videoconvertscale \
    gstreamer1.0-plugins-base-videorate \
    gstreamer1.0-plugins-base-videotestsrc \
    gstreamer1.0-plugins-good-isomp4 \
    gstreamer1.0-plugins-good-jpeg \
    gstreamer1.0-plugins-good-matroska \
    gstreamer1.0-plugins-good-rtp \
    gstreamer1.0-plugins-good-rtpmanager \
    gstreamer1.0-plugins-good-rtsp \
    gstreamer1.0-plugins-good-udp \
    gstreamer1.0-plugins-good-video4linux2 \
"
