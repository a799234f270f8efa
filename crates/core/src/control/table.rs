//! The one list of commands. Parsing, help, docs/mqtt.md and the schemas are made from it.
//!
//! A new command is a variant of [`Command`] and a row here. One that needs a stage which
//! not every instance runs (regions of interest, stabilization) names a [`Capability`] and
//! does not exist while that is inactive.

use super::command::{self, Command};
use super::params::{self, Params};
use super::refusal::Refusal;
use super::spec::{Capability, Class, Spec};
use crate::config::Role;

/// The commands that exist while these capabilities are active, in the table's order.
pub fn available(active: &[Capability]) -> impl Iterator<Item = &'static Spec> {
    let is_active = |spec: &&&Spec| spec.needs.is_none_or(|needed| active.contains(&needed));
    COMMANDS.iter().filter(is_active).copied()
}

pub static COMMANDS: &[&Spec] = &[
    &PAUSE,
    &RESUME,
    &STOP,
    &RESTART,
    &CHANGE_MODEL,
    &CANCEL_BUILD,
    &SET_FPS,
    &SET_CONFIDENCE,
    &ENABLE_TRACKING,
    &ADD_STREAM,
    &REMOVE_STREAM,
    &CHANGE_STREAM_URI,
    &RECONFIGURE,
    &BATCH_COMMANDS,
    &RELOAD_CONFIG,
    &RENAME_INSTANCE,
    &STATUS,
    &PING,
    &METRICS,
    &HEALTH,
    &HISTORY,
    &WHY,
    &PUMP,
    &UPDATE,
    &FACTORY_RESET,
    &SUPPORT_BUNDLE,
];

pub(super) static PAUSE: Spec = Spec {
    name: "pause",
    summary: "Detections stop; cameras stay connected. Once it is completed, no detection follows. \
              A later pause replaces an earlier one with its time.",
    params: &[
        params::SOURCE_ID.or("all streams"),
        params::SOURCE_IDS.or("all streams"),
        params::TIMEOUT_S.or("until resumed"),
        params::FLUSH.or("false"),
    ],
    class: Class::Gate,
    role: Role::Operator,
    needs: None,
    in_batch: true,
    example: r#"{"source_id":2,"timeout_s":600}"#,
    parse: |p| {
        Ok(Command::Pause {
            sources: command::sources(p)?,
            timeout: p.optional(&params::TIMEOUT_S)?,
            flush: p.optional(&params::FLUSH)?.unwrap_or(false),
        })
    },
};

pub(super) static RESUME: Spec = Spec {
    name: "resume",
    summary: "Detections come again; without parameters of every stream, however it was paused.",
    params: &[params::SOURCE_ID.or("all streams"), params::SOURCE_IDS.or("all streams")],
    class: Class::Gate,
    role: Role::Operator,
    needs: None,
    in_batch: true,
    example: r#"{"source_id":2}"#,
    parse: |p| Ok(Command::Resume { sources: command::sources(p)? }),
};

pub(super) static STOP: Spec = Spec {
    name: "stop",
    summary: "Ends the process: streams, status `stopped`, acknowledgement, disconnection.",
    params: &[],
    class: Class::Gate,
    role: Role::Technician,
    needs: None,
    in_batch: false,
    example: "",
    parse: |_| Ok(Command::Stop),
};

pub(super) static RESTART: Spec = Spec {
    name: "restart",
    summary: "Connects all cameras anew and loads the engine again. What was paused stays paused.",
    params: &[],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: false,
    example: "",
    parse: |_| Ok(Command::Restart),
};

pub(super) static CHANGE_MODEL: Spec = Spec {
    name: "change_model",
    summary: "Switches the model without a gap; on failure the old one goes on. Once it is completed, every \
              detection carries the new model.",
    params: &[params::MODEL_ID.required(), params::SHADOW_FRAMES.or("no comparison")],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"model_id":"yolox_nano"}"#,
    parse: |p| {
        Ok(Command::ChangeModel {
            model_id: p.required(&params::MODEL_ID)?,
            shadow_frames: p.optional(&params::SHADOW_FRAMES)?,
        })
    },
};

pub(super) static CANCEL_BUILD: Spec = Spec {
    name: "cancel_build",
    summary: "Ends the build of a plan for the GPU. A change of the model that waits for it fails with `cancelled`, and \
              the old model goes on; after a start the processor goes on.",
    params: &[],
    class: Class::Gate,
    role: Role::Technician,
    needs: None,
    in_batch: false,
    example: "",
    parse: |_| Ok(Command::CancelBuild),
};

pub(super) static SET_FPS: Spec = Spec {
    name: "set_fps",
    summary: "Changes how many frames are processed, without reconnecting.",
    params: &[params::MAX_FPS.required(), params::SOURCE_ID.or("all, and those added later")],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"max_fps":0.5}"#,
    parse: |p| {
        Ok(Command::SetFps {
            max_fps: p.required(&params::MAX_FPS)?,
            source_id: p.optional(&params::SOURCE_ID)?,
        })
    },
};

pub(super) static SET_CONFIDENCE: Spec = Spec {
    name: "set_confidence",
    summary: "Changes the least confidence that is reported.",
    params: &[params::CONFIDENCE.required(), params::SOURCE_ID.or("all, and those added later")],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"confidence":0.4}"#,
    parse: |p| {
        Ok(Command::SetConfidence {
            confidence: p.required(&params::CONFIDENCE)?,
            source_id: p.optional(&params::SOURCE_ID)?,
        })
    },
};

pub(super) static ENABLE_TRACKING: Spec = Spec {
    name: "enable_tracking",
    summary: "Follows objects from frame to frame and fills `tracker_id`, or stops that.",
    params: &[params::ENABLED.required(), params::MODE.or("bytetrack")],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"enabled":true}"#,
    parse: command::enable_tracking,
};

pub(super) static ADD_STREAM: Spec = Spec {
    name: "add_stream",
    summary: "Adds a camera, after a look whether it answers. The others go on undisturbed.",
    params: &[
        params::SOURCE_ID.required(),
        params::STREAM_URI.or("the configured one, or else {stream_server}/{source_id}"),
    ],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"source_id":8}"#,
    parse: |p| command::add_stream(p).map(Command::AddStream),
};

pub(super) static REMOVE_STREAM: Spec = Spec {
    name: "remove_stream",
    summary: "Removes a camera; the last one can't be. The others go on undisturbed.",
    params: &[params::SOURCE_ID.required()],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"source_id":8}"#,
    parse: |p| Ok(Command::RemoveStream { source_id: p.required(&params::SOURCE_ID)? }),
};

pub(super) static CHANGE_STREAM_URI: Spec = Spec {
    name: "change_stream_uri",
    summary: "Points a room at another address. The others go on undisturbed.",
    params: &[params::SOURCE_ID.required(), params::URI_OR_NULL.required()],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"source_id":2,"stream_uri":"rtsp://localhost:8554/live/2b"}"#,
    parse: |p| {
        Ok(Command::ChangeStreamUri {
            source_id: p.required(&params::SOURCE_ID)?,
            uri: p.required(&params::URI_OR_NULL)?,
        })
    },
};

pub(super) static RECONFIGURE: Spec = Spec {
    name: "reconfigure",
    summary: "Several changes at once: all or nothing.",
    params: &[
        params::MODEL_ID.or("unchanged"),
        params::MAX_FPS.or("unchanged"),
        params::CONFIDENCE_THRESHOLD.or("unchanged"),
        params::ADD_STREAMS.or("none"),
        params::REMOVE_STREAMS.or("none"),
    ],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: true,
    example: r#"{"max_fps":0.5,"add_streams":[8],"remove_streams":[2]}"#,
    parse: |p| command::reconfigure(p).map(Command::Reconfigure),
};

pub(super) static BATCH_COMMANDS: Spec = Spec {
    name: "batch_commands",
    summary: "Several commands one after the other, with one result each.",
    params: &[params::COMMANDS.required(), params::ATOMIC.or("false")],
    class: Class::Change,
    role: Role::Operator,
    needs: None,
    in_batch: false,
    example: r#"{"atomic":true,"commands":[{"command":"set_fps","params":{"max_fps":1}},{"command":"resume"}]}"#,
    parse: |p| command::batch(p).map(Command::Batch),
};

pub(super) static RELOAD_CONFIG: Spec = Spec {
    name: "reload_config",
    summary: "Reads the configuration files again, applies what changed in them, and says what waits for a \
              restart.",
    params: &[],
    class: Class::Change,
    role: Role::Technician,
    needs: None,
    in_batch: false,
    example: "",
    parse: |_| Ok(Command::ReloadConfig),
};

pub(super) static RENAME_INSTANCE: Spec = Spec {
    name: "rename_instance",
    summary: "Changes the instance's name and with it its topics; `received` comes on the old one, the final \
              acknowledgement on the new one.",
    params: &[params::NEW_INSTANCE_ID.required()],
    class: Class::Change,
    role: Role::Admin,
    needs: None,
    in_batch: false,
    example: r#"{"new_instance_id":"emergency-room-2"}"#,
    parse: |p| Ok(Command::RenameInstance { new_instance_id: p.required(&params::NEW_INSTANCE_ID)? }),
};

pub(super) static STATUS: Spec = query("status", "Publishes the state again.", |_| Ok(Command::Status));
pub(super) static PING: Spec =
    query("ping", "Answers with state, configuration and health on the status topic.", |_| Ok(Command::Ping));
pub(super) static METRICS: Spec =
    query("metrics", "Publishes the full report of rates and latencies.", |_| Ok(Command::Metrics));
pub(super) static HEALTH: Spec =
    query("health", "Publishes whether the instance is well, and what is not.", |_| Ok(Command::Health));

pub(super) static HISTORY: Spec = Spec {
    name: "history",
    summary: "Lists past commands and what came of them.",
    params: &[params::LIMIT.or("100"), params::SINCE.or("the beginning"), params::COMMAND.or("all commands")],
    class: Class::Query,
    role: Role::Technician,
    needs: Some(Capability::Journal),
    in_batch: false,
    example: r#"{"limit":20}"#,
    parse: |p| {
        Ok(Command::History {
            limit: p.optional(&params::LIMIT)?.unwrap_or(100),
            since: p.optional(&params::SINCE)?,
            command: p.optional(&params::COMMAND)?.map(|name| command::name_in_table(&name)).transpose()?,
        })
    },
};

pub(super) static WHY: Spec = Spec {
    name: "why",
    summary: "Tells why a fire was or was not confirmed: decisions and near misses, each with the condition that \
              failed and its value.",
    params: &[params::CAMERA.or("all cameras"), params::AT.or("the newest"), params::LIMIT.or("100")],
    class: Class::Query,
    role: Role::Viewer,
    needs: Some(Capability::Fire),
    in_batch: false,
    example: r#"{"camera":"north"}"#,
    parse: |p| {
        Ok(Command::Why {
            camera: p.optional(&params::CAMERA)?,
            at: p.optional(&params::AT)?,
            limit: p.optional(&params::LIMIT)?.unwrap_or(100),
        })
    },
};

pub(super) static PUMP: Spec = Spec {
    name: "pump",
    summary: "Asks how the pump is, or gives it an order; completed once the pump program has carried it out. \
              Stop, silence, acknowledge and test need an operator; start, reset, valves, arm and disarm a \
              technician. Orders are taken only from who stands in `pump.orders_from`.",
    params: &[params::ACTION.required()],
    class: Class::Gate,
    role: Role::Viewer,
    needs: Some(Capability::Pump),
    in_batch: false,
    example: r#"{"action":"status"}"#,
    parse: |p| Ok(Command::Pump(p.required(&params::ACTION)?)),
};

pub(super) static UPDATE: Spec = Spec {
    name: "update",
    summary: "Tells which version runs, looks at a bundle, installs it, or goes back to the other slot. Progress and \
              what became of it stand on the status topic with `/update` behind it, retained. Completed once the other \
              slot is written and the restart is due; refused while water flows, an alarm stands or a fire was seen \
              in the last hour. All but the status need an admin.",
    params: &[params::UPDATE_ACTION.required(), params::BUNDLE.or("none")],
    class: Class::Gate,
    role: Role::Viewer,
    needs: Some(Capability::Update),
    in_batch: false,
    example: r#"{"action":"status"}"#,
    parse: |p| command::update(p).map(Command::Update),
};

pub(super) static FACTORY_RESET: Spec = Spec {
    name: "factory_reset",
    summary: "Empties the box: site, passwords, certificates, models, plans, journals and the pump's ledger. Completed once \
              it is settled that the next start does it; the box then restarts by itself. Refused while water flows, an \
              alarm stands or a fire was seen in the last hour, and to all boxes but the one that `confirm` names.",
    params: &[params::CONFIRM.required()],
    class: Class::Gate,
    role: Role::Admin,
    needs: Some(Capability::Update),
    in_batch: false,
    example: r#"{"confirm":"lookout-7"}"#,
    parse: |p| Ok(Command::FactoryReset { confirm: p.required(&params::CONFIRM)? }),
};

pub(super) static SUPPORT_BUNDLE: Spec = Spec {
    name: "support_bundle",
    summary: "Packs what somebody elsewhere needs to help, without passwords and keys, and brings it in parts on the status \
              topic with `/support` behind it; completed once all are sent. `vigia ctl support_bundle --out FILE` puts \
              them together.",
    params: &[],
    class: Class::Gate,
    role: Role::Admin,
    needs: Some(Capability::Update),
    in_batch: false,
    example: "",
    parse: |_| Ok(Command::SupportBundle),
};

const fn query(
    name: &'static str,
    summary: &'static str,
    parse: fn(&Params<'_>) -> Result<Command, Refusal>,
) -> Spec {
    Spec {
        name,
        summary,
        params: &[],
        class: Class::Query,
        role: Role::Viewer,
        needs: None,
        in_batch: false,
        example: "",
        parse,
    }
}
