//! `vigia why`: why a fire was or was not confirmed, in sentences.

use clap::Args as ClapArgs;
use serde_json::Value;

use super::{Failure, ctl};

#[derive(Debug, ClapArgs)]
#[command(after_help = "Exit codes: 0 answered, 1 no answer, 2 wrong usage.\n\
    Examples:\n  vigia why --instance hall\n  vigia why --camera north --at 2026-07-01T14:03:00Z")]
pub struct Args {
    /// Of this camera only: its name, or its stream's number
    #[arg(long, value_name = "CAMERA")]
    camera: Option<String>,
    /// Half a minute before and after this moment: RFC 3339, or seconds since 1970 [default: the newest]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    to: ctl::Asked,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let text = |v: &str| Value::from(v).to_string();
    let mut params = vec![format!("limit={}", args.limit)];
    params.extend(args.camera.as_deref().map(|camera| format!("camera={}", text(camera))));
    params.extend(args.at.as_deref().map(|at| match at.parse::<f64>() {
        Ok(_) => format!("at={at}"),
        Err(_) => format!("at={}", text(at)),
    }));
    ctl::run(&ctl::Args::question("why", params, args.to))
}

/// An answer to `why` as lines; nothing if it is another.
pub fn lines(answer: &Value) -> Option<String> {
    let records = answer.get("records")?.as_array()?;
    let mut lines: Vec<String> = records.iter().map(line).collect();
    let left_out = answer["left_out"].as_u64().unwrap_or_default();
    if left_out > 0 {
        lines.insert(0, format!("({left_out} older ones are left out: --limit shows more)"));
    }
    if lines.is_empty() {
        lines.push("nothing was decided and nothing missed: no camera saw fire or smoke".to_owned());
    }
    Some(lines.join("\n"))
}

/// `2026-07-01 14:03:07.120  camera north, object 3: became 1.07 times as large; 1.20 is needed (12 times, 4.0 s)`
fn line(record: &Value) -> String {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let at = text("at").replace('T', " ");
    let mut line = format!("{}  {}", at.trim_end_matches('Z'), text("text"));
    let times = record["times"].as_u64().unwrap_or(1);
    if times > 1 {
        let until = text("until").split_once('T').map_or("", |(_, time)| time.trim_end_matches('Z'));
        line.push_str(&format!(" ({times} times, until {until})"));
    }
    line
}
