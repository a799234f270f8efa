//! The pump's words as codes. A variant that is added there does not compile here until it
//! has a code of its own.

use super::wire::{fields, tagged, words};
use crate::pump::{
    Command, Condition, Demand, Fault, Order, Output, Purpose, Refusal, Role, Sensor, Source, StateName,
    StopReason,
};

fields!(Demand: id, source, age, persists, authorised, retained);
fields!(Command: id, order, role, age, retained);

words!(Role, "role": View = 1, Operate = 2, Arm = 3, Maintain = 4, Local = 5);

words!(Order, "order":
    EmergencyStop = 1, Start = 2, ValveOpen = 3, ValveClose = 4, Reset = 5,
    Acknowledge = 6, Silence = 7, Test = 8, Arm = 9, Disarm = 10,
);

words!(Source, "source": Consensus = 1, Button = 2, Network = 3, Order = 4);

words!(Purpose, "purpose": Fire = 1, Test = 2);

words!(StopReason, "reason of a stop":
    MaxRuntime = 1, FireOff = 2, TestOver = 3, SelectorOff = 4, Shutdown = 5, Interrupted = 6,
);

words!(StateName, "state":
    Boot = 1, Idle = 2, Priming = 3, Starting = 4, Running = 5, ReducingRpm = 6, Stopping = 7,
    Refilling = 8, Cooldown = 9, LowPressure = 10, Error = 11, EmergencyStop = 12, Off = 13,
    Manual = 14, Leaving = 15,
);

words!(Output, "relay":
    MainValve = 1, PrimingValve = 2, RefillValve = 3, Run = 4, Starter = 5, Kill = 6,
    ThrottleDown = 7, Contactor = 8, Siren = 9, Strobe = 10, Contact = 11,
);

words!(Sensor, "contact":
    FloatLow = 1, FloatHigh = 2, Overflow = 3, Pressure = 4, Flow = 5, ValveOpen = 6,
    ValveClosed = 7, EngineRun = 8, EngineTurning = 9, OilLow = 10, TempHigh = 11,
    Overspeed = 12, BatteryLow = 13, EmergencyStop = 14, SelectorAuto = 15,
    SelectorManual = 16, FireButton = 17, ResetButton = 18, StarterClosed = 19,
);

words!(Condition, "condition":
    Fire = 1, ValveOffNormal = 2, NotAuto = 3, Disarmed = 4, RefillOwed = 5,
    RefillBudgetSpent = 6, TankLow = 7, DryRunUnprotected = 8, RunUnproven = 9,
    EngineUnasked = 10, StartsSpent = 11, CrankingSpent = 12, PumpFault = 13,
    EmergencyStop = 14, SensorUnknown = 15, SensorFlapping = 16, SensorContradiction = 17,
    SensorStuck = 18, BatteryLow = 19, DryRun = 20, LowPressure = 21, OilLow = 22,
    TempHigh = 23, RelayMismatch = 24, CycleLate = 25, ClockWentBack = 26, LedgerLost = 27,
    TestOverdue = 28, EventsLost = 29, WatchdogRelay = 30,
);

tagged!(Fault, "fault":
    FailToStart = 1, OverCrank = 2, DryRun = 3, LowPressure = 4, LowTank = 5, Overspeed = 6,
    EngineProtection = 7, MainValveStuck = 8, MainValveLost = 9, StarterWelded = 10,
    WontStop = 11, EngineFoundRunning = 12, SelfTest = 13, CycleGap = 14, RefillFailed = 15,
    Unsettled = 16, Relay { output } = 17,
);

tagged!(Refusal, "refusal":
    Role { needs } = 1, Retained = 2, Stale = 3, Unauthorised = 4, Duplicate = 5,
    State { now } = 6, NoPump = 7, NoMainValve = 8, EngineMoving = 9, CauseRemains = 10,
    StopPressed = 11, NotAuto = 12, Disarmed = 13, BatteryLow = 14, StartsSpent = 15,
    CrankingSpent = 16, RefillOwed = 17, TankLow = 18, TankUnknown = 19, Booting = 20,
);
