//! What the table says of each command.

use super::command::Command;
use super::params::{Param, Params};
use super::refusal::Refusal;
use crate::config::Role;

/// How a command is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing, served at once.
    Query,
    /// Pause, resume, stop: served at once, whatever else goes on.
    Gate,
    /// May take long; one at a time.
    Change,
}

impl Role {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Technician => "technician",
            Self::Admin => "admin",
        }
    }
}

/// What an instance may have beyond the basics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// An audit journal is kept.
    Journal,
    /// Fires are watched for.
    Fire,
    /// There is a pump program.
    Pump,
    /// It runs from an image with two slots.
    Update,
}

impl Capability {
    /// Where a command that needs it exists.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Journal => "Exists only where a journal is kept.",
            Self::Fire => "Exists only where fires are watched for (`fire` in the site file).",
            Self::Pump => "Exists only where there is a pump (`pump` in the site file).",
            Self::Update => "Exists only on a box that was made from an image.",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    /// For technicians: what happens, in one sentence.
    pub summary: &'static str,
    pub params: &'static [Param],
    pub class: Class,
    /// The least role.
    pub role: Role,
    /// Exists only while this is active.
    pub needs: Option<Capability>,
    pub in_batch: bool,
    /// Parameters that work, as JSON; empty for none.
    pub example: &'static str,
    pub(super) parse: fn(&Params<'_>) -> Result<Command, Refusal>,
}
