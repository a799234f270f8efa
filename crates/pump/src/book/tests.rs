use std::os::unix::fs::FileExt as _;

use vigia_core::pump::{RelayImage, StateName};

use super::*;

fn moment() -> Moment {
    Moment {
        state: StateName::Idle,
        epoch: 0,
        fault: None,
        relays: RelayImage::NONE,
        seen: vigia_core::link::SeenImage::default(),
        refill_owed: std::time::Duration::ZERO,
        current_runtime: std::time::Duration::ZERO,
        total_runtime: std::time::Duration::ZERO,
        armed: true,
    }
}

fn enter(book: &mut Book, n: u64) {
    for _ in 0..n {
        book.enter(Instant(1), Event::PrimingStarted, moment());
    }
}

fn numbers(book: &Book) -> Vec<u64> {
    book.waiting().map(|e| e.number).collect()
}

const A: BootId = BootId([1; 16]);
const B: BootId = BootId([2; 16]);

#[test]
fn numbers_go_on_over_restarts() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(dir.path(), A);
    enter(&mut book, 3);
    drop(book);
    let mut book = Book::open(dir.path(), B);
    assert_eq!(book.id(), A, "the same book");
    assert_eq!(numbers(&book), [1, 2, 3]);
    assert!(book.acknowledge(2));
    enter(&mut book, 1);
    drop(book);
    let mut book = Book::open(dir.path(), B);
    assert_eq!(numbers(&book), [3, 4]);
    assert!(book.acknowledge(4));
    drop(book);
    let mut book = Book::open(dir.path(), B);
    assert_eq!((numbers(&book), book.last()), (vec![], 4));
    enter(&mut book, 1);
    assert_eq!(numbers(&book), [5]);
    assert!(!book.acknowledge(6), "never given");
    assert_eq!(book.next_after(4).map(|e| e.number), Some(5));
    assert_eq!(book.next_after(5), None);
}

#[test]
fn a_full_book_keeps_the_beginning_and_the_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(dir.path(), A);
    enter(&mut book, 1000);
    assert_eq!(book.lost(), 488);
    let kept: Vec<u64> = (1..=256).chain(745..=1000).collect();
    assert_eq!(numbers(&book), kept);
    assert_eq!(book.next_after(256).map(|e| e.number), Some(745));
    drop(book);
    let mut book = Book::open(dir.path(), B);
    assert_eq!((numbers(&book), book.lost()), (kept, 488));
    assert!(book.acknowledge(500));
    assert_eq!(book.waiting_len(), 256);
    enter(&mut book, 256);
    assert_eq!(book.lost(), 488);
    enter(&mut book, 1);
    assert_eq!(book.lost(), 489);
}

/// Any one byte that is wrong costs at most its entry, or begins a new book.
#[test]
fn damage_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    enter(&mut Book::open(dir.path(), A), 4);
    let path = dir.path().join("events");
    let whole = std::fs::read(&path).expect("the file");
    for at in (0..36).chain(256..256 + 192).chain(1024..1024 + 192) {
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
        file.write_all_at(&[whole[at] ^ 4], at as u64).expect("written");
        let book = Book::open(dir.path(), B);
        match at {
            0..36 => assert_eq!((book.id(), book.last()), (B, 0), "{at}"),
            256..448 => assert_eq!((book.id(), numbers(&book)), (A, vec![2, 3, 4]), "{at}"),
            _ => assert_eq!((book.id(), numbers(&book)), (A, vec![1, 2, 3]), "{at}"),
        }
        std::fs::write(&path, &whole).expect("written");
    }
}

#[test]
fn without_a_file_there_is_still_a_book() {
    let mut book = Book::open(Path::new("/proc/there/is/no/such/folder"), A);
    assert!(book.take_error().is_some());
    enter(&mut book, 2);
    assert_eq!(numbers(&book), [1, 2]);
}
