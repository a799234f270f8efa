//! The world vigia is tested in.
