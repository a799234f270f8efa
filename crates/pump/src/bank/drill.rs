//! Troubles to be practised on the simulated plant: `--fault NAME@SECONDS`.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use vigia_core::pump::{Output, Sensor};
use vigia_sim::plant::{Button, Contact, Fault, Selector};

/// What happens to the plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Fault(Fault),
    Press(Button, bool),
    Turn(Selector),
    /// All faults are mended and the stop is released.
    Mend,
}

/// A trouble, and when it comes, counted from the start of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drill {
    pub trouble: Trouble,
    pub after: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DrillError {
    #[error("{0:?} is not of the form NAME@SECONDS, e.g. stall@20 or float_low:stuck_active@5")]
    Form(String),
    #[error("there is no fault {0:?}; there are {known}", known = known())]
    Name(String),
}

const PLAIN: [(&str, Trouble); 24] = [
    ("no_catch", Trouble::Fault(Fault::NoCatch)),
    ("no_pinion", Trouble::Fault(Fault::NoPinion)),
    ("stall", Trouble::Fault(Fault::Stall)),
    ("runs_on", Trouble::Fault(Fault::RunsOn)),
    ("overspeeds", Trouble::Fault(Fault::Overspeeds)),
    ("no_oil", Trouble::Fault(Fault::NoOil)),
    ("overheats", Trouble::Fault(Fault::Overheats)),
    ("valve_jammed", Trouble::Fault(Fault::ValveJammed)),
    ("valve_slow", Trouble::Fault(Fault::ValveSlow)),
    ("tank_leaks", Trouble::Fault(Fault::TankLeaks)),
    ("tank_emptied", Trouble::Fault(Fault::TankEmptied)),
    ("no_refill", Trouble::Fault(Fault::NoRefill)),
    ("refill_stuck_open", Trouble::Fault(Fault::RefillStuckOpen)),
    ("suction_blocked", Trouble::Fault(Fault::SuctionBlocked)),
    ("battery_flat", Trouble::Fault(Fault::BatteryFlat)),
    ("stop_pressed", Trouble::Press(Button::Stop, true)),
    ("stop_released", Trouble::Press(Button::Stop, false)),
    ("fire_pressed", Trouble::Press(Button::Fire, true)),
    ("fire_released", Trouble::Press(Button::Fire, false)),
    ("reset_pressed", Trouble::Press(Button::Reset, true)),
    ("selector_off", Trouble::Turn(Selector::Off)),
    ("selector_auto", Trouble::Turn(Selector::Auto)),
    ("selector_manual", Trouble::Turn(Selector::Manual)),
    ("mend", Trouble::Mend),
];

const CONTACTS: [(&str, Contact); 4] = [
    ("stuck_active", Contact::StuckActive),
    ("stuck_inactive", Contact::StuckInactive),
    ("cut", Contact::Cut),
    ("flaps", Contact::Flaps),
];

fn known() -> String {
    let plain: Vec<_> = PLAIN.iter().map(|(name, _)| *name).collect();
    format!(
        "{}, CONTACT:stuck_active, CONTACT:stuck_inactive, CONTACT:cut, CONTACT:flaps, RELAY:dead and RELAY:welded",
        plain.join(", ")
    )
}

impl FromStr for Drill {
    type Err = DrillError;

    fn from_str(text: &str) -> Result<Self, DrillError> {
        let form = || DrillError::Form(text.to_owned());
        let (name, after) = text.split_once('@').ok_or_else(form)?;
        let s: f64 = after.parse().map_err(|_| form())?;
        let after = Duration::try_from_secs_f64(s).map_err(|_| form())?;
        let trouble = trouble(name).ok_or_else(|| DrillError::Name(name.to_owned()))?;
        Ok(Self { trouble, after })
    }
}

fn trouble(name: &str) -> Option<Trouble> {
    let Some((what, how)) = name.split_once(':') else {
        return PLAIN.iter().find(|(plain, _)| *plain == name).map(|(_, trouble)| *trouble);
    };
    if let Some(sensor) = Sensor::ALL.into_iter().find(|s| s.name() == what) {
        let contact = CONTACTS.iter().find(|(name, _)| *name == how)?.1;
        return Some(Trouble::Fault(Fault::Contact(sensor, contact)));
    }
    let output = Output::ALL.into_iter().find(|o| o.name() == what)?;
    match how {
        "dead" => Some(Trouble::Fault(Fault::RelayDead(output))),
        "welded" => Some(Trouble::Fault(Fault::RelayWelded(output))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drills_have_names() {
        let drill = |text: &str| text.parse::<Drill>().map(|d| d.trouble);
        assert_eq!(drill("stall@20"), Ok(Trouble::Fault(Fault::Stall)));
        let stuck = Fault::Contact(Sensor::FloatLow, Contact::StuckActive);
        assert_eq!(drill("float_low:stuck_active@0.5"), Ok(Trouble::Fault(stuck)));
        assert_eq!(drill("kill:dead@1"), Ok(Trouble::Fault(Fault::RelayDead(Output::Kill))));
        assert_eq!(drill("stop_pressed@3"), Ok(Trouble::Press(Button::Stop, true)));
        for bad in ["", "stall", "stall@", "stall@-1", "stall@NaN", "stall@1e400"] {
            assert_eq!(drill(bad), Err(DrillError::Form(bad.to_owned())));
        }
        for bad in ["fire@1", "kill:flaps@1", "float_low:dead@1", ":@1"] {
            assert!(matches!(drill(bad), Err(DrillError::Name(_))), "{bad}");
        }
    }
}
