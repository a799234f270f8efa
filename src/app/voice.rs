//! Who speaks for the instance on MQTT. A rename changes both the name and the connection.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::mqtt::Outbox;
use crate::wire::Identity;

/// A name with its way to the broker.
#[derive(Debug)]
pub struct Voice {
    pub identity: Identity,
    pub outbox: Outbox,
}

/// The present voice, for whoever speaks without being the app.
pub type Voices = Arc<ArcSwap<Voice>>;
