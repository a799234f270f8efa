use std::os::unix::fs::FileExt as _;

use super::*;

struct Place {
    state: tempfile::TempDir,
    run: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = || tempfile::tempdir().expect("a folder");
        Self { state: dir(), run: dir() }
    }

    fn start(&self) -> (Keeper, Restored) {
        open(self.state.path(), self.run.path(), Instant(0)).expect("a thread")
    }

    /// The power goes: memory is empty.
    fn power_cut(&mut self) {
        self.run = tempfile::tempdir().expect("a folder");
    }
}

const LONG: Duration = Duration::from_secs(20);

/// A record of its own for each number.
fn record(n: u64) -> [u8; LEDGER_BYTES] {
    let mut bytes = Ledger::new().to_bytes(Instant(0));
    // `runs`, after magic, version, flags and two times.
    bytes[24..28].copy_from_slice(&u32::try_from(n).expect("small").to_le_bytes());
    let crc = crc32fast::hash(&bytes[..LEDGER_BYTES - 4]).to_le_bytes();
    bytes[LEDGER_BYTES - 4..].copy_from_slice(&crc);
    bytes
}

fn runs(restored: &Restored) -> u32 {
    match restored {
        Restored::Found(ledger) => ledger.runs(),
        Restored::Fresh | Restored::Lost => panic!("{restored:?}"),
    }
}

#[test]
fn only_a_marked_box_is_new() {
    let mut one = Place::new();
    assert_eq!(one.start().1, Restored::Lost);
    commission(one.state.path()).expect("marked");
    let (mut keeper, restored) = one.start();
    assert_eq!(restored, Restored::Fresh);
    keeper.keep(Instant(0), record(1));
    assert!(keeper.finish(LONG));
    assert!(!one.state.path().join(NEW_BOX).exists());
    assert!(matches!(commission(one.state.path()), Err(CommissionError::NotNew(_))));
    // Now it is missing.
    std::fs::remove_file(one.state.path().join("ledger.0")).ok();
    std::fs::remove_file(one.state.path().join("ledger.1")).ok();
    one.power_cut();
    assert_eq!(one.start().1, Restored::Lost);
}

#[test]
fn the_newest_counts_wherever_it_is() {
    let mut one = Place::new();
    let (mut keeper, _) = one.start();
    for n in 1..=5 {
        keeper.keep(Instant(0), record(n));
    }
    assert!(keeper.finish(LONG));
    // Killed right after this one: it is in memory only.
    let (mut keeper, restored) = one.start();
    assert_eq!(runs(&restored), 5);
    keeper.near.as_ref().expect("memory").write(keeper.generation + 1, &record(6)).expect("written");
    keeper.tend();
    assert_eq!(runs(&one.start().1), 6);
    one.power_cut();
    assert_eq!(runs(&one.start().1), 5);
}

/// A write that was cut anywhere leaves the one before.
#[test]
fn a_torn_write_leaves_the_record_before() {
    let mut one = Place::new();
    let (mut keeper, _) = one.start();
    keeper.keep(Instant(0), record(1));
    assert!(keeper.finish(LONG));
    let (mut keeper, _) = one.start();
    keeper.keep(Instant(0), record(2));
    assert!(keeper.finish(LONG));
    one.power_cut();
    let path = one.state.path().join("ledger.0");
    let whole = std::fs::read(&path).expect("the second");
    for at in 0..whole.len() {
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("it");
        file.write_all_at(&[whole[at] ^ 1], at as u64).expect("written");
        assert_eq!(runs(&newest_of(&one)), 1, "byte {at}");
        std::fs::write(&path, &whole[..at]).expect("written");
        assert_eq!(runs(&newest_of(&one)), 1, "length {at}");
        std::fs::write(&path, &whole).expect("written");
        assert_eq!(runs(&newest_of(&one)), 2);
    }
    for name in ["ledger.0", "ledger.1"] {
        std::fs::write(one.state.path().join(name), "nothing").expect("written");
    }
    std::fs::write(one.state.path().join(NEW_BOX), "").expect("written");
    assert_eq!(one.start().1, Restored::Lost, "damaged is not new");
}

fn newest_of(one: &Place) -> Restored {
    let (_, bytes) = newest([one.state.path(), one.run.path()]).expect("a record");
    Restored::Found(Ledger::from_bytes(&bytes, Instant(0)).expect("a ledger"))
}

#[test]
fn a_disk_that_refuses_is_shown_and_nobody_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").expect("written");
    let (mut keeper, restored) = open(&file.join("state"), dir.path(), Instant(0)).expect("a thread");
    assert_eq!(restored, Restored::Lost);
    keeper.keep(Instant(0), record(1));
    let mut tries = 0;
    while keeper.error().is_none() && tries < 2000 {
        keeper.tend();
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
        tries += 1;
    }
    assert_eq!(keeper.state(Instant(0)), Keeping::Failing);
    assert_eq!(runs(&open(&file, dir.path(), Instant(0)).expect("a thread").1), 1, "memory has it");
    assert!(!keeper.finish(Duration::from_millis(50)));
}
