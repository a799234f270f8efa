//! What a trial met, for whoever asks whether it proves anything.

/// What was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub steps: u64,
    pub pump_steps: u64,
    pub fires: u64,
    pub confirmed: u64,
    pub runs: u64,
    pub faults: u64,
    pub deaths: u64,
    pub orders: u64,
    pub latches: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { steps, pump_steps, fires, confirmed, runs, faults, deaths, orders, latches } = other;
        self.steps += steps;
        self.pump_steps += pump_steps;
        self.fires += fires;
        self.confirmed += confirmed;
        self.runs += runs;
        self.faults += faults;
        self.deaths += deaths;
        self.orders += orders;
        self.latches += latches;
    }
}
