//! Owned types: what is made from something keeps it alive.

mod build;
mod config;
mod context;
mod engine;
mod library;
mod network;

pub use build::{Builder, Plan};
pub use config::{Config, Profile, Shapes};
pub use context::Context;
pub use engine::{Driver, Engine, Runtime, RuntimeOptions, TensorInfo};
pub use library::{Flavour, Library, Place, Version};
pub use network::Network;
