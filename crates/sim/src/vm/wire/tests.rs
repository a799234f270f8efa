use super::*;

const TEXTS: [&str; 6] = ["", "%", "ls /data", "two\nlines\r\n", "100 % ü \u{1f525}", "a=\"b\" | c > d"];

fn orders() -> Vec<Ask> {
    let texts = TEXTS.iter().flat_map(|t| {
        let command = (*t).to_owned();
        let run = Ask::Run { limit: Duration::from_millis(1500), command: command.clone() };
        [run, Ask::Leave { command }]
    });
    let pulls = [Level::Low, Level::High].map(|to| Ask::Pull { line: LineId(u16::MAX), to });
    [Ask::Now, Ask::Go, Ask::Jitter { samples: 1000 }].into_iter().chain(pulls).chain(texts).collect()
}

fn words() -> Vec<Word> {
    let at = GuestTime(u64::MAX);
    let edge = |seen, level| Word::Edge(Edge { line: LineId(3), level, at, seen });
    let mut answers = vec![
        Answer::Done,
        Answer::Left { pid: 4711 },
        Answer::Jitter(Spread { samples: 5, p50: 1, p99: 2, p999: 3, max: 4 }),
    ];
    for text in TEXTS {
        answers.push(Answer::Refused(text.to_owned()));
        for end in [End::Code(-1), End::Signal(9), End::Limit] {
            answers.push(Answer::Ran(Ran { end, out: text.to_owned(), err: "err\n".to_owned() }));
        }
    }
    let mut words = vec![
        Word::Hello { at, boot: "6f1c-a".to_owned(), levels: vec![Level::Low, Level::High] },
        Word::Hello { at, boot: String::new(), levels: Vec::new() },
        edge(Seen::Trace, Level::High),
        edge(Seen::Pull, Level::Low),
        edge(Seen::Look, Level::Low),
        Word::Turned { line: LineId(0), drives: true, at },
        Word::Turned { line: LineId(1), drives: false, at },
        Word::Mark(at),
        Word::Lost,
    ];
    words.extend(answers.into_iter().map(|answer| Word::Answer { number: 9, at, answer }));
    words
}

#[test]
fn what_is_said_is_what_is_heard() {
    for ask in orders() {
        let order = Order { number: 42, ask };
        let text = order.to_string();
        assert!(!text.contains('\n'), "{text:?}");
        assert_eq!(text.parse(), Ok(order), "{text:?}");
    }
    for word in words() {
        let text = word.to_string();
        assert!(!text.contains('\n'), "{text:?}");
        assert_eq!(text.parse(), Ok(word), "{text:?}");
    }
}

/// A guest is cut off anywhere, and its port brings what was begun.
#[test]
fn half_a_line_is_garbled_or_shorter_but_never_a_panic() {
    let lines = orders().into_iter().map(|ask| Order { number: 1, ask }.to_string());
    for line in lines.chain(words().iter().map(Word::to_string)) {
        for end in 0..line.len() {
            let _ = line[..end].parse::<Order>();
            let _ = line[..end].parse::<Word>();
        }
        assert!(format!("{line} more").parse::<Word>().is_err(), "{line}");
    }
    for bad in [
        "",
        "edge",
        "edge 1 2 3 trace",
        "hello 999 1 a 0",
        "7 1 gone",
        "edge 70000 1 1 trace",
        "7 1 refused %f",
    ] {
        assert_eq!(bad.parse::<Word>(), Err(Garbled(bad.to_owned())));
    }
}

#[test]
fn a_feed_cuts_lines_wherever_bytes_come() {
    let text = b"one\n\ntwo three\nfour";
    for first in 0..text.len() {
        let (mut feed, mut lines) = (Feed::default(), Vec::new());
        feed.take(&text[..first], |l| lines.push(l.to_owned()));
        feed.take(&text[first..], |l| lines.push(l.to_owned()));
        assert_eq!(lines, ["one", "two three"]);
    }
}

#[test]
fn an_overlong_line_is_dropped_and_the_next_one_is_read() {
    let (mut feed, mut lines) = (Feed::default(), Vec::new());
    feed.take(&vec![b'x'; LINE_LEN_MAX + 1], |l| lines.push(l.to_owned()));
    feed.take(b"\nmark 1\n", |l| lines.push(l.to_owned()));
    assert_eq!(lines, ["mark 1"]);
}
