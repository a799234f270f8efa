//! What GStreamer's CUDA library looks for and vigia's use of it never calls: contexts of its own, OpenGL, peers.

use super::exports;
use crate::code;

macro_rules! refusals {
    ($($name:ident)*) => {exports! {$(
        fn $name() |_| {
            Err(code::NOT_SUPPORTED)
        }
    )*}};
}

refusals! {
    cuCtxCreate_v2
    cuCtxDestroy_v2
    cuCtxEnablePeerAccess
    cuCtxDisablePeerAccess
    cuDeviceCanAccessPeer
    cuGLGetDevices_v2
    cuGraphicsGLRegisterBuffer
    cuGraphicsGLRegisterImage
    cuGraphicsMapResources
    cuGraphicsUnmapResources
    cuGraphicsResourceGetMappedPointer_v2
    cuGraphicsResourceSetMapFlags_v2
    cuGraphicsSubResourceGetMappedArray
}
