//! What a trial can find to be wrong, by the invariants of reliability.md 4.3.

use vigia_core::pump::{Output, Sensor, StateName};

/// An invariant that did not hold. Seconds and litres.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Broken {
    #[error("I1: drives with the main valve commanded shut")]
    DrivenShut,
    #[error("I1: cranks with the main valve {valve:.2} open")]
    CrankedUnproven { valve: f64 },
    #[error("I1 (R-07): driven for {seconds:.1} s with a main valve that is not open")]
    ValveLost { seconds: f64 },
    #[error("I2: the starter is engaged for {seconds:.2} s")]
    CrankedLong { seconds: f64 },
    #[error("I2: cranked for {seconds:.1} s within ten minutes")]
    CrankedOften { seconds: f64 },
    #[error("R-03: the starter is engaged on a running engine for {seconds:.2} s")]
    CrankedRunning { seconds: f64 },
    #[error("I3: drives and kills at once")]
    DrivenAndKilled,
    #[error("I4: {seconds:.2} s after the stop was pressed there is power on the drive")]
    StopIgnored { seconds: f64 },
    #[error("I4: the stop is pressed, and the state is {state:?}")]
    StopUnseen { state: StateName },
    #[error("I5: the main valve is commanded shut on a turning engine for {seconds:.1} s")]
    ShutWhileTurning { seconds: f64 },
    #[error("I5: runs against a shut main valve for {seconds:.1} s")]
    Deadhead { seconds: f64 },
    #[error("I6: refilled for {seconds:.0} s within a day")]
    RefilledOften { seconds: f64 },
    #[error("I6: fills a full tank for {seconds:.1} s")]
    Overfilled { seconds: f64 },
    #[error("I6: {litres:.1} l ran over")]
    Overflowed { litres: f64 },
    #[error("I6: owes {owed:.1} s of refill, and should owe {due:.1} s")]
    RefillForgotten { owed: f64, due: f64 },
    #[error("I8: crank {cranks} of one run")]
    TooManyCranks { cranks: u32 },
    #[error("I9: left {from:?} for {to:?} without a reset")]
    LeftLatch { from: StateName, to: StateName },
    #[error("I9: driven {seconds:.1} s after a reset")]
    ResetStarts { seconds: f64 },
    #[error("I10: {output:?} is on before the self-test")]
    DrivesInBoot { output: Output },
    #[error("I10: {output:?} is under power {seconds:.2} s after the program died")]
    OutlivesProgram { output: Output, seconds: f64 },
    #[error("I11: a running engine was found at the start, and the state is {state:?}")]
    FoundRunning { state: StateName },
    #[error("I12: no crank {seconds:.1} s after a fire was demanded, all permissives being true")]
    NoStart { seconds: f64 },
    #[error("I13: it has been stopping for {seconds:.1} s")]
    StoppingForEver { seconds: f64 },
    #[error("I14: {sensor:?} is cut for {seconds:.1} s and believed")]
    CutBelieved { sensor: Sensor, seconds: f64 },
    #[error("I15: a gap of {seconds:.2} s while driving, and the state is {state:?}")]
    GapIgnored { seconds: f64, state: StateName },
    #[error("I18: order {id} was carried out twice")]
    TwiceDone { id: u64 },
    #[error("I18: order {id} was carried out, and must not be")]
    ForbiddenDone { id: u64 },
    #[error("I18: water for a demand that is stale, retained or from nobody")]
    ForbiddenDemand { id: u64 },
    #[error("R-08: dry for {seconds:.0} s")]
    Dry { seconds: f64 },
    #[error("R-10: driven at {rpm:.0} rpm")]
    Overspeed { rpm: f64 },
    #[error("R-12: driven for {seconds:.0} s")]
    RanLong { seconds: f64 },
    #[error("R-19: driven in {state:?}")]
    DrivenInStandby { state: StateName },
    #[error("events of the pump were lost")]
    EventsLost,
    #[error("it went round in circles")]
    Unsettled,
    #[error("a fire was announced, and nothing burned")]
    FalseFire,

    #[error("liveness: {waited_s:.0} s after everything was mended it is in {state:?}")]
    NeverRests { state: StateName, waited_s: f64 },
    #[error("liveness: {state:?} can't be left: {why}")]
    CannotReset { state: StateName, why: &'static str },
    #[error("liveness: fire was not confirmed within {seconds:.0} s")]
    NeverConfirmed { seconds: f64 },
    #[error("liveness: no water {seconds:.0} s after the fire, but {state:?}")]
    NoWater { state: StateName, seconds: f64 },
    #[error("liveness: the fire is out, refill is paid, and the tank holds {level_l:.0} of {volume_l:.0} l")]
    TankNotFull { level_l: f64, volume_l: f64 },
    #[error("liveness: no siren")]
    NoAlarm,
}
