//! ByteTrack.
