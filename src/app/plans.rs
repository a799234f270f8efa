//! Plans that are built meanwhile: told on MQTT, cancelled by a command.

use serde::Serialize;
use serde_json::{Value, json};
use vigia_core::control::{Code, Refusal};

use super::App;
use super::commands::InHand;
use crate::clock;
use crate::mqtt::{Class, Qos};

/// What is new of a build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct News {
    pub model_id: String,
    /// Why it was begun: one sentence.
    pub because: String,
    #[serde(flatten)]
    pub state: State,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    Building {
        /// Of the phase.
        percent: u8,
        phase: String,
        /// Until the phase ends, if it goes on like this; nothing as long as that is a guess.
        left_s: Option<u64>,
    },
    Done,
    Cancelled,
    Failed {
        why: String,
    },
}

impl App {
    /// The operator tells of a build.
    pub(super) fn build_news(&mut self, news: News) {
        let voice = self.voices.load_full();
        let id = &voice.identity;
        let mut payload = json!(news);
        payload["instance_id"] = json!(id.instance_id);
        payload["timestamp"] = json!(clock::utc());
        self.say(Class::Status, &id.build_topic, Qos::AtLeastOnce, false, &payload);
        let was_building = self.build.take().is_some();
        match &news.state {
            State::Building { .. } => {
                self.stale |= !was_building;
                self.build = Some(news);
                return;
            }
            State::Cancelled => self.answer_cancelling(Ok(())),
            State::Done | State::Failed { .. } => {
                let late = Refusal::new(Code::Unavailable, "the build ended before it could be cancelled");
                self.answer_cancelling(Err(late));
            }
        }
        self.stale = true;
    }

    /// Answered when nothing is built any more.
    pub(super) fn cancel_build(&mut self, hand: InHand) {
        let Some(News { model_id, .. }) = &self.build else {
            return self.refuse(hand, Refusal::new(Code::Unavailable, "no plan is being built"));
        };
        self.desk.cancel_build(model_id.clone());
        self.cancelling.push(hand);
    }

    pub(super) fn answer_cancelling(&mut self, outcome: Result<(), Refusal>) {
        for hand in std::mem::take(&mut self.cancelling) {
            self.finish(hand, outcome.clone());
        }
    }

    /// In the status.
    pub(super) fn build_in_short(&self) -> Option<Value> {
        self.build.as_ref().map(|news| json!({ "model_id": news.model_id, "because": news.because }))
    }
}
