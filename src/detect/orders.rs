//! What may change while the detector works: streams, thresholds, trackers, the model.
//!
//! An order is carried out between two batches, when nothing is in flight: each frame is
//! processed wholly before or wholly after it.

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use vigia_accel::preprocess::{PreprocessError, Preprocessor};
use vigia_core::config::{Stream, Tracker};

use super::DetectError;
use super::lane::Lane;
use super::network::Network;

/// A change.
#[derive(Debug)]
pub enum Order {
    Add(Box<Stream>),
    Remove(u32),
    /// Least confidence reported, 0..=1.
    Confidence(u32, f32),
    Follow(u32, Tracker),
    /// Another model for all streams. The one before is kept: it comes back by itself if the new
    /// one fails on every frame.
    Swap(Box<Network>),
    /// The new model has proven itself, or not: ends its probation.
    Settle,
    /// Nothing but what all orders do: what was in flight is finished.
    Pass,
}

/// What came of an order.
#[derive(Debug, Default)]
pub struct Carried {
    /// Rises with each change of the model; results carry it.
    pub generation: u64,
    /// The last processed frame of each stream that the order touched, before it.
    pub last_frames: Vec<(u32, u64)>,
    /// A model that is not needed any more, to be freed where it disturbs nobody.
    pub retired: Option<Box<Network>>,
}

type Answer = Result<Carried, PreprocessError>;

/// Where orders are given. Clones give to the same detector.
#[derive(Debug, Clone)]
pub struct Orders(Sender<(Order, Sender<Answer>)>);

/// Where the detector finds them.
pub(super) type Inbox = Receiver<(Order, Sender<Answer>)>;

/// The way to a detector. Unbounded, but the giver waits for each answer.
pub(super) fn way() -> (Orders, Inbox) {
    let (orders, inbox) = unbounded();
    (Orders(orders), inbox)
}

impl Orders {
    /// Waits until the order was carried out; nothing if the detector has ended.
    #[must_use]
    pub fn give(&self, order: Order) -> Option<Answer> {
        let (answer, answered) = bounded(1);
        self.0.send((order, answer)).ok()?;
        answered.recv().ok()
    }
}

impl super::Detector {
    /// Carries out an order; nothing may be in flight.
    pub(super) fn carry_out(&mut self, order: Order) -> Answer {
        let mut carried = Carried { generation: self.generation, ..Carried::default() };
        let touched = |order: &Order, id: u32| match order {
            Order::Add(_) | Order::Settle | Order::Pass => false,
            Order::Remove(one) | Order::Confidence(one, _) | Order::Follow(one, _) => *one == id,
            Order::Swap(_) => true,
        };
        let lanes = self.lanes.iter().filter(|(id, _)| touched(&order, **id));
        carried.last_frames = lanes.map(|(id, lane)| (*id, lane.frame_id)).collect();
        match order {
            Order::Add(stream) => {
                let lane = Lane::new(&stream, &self.network.manifest)?;
                self.lanes.insert(stream.source_id, lane);
            }
            Order::Remove(id) => drop(self.lanes.remove(&id)),
            Order::Confidence(id, confidence) => {
                self.lanes.entry(id).and_modify(|lane| lane.confidence = confidence);
            }
            Order::Follow(id, choice) => {
                self.lanes.entry(id).and_modify(|lane| lane.follow(choice));
            }
            Order::Swap(network) => {
                let old = self.swap(network)?;
                carried.retired = self.spare.replace(old);
                carried.generation = self.generation;
            }
            Order::Settle => carried.retired = self.spare.take().or_else(|| self.refused.take()),
            Order::Pass => {}
        }
        Ok(carried)
    }

    /// All or nothing: whatever can fail comes before the first change.
    fn swap(&mut self, network: Box<Network>) -> Result<Box<Network>, PreprocessError> {
        let pres = self.lanes.iter().map(|_| Preprocessor::new(network.manifest.tensor_spec()));
        let pres = pres.collect::<Result<Vec<_>, _>>()?;
        let old = std::mem::replace(&mut self.network, network);
        for (lane, pre) in self.lanes.values_mut().zip(pres) {
            lane.change_model(pre, &old.manifest, &self.network.manifest);
        }
        self.free = (0..self.network.slots()).rev().collect();
        self.care.start_anew();
        self.generation += 1;
        Ok(old)
    }

    /// Back to the model before, because the new one fails on every frame.
    pub(super) fn roll_back(&mut self, spare: Box<Network>) -> Result<(), DetectError> {
        self.abandon();
        let (from, to) = (&self.network.manifest.id, &spare.manifest.id);
        tracing::error!(
            component = "detect",
            event = "model_rolled_back",
            from,
            to,
            "the new model fails on every frame"
        );
        // Freeing an engine takes its time: whoever settles does it.
        self.refused = Some(self.swap(spare)?);
        Ok(())
    }
}
