//! Decoded YUV to letterboxed tensor.
