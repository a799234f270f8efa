//! What root does for us, over MQTT: updates, the factory reset, support bundles. A thread asks for one and watches it; the
//! loop answers.
//!
//! One at a time, questions included. What is known stands retained on a topic of its own, and is told at the start:
//! that is how a box says after the restart which version came up, and what became of the other.

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};
use vigia_core::config::InstanceId;
use vigia_core::control::{Code, Refusal, UpdateAction};

use super::App;
use super::boot::interrupted;
use super::commands::InHand;
use super::parts::Parts;
use crate::clock;
use crate::mqtt::{Class, Qos};
use crate::support::request::{self, Made};
use crate::update::bundle::{self, Bundle};
use crate::update::report::Report;
use crate::update::request::{Request, Wish};
use crate::update::{Places, Release, UpdateError, reset, rest};

/// What the thread of one command tells.
#[derive(Debug)]
pub(super) enum Told {
    /// For the topic.
    Report(Value),
    /// A support bundle, to be brought.
    Packed(Made, Vec<u8>),
    /// The final word.
    Ended(Result<(), Refusal>),
}

/// What is asked for.
enum Job {
    Update(UpdateAction),
    Reset,
    Support,
}

/// What goes on.
pub(super) struct Updates {
    places: Places,
    tell: Sender<Told>,
    /// Unbounded: a thread tells percent by percent, and there is one.
    pub told: Receiver<Told>,
    /// The command that is not answered yet.
    pub hand: Option<InHand>,
    /// Of a support bundle, those that are not sent yet.
    pub parts: Option<Parts>,
    /// As last told, for who connects anew.
    last: BTreeMap<String, Value>,
}

impl Updates {
    pub fn new() -> Self {
        let (tell, told) = unbounded();
        let places = Places::from_environment();
        Self { places, tell, told, hand: None, parts: None, last: BTreeMap::new() }
    }

    /// Whether this box was made from an image.
    pub fn is_there() -> bool {
        Places::from_environment().release().exists()
    }
}

impl App {
    /// At the start, so that the topic says which version came up.
    pub(super) fn tell_version(&mut self) {
        if Updates::is_there() {
            self.start_job(Job::Update(UpdateAction::Status), false);
        }
    }

    /// The role was looked at.
    pub(super) fn update_command(&mut self, hand: InHand, action: &UpdateAction) {
        self.take_job(hand, Job::Update(action.clone()));
    }

    /// Of one box only, and never by a slip.
    pub(super) fn reset_command(&mut self, hand: InHand, confirm: &InstanceId) {
        let own = self.voices.load().identity.instance_id.clone();
        if confirm.as_str() != own {
            let text =
                format!("Invalid confirm: it must be {own}, the name of the box that would be emptied");
            return self.refuse(hand, Refusal::new(Code::InvalidParam, text));
        }
        self.take_job(hand, Job::Reset);
    }

    pub(super) fn support_command(&mut self, hand: InHand) {
        self.take_job(hand, Job::Support);
    }

    fn take_job(&mut self, mut hand: InHand, job: Job) {
        if let Some(busy) = &self.versions.hand {
            let name = &busy.ticket.echo.command;
            let text =
                format!("{name} is not finished; what an update does stands on the topic with /update");
            return self.refuse(hand, Refusal::new(Code::Busy, text));
        }
        if matches!(job, Job::Update(UpdateAction::Status | UpdateAction::Check { .. })) {
            // Nothing is to be kept of it.
            hand.class = Some(vigia_core::control::Class::Query);
        } else {
            self.note_begun(&hand);
        }
        self.versions.hand = Some(hand);
        self.start_job(job, true);
    }

    fn start_job(&self, job: Job, answers: bool) {
        let (places, tell) = (self.versions.places.clone(), self.versions.tell.clone());
        let failed = tell.clone();
        let work = move || {
            let outcome = match &job {
                Job::Update(action) => carry(action, &places, &tell),
                Job::Reset => empty(&places, &tell).map_err(|e| refusal(&e)),
                Job::Support => match request::ask(&places) {
                    Ok((made, bytes)) => {
                        // It is over when the last part is on its way.
                        let _ = tell.send(Told::Packed(made, bytes));
                        return;
                    }
                    Err(e) => Err(refusal(&e)),
                },
            };
            let asks = matches!(job, Job::Update(UpdateAction::Status | UpdateAction::Check { .. }));
            let report = || {
                if let Ok(report) = Report::read(&places) {
                    let _ = tell.send(Told::Report(json!(report)));
                }
            };
            // What restarts the box is answered first: RAUC takes its time, and the restart does not wait.
            if asks {
                report();
            }
            if answers {
                let _ = tell.send(Told::Ended(outcome));
            }
            if !asks {
                report();
            }
        };
        // It asks other programs, which take their time; the loop waits for none.
        if let Err(e) = std::thread::Builder::new().name("update".into()).spawn(work)
            && answers
        {
            let refusal = Refusal::new(Code::Failed, format!("a thread can't be started: {e}"));
            let _ = failed.send(Told::Ended(Err(refusal)));
        }
    }

    pub(super) fn update_told(&mut self, told: Told) {
        match told {
            Told::Report(Value::Object(fields)) => {
                self.versions.last.extend(fields);
                self.say_update();
            }
            Told::Report(_) => {}
            Told::Packed(made, bytes) => self.versions.parts = Some(Parts::new(made, bytes)),
            Told::Ended(outcome) => {
                if let Some(hand) = self.versions.hand.take() {
                    self.finish(hand, outcome);
                }
            }
        }
    }

    /// Retained.
    pub(super) fn say_update(&self) {
        if self.versions.last.is_empty() {
            return;
        }
        let voice = self.voices.load();
        let mut payload = json!({ "instance_id": voice.identity.instance_id, "timestamp": clock::utc() });
        if let Value::Object(all) = &mut payload {
            all.extend(self.versions.last.clone());
        }
        self.say(Class::Status, &voice.identity.update_topic, Qos::AtLeastOnce, true, &payload);
    }

    /// At the end of the process: whoever waits hears of it.
    pub(super) fn answer_update(&mut self) {
        if let Some(hand) = self.versions.hand.take() {
            self.refuse(hand, interrupted());
        }
    }
}

fn carry(action: &UpdateAction, places: &Places, tell: &Sender<Told>) -> Result<(), Refusal> {
    let parse = |text: &String| {
        Bundle::parse(text).map_err(|why| Refusal::new(Code::InvalidParam, format!("Invalid bundle: {why}")))
    };
    let wish = match action {
        UpdateAction::Status => return Report::read(places).map(drop).map_err(|e| refusal(&e)),
        UpdateAction::Check { bundle } => {
            return check(&parse(bundle)?, places, tell).map_err(|e| refusal(&e));
        }
        UpdateAction::Install { bundle } => Wish::Install { bundle: parse(bundle)? },
        UpdateAction::Rollback => Wish::Rollback,
    };
    follow(wish, places, tell).map_err(|e| refusal(&e))
}

fn check(bundle: &Bundle, places: &Places, tell: &Sender<Told>) -> Result<(), UpdateError> {
    let release = Release::read(places)?;
    let manifest = bundle::inspect(bundle, places)?;
    let checked = json!({
        "bundle": bundle.to_string(), "version": manifest.version.to_string(),
        "compatible": manifest.compatible, "description": manifest.description,
    });
    let _ = tell.send(Told::Report(json!({ "checked": checked })));
    bundle::judge(&manifest, &release)
}

/// Completed once the next start empties the box; the unit gives the answer time to leave.
fn empty(places: &Places, tell: &Sender<Told>) -> Result<(), UpdateError> {
    reset::demand(places)?;
    follow(Wish::Reset, places, tell)
}

fn follow(wish: Wish, places: &Places, tell: &Sender<Told>) -> Result<(), UpdateError> {
    // Whoever carries it out asks again; this saves the way there.
    rest::demand(places)?;
    let request = Request::new(wish);
    request.leave(places)?;
    let told = |state: &_| {
        let _ = tell.send(Told::Report(json!({ "update": state })));
    };
    request.follow(places, told).map(drop)
}

fn refusal(error: &UpdateError) -> Refusal {
    let code = match error {
        UpdateError::NotAtRest(_) => Code::NotAtRest,
        UpdateError::Refused(_) | UpdateError::File { .. } | UpdateError::Tool(_) => Code::Failed,
    };
    Refusal::new(code, error.to_string())
}
