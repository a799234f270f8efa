//! What the machine lets this program have, so that nothing else holds it up.
//!
//! Real-time priority is given by whoever starts it (the unit, or `chrt -f 50`): a program that
//! takes it by itself cannot be held in by its supervisor.

use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};

/// Field of `/proc/self/stat` after the name: policy (proc(5), field 41).
const POLICY_AT: usize = 41 - 3;
const FIFO: &str = "1";
const ROUND_ROBIN: &str = "2";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    pub memory_locked: bool,
    pub realtime: bool,
}

/// Locks all memory, now and later, and looks at the priority.
pub fn take() -> (Privileges, Option<Errno>) {
    let error = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).err();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    (Privileges { memory_locked: error.is_none(), realtime: is_realtime(&stat) }, error)
}

fn is_realtime(stat: &str) -> bool {
    // The name may hold anything, brackets included.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().nth(POLICY_AT).is_some_and(|policy| policy == FIFO || policy == ROUND_ROBIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_read_past_any_name() {
        let stat = |policy: &str| {
            let before = (0..POLICY_AT).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
            format!("7 (a) 1 (x) {before} {policy} 0 0\n")
        };
        assert!(is_realtime(&stat("1")) && is_realtime(&stat("2")));
        assert!(!is_realtime(&stat("0")) && !is_realtime(""));
        let own = std::fs::read_to_string("/proc/self/stat").expect("proc");
        assert!(!is_realtime(&own), "tests run without");
    }
}
