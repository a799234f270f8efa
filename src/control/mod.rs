//! What the control plane needs beside the core's rules: a journal on the disk and the keys of
//! those who may command.

pub mod journal;
pub mod keys;
pub mod scribe;
