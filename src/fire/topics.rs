//! Where fires, alarms and the pump are spoken of on MQTT (spec wildfire 3.7 and 4.9).

use std::sync::Arc;

use vigia_core::config::Config;
use vigia_core::consensus::config::Origin;
use vigia_core::consensus::outside::Form;
use vigia_core::pump::Kind;

/// Topics of one box, the site's prefix included.
#[derive(Debug, Clone)]
pub struct Topics {
    prefix: Option<String>,
    /// Confirmed fires; also where others may ask for water, if the site lets them.
    pub trigger: Arc<str>,
    /// Orders to the pump by whoever the site lets.
    pub emergency: Arc<str>,
    /// Conditions that hold now, retained, one topic for each kind.
    alarm: Arc<str>,
    supervisory: Arc<str>,
    trouble: Arc<str>,
    pub consensus_health: Arc<str>,
    /// Everything that happens to the pump.
    pub telemetry: Arc<str>,
    /// Whether this box is there: last will.
    pub presence: Arc<str>,
    pub pump_health: Arc<str>,
    pub pump_status: Arc<str>,
}

impl Topics {
    /// `host`: the instance's name at its start.
    #[must_use]
    pub fn new(config: &Config, host: &str) -> Self {
        let topic = |name: &str| -> Arc<str> { config.topic(name).into() };
        Self {
            prefix: config.mqtt.topic_prefix.clone(),
            trigger: topic("fire/trigger"),
            emergency: topic("fire/emergency"),
            alarm: topic(&format!("system/alarm/{host}")),
            supervisory: topic(&format!("system/supervisory/{host}")),
            trouble: topic(&format!("system/trouble/{host}")),
            consensus_health: topic("system/fire_consensus/health"),
            telemetry: topic("system/trigger_telemetry"),
            presence: topic(&format!("system/trigger_telemetry/{host}/lwt")),
            pump_health: topic("system/gpio_trigger/health"),
            pump_status: topic("gpio/status"),
        }
    }

    #[must_use]
    pub fn of(&self, kind: Kind) -> &Arc<str> {
        match kind {
            Kind::Alarm => &self.alarm,
            Kind::Supervisory => &self.supervisory,
            Kind::Trouble => &self.trouble,
        }
    }

    /// What is subscribed to: nothing that nobody would listen to.
    #[must_use]
    pub fn filters(&self, config: &Config) -> Vec<String> {
        let mut filters = Vec::new();
        let outside = config.consensus(&config.streams).and_then(Result::ok).is_some_and(|consensus| {
            consensus.cameras.iter().any(|c| matches!(c.origin, Origin::Outside { .. }))
        });
        if outside {
            let names = ["fire/detection", "fire/detection/+", "frigate/events", "system/camera_telemetry"];
            filters.extend(names.map(|name| config.topic(name)));
        }
        if config.pump.as_ref().is_some_and(|pump| !pump.orders_from.is_empty()) {
            filters.extend([self.emergency.to_string(), self.trigger.to_string()]);
        }
        filters
    }

    /// What a message on this topic has to look like, if it is about cameras.
    #[must_use]
    pub fn form<'t>(&self, topic: &'t str) -> Option<Form<'t>> {
        let bare = match &self.prefix {
            Some(prefix) => topic.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => topic,
        };
        Form::of_topic(bare)
    }
}
