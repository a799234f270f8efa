//! What becomes of updates, good ones and bad ones.

use std::fs;
use std::process::Command;

use vigia_sim::vm::rig::RigError;

use crate::bench::{Bench, said, sees};
use crate::scenarios::{Counts, Seeing, history, stayed};

/// Each in RAUC's or the gate's own words.
pub fn refused(bench: &mut Bench, _: Counts) -> Seeing {
    let before = bench.start_settled()?;
    let mut said = Vec::new();
    for name in ["tampered", "older", "other-key", "other-board"] {
        let refused =
            bench.install(name).err().ok_or_else(|| RigError::Not(format!("{name} was installed")))?;
        let RigError::Command { says, .. } = refused else { return Err(refused) };
        let last =
            says.lines().find_map(|line| line.split_once("LastError: ")).map_or(&*says, |(_, why)| why);
        said.push(format!("{name}: {}", last.trim().chars().take(160).collect::<String>()));
    }
    let after = bench.restart()?;
    stayed(&before, &after)?;
    Ok(said.join("; "))
}

pub fn good(bench: &mut Bench, _: Counts) -> Seeing {
    let before = bench.start_settled()?;
    let install = bench.install("good")?;
    let after = bench.restart()?;
    sees(after.slot != before.slot && after.version != before.version, || {
        format!("{before:?}, then {after:?}: {}", history(bench))
    })?;
    sees(history(bench).contains("passed"), || format!("history: {}", history(bench)))?;
    let (install, took) = (install.as_secs_f64(), after.took.as_secs_f64());
    Ok(format!(
        "{} in {} to {} in {}; install {install:.0} s, up to the verdict {took:.0} s",
        before.version, before.slot, after.version, after.slot
    ))
}

pub fn panics(bench: &mut Bench, _: Counts) -> Seeing {
    falls_back(bench, "panics")
}

pub fn hangs(bench: &mut Bench, _: Counts) -> Seeing {
    falls_back(bench, "hangs")
}

pub fn unfit(bench: &mut Bench, _: Counts) -> Seeing {
    falls_back(bench, "unfit")
}

fn falls_back(bench: &mut Bench, name: &str) -> Seeing {
    // Its self-test takes no quarter of an hour for the golden frames of the model that ships.
    bench.blind()?;
    bench.start_blind()?;
    let before = bench.settle()?;
    bench.install(name)?;
    let other = if before.slot == "A" { "B" } else { "A" };
    let launched = bench.appliance.launches(other);
    let after = bench.restart()?;
    stayed(&before, &after)?;
    let starts = bench.appliance.launches(other) - launched;
    sees(starts > 0, || "it was not even started".to_owned())?;
    let history = history(bench);
    sees(history.contains("failed"), || format!("no reason in the history: {history:?}"))?;
    let reason = history.lines().last().unwrap_or_default();
    Ok(format!(
        "back on {} in {} after {starts} starts in {other}; history: {reason}",
        after.version, after.slot
    ))
}

/// What an admin far away does with a box that has no shell.
pub fn by_mqtt(bench: &mut Bench, _: Counts) -> Seeing {
    const BUNDLE: &str = "bundle=/run/updates/good.raucb";
    const SECRETS: &str =
        "cat /etc/vigia/mqtt-password; sed -n 2p /etc/vigia/pki/broker.key; sed -n 2p /etc/vigia/pki/ca.key";
    bench.blind()?;
    bench.start_blind()?;
    bench.settle()?;
    bench.appliance.run(
        "sed -i 's/unsigned_role: technician/unsigned_role: admin/' /etc/vigia/site.yaml && systemctl restart vigia",
    )?;
    let before = bench.settle()?;
    bench.updates()?;
    let other = bench.ctl(&["update", "action=check", "bundle=/run/updates/other-board.raucb"], 60);
    sees(other.as_ref().is_err_and(|e| e.to_string().contains("for vigia-jetson-orin-nano")), || {
        format!("another board's bundle: {other:?}")
    })?;
    bench.ctl(&["update", "action=check", BUNDLE], 60)?;
    let (boots, _) = bench.appliance.lines.boots();
    bench.ctl(&["update", "action=install", BUNDLE], 1200)?;
    let after = bench.restarts(boots)?;
    sees(after.slot != before.slot && history(bench).contains("passed"), || {
        format!("{before:?}, then {after:?}: {}", history(bench))
    })?;
    let packed = bench.people.join("support.tar.gz");
    // An earlier one.
    let _ = fs::remove_file(&packed);
    bench.ctl(&["support_bundle", "--instance", "appliance", "--out", &packed.display().to_string()], 300)?;
    let unpacked = said(Command::new("tar").args(["-xOzf"]).arg(&packed))?;
    let secrets = bench.appliance.run(SECRETS)?;
    sees(secrets.lines().count() == 3 && !secrets.lines().any(|secret| unpacked.contains(secret)), || {
        "the support bundle holds a secret".to_owned()
    })?;
    sees(unpacked.contains("verdict: "), || "the support bundle holds no journal".to_owned())?;
    let ca = bench.appliance.run("sha256sum < /etc/vigia/pki/ca.crt")?;
    let (boots, _) = bench.appliance.lines.boots();
    bench.ctl(&["factory_reset", "confirm=appliance", "--instance", "appliance"], 60)?;
    bench.restarts(boots)?;
    sees(bench.appliance.run("sha256sum < /etc/vigia/pki/ca.crt")? != ca, || {
        "the CA outlived it".to_owned()
    })?;
    let kib = unpacked.len() / 1024;
    Ok(format!("{} in {} passed; {kib} KiB for support without a secret; reset", after.version, after.slot))
}
