//! A site comes on a stick, goes with a reset, and is told of without its secrets.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/rauc.rs"]
mod rauc;
#[path = "support/shared.rs"]
mod shared;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use broker::certificates;
use rauc::{AT_REST, RUNNING, Rig};
use shared::Run;

const PEOPLE: &str = "anna technician\npanel viewer\n";
const SECRETS: &str = "front-door: { username: viewer, password: \"Geheim-7\" }\n";

/// A box that nobody has set up, and an empty stick.
fn new_box() -> Option<Rig> {
    let it = Rig::new()?;
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    for dir in [
        "etc/vigia/pki",
        "var/lib/vigia/models",
        "usr/share/vigia/broker/roles",
        "usr/share/vigia/hardware",
        "stick/models",
        "stick/network",
    ] {
        std::fs::create_dir_all(it.at(dir)).expect("ours");
    }
    let copy = |from: &str, to: &str| {
        for entry in project.join(from).read_dir().expect("it ships").flatten() {
            let name = entry.file_name();
            if entry.path().is_file() && !name.to_string_lossy().ends_with(".md") {
                std::fs::copy(entry.path(), it.at(to).join(&name)).expect("ours");
            }
        }
    };
    copy("models", "var/lib/vigia/models");
    copy("hardware", "usr/share/vigia/hardware");
    copy("appliance/system/usr/share/vigia/broker/roles", "usr/share/vigia/broker/roles");
    it.write("etc/vigia/site.yaml", "instance_id: before\n");
    it.write("etc/vigia/pki/ca.key", "of the box itself");
    Some(it)
}

fn site(it: &Rig, more: &str) -> String {
    let models = it.at("var/lib/vigia/models");
    let secrets = it.at("etc/vigia/secrets.yaml");
    format!(
        "instance_id: hut\nsecrets_file: {}\nstreams:\n  - {{ source_id: 3, uri: \"rtsp://10.0.0.9/a\", credentials: front-door }}\n\
         detector: {{ model: lookout-n, models_dir: {} }}\n{more}",
        secrets.display(),
        models.display()
    )
}

/// A whole site.
fn fill(it: &Rig) -> Option<()> {
    it.write("stick/site.yaml", &site(it, ""));
    it.write("stick/secrets.yaml", SECRETS);
    it.write("stick/name", "hut-12\n");
    it.write("stick/people", PEOPLE);
    it.write("stick/board", "simulated\n");
    it.write("stick/time.sources", "pool 10.0.0.1 iburst\n");
    it.write("stick/network/lan.network", "[Match]\nName=en*\n[Network]\nAddress=10.0.0.5/24\n");
    let made = it.at("made");
    std::fs::create_dir_all(&made).expect("ours");
    certificates(&made)?;
    for (from, to) in [("ca.pem", "ca.crt"), ("broker.pem", "broker.crt"), ("broker.key", "broker.key")] {
        std::fs::copy(made.join(from), it.at("stick").join(to)).expect("ours");
    }
    Some(())
}

/// What a site consists of, and nothing else.
fn kept(it: &Rig) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![it.at("etc/vigia"), it.at("var/lib/vigia/models")];
    while let Some(dir) = open.pop() {
        for path in dir.read_dir().expect("ours").flatten().map(|e| e.path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                all.insert(path.clone(), std::fs::read(&path).expect("ours"));
            }
        }
    }
    all
}

fn provision(it: &Rig) -> Run {
    it.vigia(&["provision", "--from", &it.at("stick").display().to_string()])
}

#[test]
fn a_stick_makes_a_site_and_the_same_stick_changes_nothing() {
    let Some(it) = new_box() else { return };
    let Some(()) = fill(&it) else { return };
    std::fs::copy(it.at("var/lib/vigia/models/lookout-n.onnx"), it.at("stick/models/own.onnx"))
        .expect("ours");
    let manifest = it.read("var/lib/vigia/models/lookout-n.yaml").replace("lookout-n.onnx", "own.onnx");
    it.write("stick/models/own.yaml", &manifest);
    it.write("stick/holiday.jpg", "x");
    let run = provision(&it);
    assert_eq!(run.code, 0, "{run:#?}");
    for line in [
        "site.yaml: taken",
        "board: taken",
        "models/own.onnx: taken",
        "holiday.jpg: left out",
        "broker.key: taken",
    ] {
        assert!(run.stdout.contains(line), "{line}: {run:#?}");
    }
    for (file, want) in [("site.yaml", site(&it, "")), ("people", PEOPLE.into()), ("name", "hut-12\n".into())]
    {
        assert_eq!(it.read(&format!("etc/vigia/{file}")), want, "{file}");
    }
    assert_eq!(it.read("etc/vigia/board.yaml"), it.read("usr/share/vigia/hardware/simulated.yaml"));
    assert!(!it.at("etc/vigia/pki/ca.key").exists(), "the box's own CA is none any more");
    let mode = |file: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(it.at(file)).expect("there").permissions().mode() & 0o777
    };
    assert_eq!((mode("etc/vigia/pki/broker.key"), mode("etc/vigia/secrets.yaml")), (0o600, 0o400));
    let restarts = it.read("restarts");
    assert!(
        restarts.contains("vigia-setup.service systemd-networkd.service vigia-broker.service"),
        "{restarts}"
    );
    let before = kept(&it);
    assert!(before.keys().all(|path| !path.to_string_lossy().contains(".provision")), "{before:?}");
    let again = provision(&it);
    assert!(again.code == 0 && again.stdout.contains("nothing to change"), "{again:#?}");
    assert_eq!((kept(&it), it.read("restarts")), (before, restarts));
    let alone = it.vigia(&["provision", "--from", &it.at("stick/site.yaml").display().to_string()]);
    assert!(alone.code == 0 && alone.stdout.contains("nothing to change"), "{alone:#?}");
}

/// One thing wrong, and all of the rest right: not a byte changes.
#[test]
fn a_stick_with_a_mistake_changes_nothing() {
    let Some(it) = new_box() else { return };
    let Some(()) = fill(&it) else { return };
    let before = kept(&it);
    let pump = "pump: { preset: wildfire_engine, policies: { on_crash: fail_stop } }\n";
    for (file, text, phrase) in [
        ("site.yaml", "instance_id: a b\n".to_owned(), "site.yaml:1"),
        ("site.yaml", site(&it, "no_such_key: 1\n"), "no_such_key"),
        ("site.yaml", site(&it, "").replace("lookout-n", "absent"), "absent"),
        ("site.yaml", site(&it, pump).replace("wildfire_engine", "wild"), "pump.preset"),
        ("secrets.yaml", "other: { username: a, password: b }\n".to_owned(), "front-door"),
        ("name", "the hut".to_owned(), "no name of a box"),
        ("people", "anna king\n".to_owned(), "people:1"),
        ("people", "vigia viewer\n".to_owned(), "people:1"),
        ("time.sources", "10.0.0.1\n".to_owned(), "time.sources:1"),
        ("network/lan.network", "[Match]\n".to_owned(), "[Network]"),
        ("board", "nobody\n".to_owned(), "no board «nobody»; there are:"),
        ("board.yaml", "lines: 1\n".to_owned(), "twice"),
        ("models/odd.onnx", "x".to_owned(), "no manifest beside it"),
        ("models/odd.yaml", "x: 1\n".to_owned(), "models/odd.yaml"),
        ("broker.key", it.read("made/other.key"), "broker.key is not the key of broker.crt"),
        ("broker.key", "x".to_owned(), "no private key"),
        ("ca.crt", it.read("made/other.pem"), "not made by ca.crt"),
    ] {
        let path = format!("stick/{file}");
        let good = it.at(&path).exists().then(|| it.read(&path));
        it.write(&path, &text);
        let run = provision(&it);
        assert!(run.code == 2 && run.stderr.contains(phrase), "{file} {phrase}: {run:#?}");
        assert!(!run.stderr.contains("Geheim-7"), "{run:#?}");
        assert_eq!(kept(&it), before, "{file} {phrase}");
        match good {
            Some(good) => it.write(&path, &good),
            None => std::fs::remove_file(it.at(&path)).expect("ours"),
        }
    }
    std::fs::rename(it.at("stick/broker.key"), it.at("broker.key")).expect("ours");
    let run = provision(&it);
    assert!(run.code == 2 && run.stderr.contains("belong together"), "{run:#?}");
    std::fs::rename(it.at("broker.key"), it.at("stick/broker.key")).expect("ours");
    it.write("systemctl.says", RUNNING);
    let run = provision(&it);
    assert!(
        run.code == 1 && run.sentence().contains("not now: the pump is not at rest: Running"),
        "{run:#?}"
    );
    it.write("systemctl.says", AT_REST);
    let run = it.vigia(&["provision", "--from", &it.at("data").display().to_string()]);
    assert!(run.code == 2 && run.sentence().contains("holds nothing of a site"), "{run:#?}");
    assert_eq!((kept(&it), it.read("restarts").as_str()), (before, ""));
    assert_eq!(provision(&it).code, 0, "without the mistakes it is taken");
}

#[test]
fn a_reset_is_asked_for_twice_and_waits_for_nothing_but_rest() {
    let Some(it) = new_box() else { return };
    let mark = it.at("data/factory-reset");
    it.write("systemctl.says", RUNNING);
    let run = it.vigia(&["factory-reset", "--yes"]);
    assert!(run.code == 1 && run.sentence().contains("not now"), "{run:#?}");
    it.write("systemctl.says", AT_REST);
    let run = it.vigia(&["factory-reset"]);
    assert!(run.code == 2 && run.sentence().contains("--yes") && !mark.exists(), "{run:#?}");
    let run = it.vigia(&["factory-reset", "--yes"]);
    assert!(run.code == 0 && mark.exists() && it.reboots() == 1, "{run:#?}");
}

/// Every secret of a site, wherever it turns up: in the configuration, in a journal that somebody else wrote.
#[test]
fn the_support_bundle_holds_no_secret() {
    let Some(it) = new_box() else { return };
    let Some(()) = fill(&it) else { return };
    let (mqtt, uri) = ("Broker-Wort-9", "Kamera-Wort-5");
    let more = format!(
        "mqtt: {{ username: vigia, password_file: {} }}\n",
        it.at("etc/vigia/mqtt-password").display()
    );
    let text = site(&it, &more).replace(
        "streams:\n",
        &format!("streams:\n  - {{ source_id: 4, uri: \"rtsp://me:{uri}@10.0.0.8/b\" }}\n"),
    );
    it.write("stick/site.yaml", &text);
    it.write("etc/vigia/mqtt-password", &format!("{mqtt}\n"));
    std::fs::set_permissions(
        it.at("etc/vigia/mqtt-password"),
        std::os::unix::fs::PermissionsExt::from_mode(0o400),
    )
    .expect("ours");
    let run = provision(&it);
    assert_eq!(run.code, 0, "{run:#?}");
    it.write("data/update/history", "2026-11-22T10:00:00Z A 0.2.0 passed\n");
    let key = it.read("etc/vigia/pki/broker.key");
    it.write("journal", &format!("said {mqtt} to rtsp://me:{uri}@10.0.0.8/b, Geheim-7\n{key}\nthe end\n"));
    let journal = it.at("journal").display().to_string();
    it.write("bin/journalctl", &format!("#!/bin/sh\ncat '{journal}'\n"));
    std::fs::set_permissions(it.at("bin/journalctl"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let bundle = it.at("support.tar.gz").display().to_string();
    let run = it.vigia(&["support-bundle", &bundle]);
    assert_eq!(run.code, 0, "{run:#?}");
    let out = it.at("out");
    std::fs::create_dir_all(&out).expect("ours");
    let untar =
        Command::new("tar").arg("-xzf").arg(&bundle).arg("-C").arg(&out).stderr(Stdio::null()).status();
    assert!(untar.expect("tar is there").success());
    let texts: BTreeMap<String, String> = shared::files(&out.join("support"))
        .into_iter()
        .map(|name| (name.clone(), it.read(&format!("out/support/{name}"))))
        .collect();
    let secret_lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    for (name, text) in &texts {
        for secret in [mqtt, uri, "Geheim-7"].iter().chain(&secret_lines) {
            assert!(!text.contains(secret), "{secret} stands in {name}:\n{text}");
        }
    }
    for (name, phrase) in [
        ("config.txt", "rtsp://***@10.0.0.8/b"),
        ("journal.txt", "said *** to rtsp://***@10.0.0.8/b"),
        ("journal.txt", "(a private key)\n\nthe end"),
        ("history.txt", "A 0.2.0 passed"),
        ("about.json", "\"compatible\": \"vigia-test\""),
        ("about.json", "\"reasons\": []"),
    ] {
        assert!(
            texts.get(name).is_some_and(|text| text.contains(phrase)),
            "{name}: {phrase}: {:#?}",
            texts.get(name)
        );
    }
    let again = it.vigia(&["support-bundle", &bundle]);
    assert!(again.code == 1 && again.sentence().contains("exists"), "an older one is not lost: {again:#?}");
    // Of a site that would not start, too.
    it.write("etc/vigia/site.yaml", "nonsense: 1\n");
    let other = it.at("other.tar.gz").display().to_string();
    assert_eq!(it.vigia(&["support-bundle", &other]).code, 0);
}
