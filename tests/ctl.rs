//! `vigia ctl` as a technician uses it: answers as text and as JSON, exit codes, and what the model that
//! ships says of itself.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::ffi::OsStr;
use std::time::Duration;

use broker::wait_for;
use control::{Site, picture};
use serde_json::{Value, json};
use shared::Run;

fn ctl(site: &Site, args: &[&str]) -> Run {
    let port = site.broker.port.to_string();
    let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"ctl", &"--mqtt-host", &"127.0.0.1", &"--mqtt-port", &port];
    all.extend(args.iter().map(|a| a as &dyn AsRef<OsStr>));
    Run::vigia(&all)
}

#[test]
fn it_waits_for_the_answer_and_its_exit_code_tells() {
    let Some(site) = Site::start() else { return };
    let _vigia = site.running("hall", &picture(1, 10), "");
    let found = ctl(&site, &["ping", "--json"]).json_lines();
    assert!(found.iter().any(|v| v["pong"] == true && v["instance_id"] == "hall"), "{found:#?}");
    assert!(found.iter().any(|v| v["ack_status"] == "completed"), "{found:#?}");
    let paused = ctl(&site, &["pause", "source_id=1", "--instance", "hall"]);
    assert!(paused.code == 0 && paused.stdout.contains("hall: completed"), "{paused:#?}");
    // The witness is another client than `ctl`.
    wait_for("the pause", Duration::from_secs(10), || site.status("hall")["paused_sources"] == json!([1]));
    let health = ctl(&site, &["health", "--instance", "hall", "--json"]).json_lines();
    assert!(health.iter().any(|v| v["checks"]["pipeline_running"] == true), "{health:#?}");
    for (args, code, phrase) in [
        (&["remove_stream", "source_id=1", "--instance", "hall"][..], 1, "remove_stream was not completed"),
        (&["ping", "--instance", "nobody", "--timeout", "1"], 1, "nobody"),
        (&["pause", "source=1"], 2, "source"),
        (&["nonsense"], 2, "nonsense"),
        (&["set_fps"], 2, "max_fps"),
        (&["set_fps", "5"], 2, "NAME=VALUE"),
    ] {
        let run = ctl(&site, args);
        assert_eq!(run.code, code, "{args:?}: {run:#?}");
        assert!(run.stderr.contains(phrase), "{args:?}: {run:#?}");
    }
}

/// The model for bring-up must not guard a house one day.
#[test]
fn the_shipped_model_says_what_it_is_for() {
    let Some(site) = Site::start() else { return };
    let vigia = site.running("new", &picture(1, 5), "");
    let status: Value = site.status("new");
    let notice = status["engine"]["notice"].as_str().unwrap_or_default();
    assert!(notice.contains("rendered scenes") && notice.contains("real fires"), "{status:#}");
    vigia.wait_log("model_notice");
}
