//! The floors against what the headers say and against the double.
mod slots;
