//! The detection event: what one processed frame says on the wire (spec nvr 1.4).
//!
//! [`EventView`] is written, without a copy of anything; [`DetectionEvent`] is read.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::detection::{BBox, Detection};

/// A UTC instant, written as RFC 3339 with milliseconds and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub jiff::Timestamp);

impl Utc {
    /// `ns`: nanoseconds since the Unix epoch, kept within what can be written as a date.
    #[must_use]
    pub fn from_unix_ns(ns: i128) -> Self {
        let min = jiff::Timestamp::MIN.as_nanosecond();
        let max = jiff::Timestamp::MAX.as_nanosecond();
        Self(jiff::Timestamp::from_nanosecond(ns.clamp(min, max)).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub fn as_unix_ns(self) -> i128 {
        self.0.as_nanosecond()
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map(Self).map_err(|_| D::Error::custom("timestamp: expected RFC 3339 with an offset"))
    }
}

/// A detection event about to be written. Borrows everything.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct EventView<'a> {
    pub instance_id: &'a str,
    /// Room or camera number.
    pub source_id: u32,
    /// Counts processed frames of this source from 1.
    pub frame_id: u64,
    /// When the frame was captured.
    pub timestamp: Utc,
    pub model_id: &'a str,
    pub inference_time_ms: f64,
    pub detections: Found<'a>,
    /// Processed frames per second of this source, over its last 64 frames.
    pub fps: Option<f32>,
    /// From capture to the making of this event.
    pub latency_ms: Option<f32>,
}

/// Detections with the names of their classes.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub detections: &'a [Detection],
    pub classes: &'a [String],
}

#[derive(Serialize)]
struct FoundOne<'a> {
    class_name: &'a str,
    confidence: f32,
    bbox: CentreBox,
    tracker_id: Option<u32>,
}

impl Serialize for Found<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.detections.iter().map(|d| FoundOne {
            class_name: class_name(self.classes, d.class_id),
            confidence: d.confidence,
            bbox: CentreBox::from(d.bbox),
            tracker_id: d.tracker_id,
        }))
    }
}

/// The name of a class; a model that counts further than its list names it `unknown`.
#[must_use]
pub fn class_name(classes: &[String], class_id: u16) -> &str {
    classes.get(usize::from(class_id)).map_or("unknown", String::as_str)
}

/// A box on the wire: centre and size, in pixels of the full frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CentreBox {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl From<BBox> for CentreBox {
    fn from(b: BBox) -> Self {
        let (x, y) = b.centre();
        Self { x, y, width: b.width(), height: b.height() }
    }
}

/// A detection event as a consumer reads it. Unknown fields are tolerated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectionEvent {
    pub instance_id: String,
    pub source_id: u32,
    pub frame_id: u64,
    pub timestamp: Utc,
    pub model_id: String,
    #[serde(default)]
    pub inference_time_ms: f64,
    pub detections: Vec<NamedDetection>,
    #[serde(default)]
    pub fps: Option<f32>,
    #[serde(default)]
    pub latency_ms: Option<f32>,
}

/// One detection as a consumer reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedDetection {
    pub class_name: String,
    #[serde(deserialize_with = "unit")]
    pub confidence: f32,
    pub bbox: CentreBox,
    #[serde(default)]
    pub tracker_id: Option<u32>,
}

fn unit<'de, D: Deserializer<'de>>(d: D) -> Result<f32, D::Error> {
    let v = f32::deserialize(d)?;
    if (0.0..=1.0).contains(&v) {
        Ok(v)
    } else {
        Err(D::Error::custom(alloc::format!("confidence must be between 0 and 1, got {v}")))
    }
}

/// Where the events of one source go: `{prefix}/{source_id}`.
#[must_use]
pub fn detection_topic(prefix: &str, source_id: u32) -> String {
    alloc::format!("{prefix}/{source_id}")
}

/// The source a detection topic speaks of: its last segment, if there are at least three.
#[must_use]
pub fn topic_source(topic: &str) -> Option<u32> {
    let (rest, last) = topic.rsplit_once('/')?;
    let canonical = |n: &u32| n.to_string() == last;
    if rest.contains('/') { last.parse().ok().filter(canonical) } else { None }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec, vec::Vec};

    use super::*;

    // Spec nvr, section 6, checks 6 to 9.
    #[test]
    fn topics_are_made_and_read() {
        for (prefix, id, topic) in [
            ("nvr/detections", 0, "nvr/detections/0"),
            ("nvr/detections", 42, "nvr/detections/42"),
            ("custom/events", 5, "custom/events/5"),
        ] {
            assert_eq!(detection_topic(prefix, id), topic);
            assert_eq!(topic_source(topic), Some(id));
        }
        for bad in
            ["invalid/topic", "nvr/detections/x", "nvr/detections/", "", "42", "/42", "nvr/detections/+4"]
        {
            assert_eq!(topic_source(bad), None, "{bad}");
        }
    }

    fn sample(confidence: f32) -> String {
        alloc::format!(
            r#"{{"instance_id":"p","source_id":2,"frame_id":188,"timestamp":"2025-10-25T10:30:00.123Z",
            "model_id":"m","inference_time_ms":45.0,"detections":[{{"class_name":"person","confidence":{confidence},
            "bbox":{{"x":100.0,"y":200.0,"width":50.0,"height":80.0}},"tracker_id":null,"type":"bbox"}}],"later":1}}"#
        )
    }

    #[test]
    fn confidence_stays_within_its_range() {
        for (confidence, fine) in [(0.0, true), (1.0, true), (1.5, false), (-0.1, false)] {
            let read = serde_json::from_str::<DetectionEvent>(&sample(confidence));
            assert_eq!(read.is_ok(), fine, "{confidence}: {read:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let classes: Vec<String> = vec!["person".into(), "car".into()];
        let bbox = BBox::from_centre(100.0, 200.0, 50.0, 80.0);
        let detections = [
            Detection { class_id: 1, confidence: 0.92, bbox, tracker_id: Some(42) },
            Detection { class_id: 9, confidence: 0.5, bbox, tracker_id: None },
        ];
        let view = EventView {
            instance_id: "processor-1",
            source_id: 8,
            frame_id: 3,
            timestamp: Utc::from_unix_ns(1_761_388_200_123_000_000),
            model_id: "m-640",
            inference_time_ms: 45.0,
            detections: Found { detections: &detections, classes: &classes },
            fps: Some(25.3),
            latency_ms: None,
        };
        let text = serde_json::to_string(&view).expect("serialises");
        assert!(text.contains(r#""timestamp":"2025-10-25T10:30:00.123Z""#), "{text}");
        assert!(text.contains(r#""bbox":{"x":100.0,"y":200.0,"width":50.0,"height":80.0}"#), "{text}");
        let read: DetectionEvent = serde_json::from_str(&text).expect("parses");
        assert_eq!(read.fps, Some(25.3));
        assert_eq!(read.detections[0].tracker_id, Some(42));
        assert_eq!(read.detections[1].class_name, "unknown");
        assert_eq!(serde_json::to_string(&read).expect("serialises"), text);
    }

    #[test]
    fn times_need_an_offset() {
        let local = sample(0.5).replace("123Z", "123");
        assert!(serde_json::from_str::<DetectionEvent>(&local).is_err());
    }
}
