//! The model on a terminal: header, instances, cameras, last detections, footer.
//!
//! Everything colour says, words say too.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};
use vigia_core::time::Instant;

use super::board::Board;
use super::instance::{Camera, Instance};
use super::lines::{cameras, instances, status_words, troubles};
use super::message::Status;
use super::model::{Model, Seen};
use super::words::{age, clock_time, counted, number, or_dash, span, summary};
use crate::mqtt::Link;

const HEADER_ROWS: u16 = 2;
/// Title and text of an instance.
const INSTANCE_ROWS: u16 = 2;
/// An instance that says nothing for longer is said to be silent.
const SILENT_AFTER_S: u64 = 10;
/// Metrics older than this are shown with their age.
const METRICS_FRESH_S: u64 = 60;

/// Draws the whole screen, whatever its size.
pub fn draw(frame: &mut Frame<'_>, model: &Model, now: Instant) {
    let area = frame.area();
    let rest = area.height.saturating_sub(HEADER_ROWS + 1);
    let instances_max = (rest / 6).max(1);
    let instances = rows(model.instances.len()).clamp(1, instances_max);
    let instance_rows = instances.saturating_mul(INSTANCE_ROWS);
    let table: Vec<_> = camera_rows(model, now);
    let table_max = rest.saturating_sub(instance_rows) * 3 / 5;
    let table_rows = rows(table.len()).saturating_add(2).min(table_max.max(3));
    let [head, top, middle, bottom, foot] = Layout::vertical([
        Constraint::Length(HEADER_ROWS),
        Constraint::Length(instance_rows),
        Constraint::Length(table_rows),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, model, now);
    draw_instances(frame, top, model, now);
    draw_cameras(frame, middle, model, table, now);
    draw_recent(frame, bottom, model);
    footer(frame, foot, model);
}

fn rows(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn header(frame: &mut Frame<'_>, area: Rect, model: &Model, now: Instant) {
    let broker = format!("broker {}: ", model.broker.address);
    let (state, cause) = match (&model.link, model.why_down()) {
        (Link::Connected { .. }, _) => ("connected".into(), String::new()),
        (Link::Connecting, None) => ("connecting".into(), String::new()),
        (Link::Down { cause }, _) | (Link::Connecting, Some(cause)) => {
            ("not connected".red().bold(), format!(" {cause};"))
        }
    };
    let left = Line::from(vec![" vigia watch  ".bold(), broker.into(), state]);
    let time = format!("{:.8} UTC ", clock_time(model.wall(now)));
    let rate = model.rate.per_second(now).unwrap_or(0.0);
    let mut parts = vec![
        instances(model),
        format!("{} events/s", number(rate.into(), 1)),
        counted(model.counts.events, "event"),
    ];
    parts.extend(troubles(model));
    let mut second = format!(" {}", parts.join(", "));
    if let Some(last) = &model.last_unclear {
        second.push_str(&format!(" (last: {last})"));
    }
    let [first, below] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let [text, clock] = Layout::horizontal([Constraint::Min(0), Constraint::Length(13)]).areas(first);
    frame.render_widget(left, text);
    frame.render_widget(Line::from(time).right_aligned(), clock);
    frame.render_widget(Line::from(vec![Span::styled(cause, bad()), second.into()]), below);
}

fn footer(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let [raw, quit] = Layout::horizontal([Constraint::Min(0), Constraint::Length(9)]).areas(area);
    frame.render_widget(Line::from(format!(" {}", model.broker.raw_command)).dim(), raw);
    frame.render_widget(Line::from("q quits ").right_aligned().dim(), quit);
}

fn draw_instances(frame: &mut Frame<'_>, area: Rect, model: &Model, now: Instant) {
    if model.instances.is_empty() {
        frame.render_widget(Paragraph::new(" none heard of yet").block(titled("instances".into())), area);
        return;
    }
    let fit = usize::from(area.height / INSTANCE_ROWS);
    let hidden = model.instances.len().saturating_sub(fit);
    for (n, (id, instance)) in model.instances.iter().take(fit).enumerate() {
        let y = area.y.saturating_add(rows(n).saturating_mul(INSTANCE_ROWS));
        let place = Rect { y, height: INSTANCE_ROWS, ..area }.intersection(area);
        let more = if n + 1 == fit && hidden > 0 { format!(" (and {hidden} more)") } else { String::new() };
        let text = Paragraph::new(instance_line(instance, model.boards.of(id), now));
        frame.render_widget(text.block(titled(format!("{id}{more}"))), place);
    }
}

/// The most important first: a narrow screen cuts the end.
fn instance_line(instance: &Instance, board: Option<&Board>, now: Instant) -> Line<'static> {
    let bad_news = |status: &Status| status.status == "error" || !status.stalled.is_empty();
    let troubled = instance.status.as_ref().is_some_and(|s| bad_news(&s.what)) || instance.is_gone();
    let style = if troubled { bad() } else { Style::new() };
    let mut spans = vec![" ".into(), Span::styled(status_words(instance), style)];
    // One line: of all that is wrong the worst, and how much more there is.
    let mut wrong = board.into_iter().flat_map(Board::conditions);
    if let Some((kind, text)) = wrong.next() {
        let more = wrong.count();
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        spans.push(Span::styled(format!("   {}: {text}{more}", kind.to_uppercase()), bad()));
    }
    let mut add = |text: String| spans.push(Span::raw(format!("   {text}")));
    if let Some(pump) = board.and_then(|board| board.pump.as_ref()) {
        add(format!("pump {pump}"));
    }
    if instance.is_gone() {
        if let Some(told) = &instance.status {
            add(format!("{} ago", age(told.age(now))));
        }
    } else {
        match instance.heard.map(|at| now.since(at)) {
            None => add("not heard itself yet".into()),
            Some(d) if d.as_secs() >= SILENT_AFTER_S => add(format!("silent for {}", age(d))),
            Some(_) => {}
        }
    }
    let engine = &instance.engine;
    if let Some(name) = &engine.name {
        let mode = engine.mode.as_ref().map(|m| format!(", {m}")).unwrap_or_default();
        add(format!("{name}{mode}"));
    }
    if let Some(model) = &engine.model_id {
        add(model.clone());
    }
    if !instance.is_gone() {
        if let Some(up) = uptime(instance, now) {
            add(format!("up {up}"));
        }
        if let Some(throughput) = throughput(instance, now) {
            add(throughput);
        }
    }
    Line::from(spans)
}

fn uptime(instance: &Instance, now: Instant) -> Option<String> {
    let told = instance.status.as_ref()?;
    told.what.uptime().map(|up| span(up.saturating_add(told.age(now))))
}

fn throughput(instance: &Instance, now: Instant) -> Option<String> {
    let told = instance.metrics.as_ref()?;
    let mut text = format!("{} fps", number(told.what.inference_throughput, 2));
    if let Some(latency) = told.what.avg_latency_ms {
        text.push_str(&format!(", {} ms", number(latency, 0)));
    }
    let old = told.age(now);
    if old.as_secs() > METRICS_FRESH_S {
        text.push_str(&format!(" ({} ago)", age(old)));
    }
    Some(text)
}

fn draw_cameras(frame: &mut Frame<'_>, area: Rect, model: &Model, table: Vec<CameraRow>, now: Instant) {
    let [running, all] = cameras(now, model);
    let hidden = table.len().saturating_sub(usize::from(area.height.saturating_sub(2)));
    let hidden = if hidden > 0 { format!("; {hidden} not shown") } else { String::new() };
    let title = format!("cameras: {running} of {all} running{hidden}");
    let several = model.instances.len() > 1;
    let mut names = vec!["room", "state", "fps", "latency", "infer", "age", "in the newest frame"];
    let mut widths = [5, 12, 5, 7, 6, 7].map(Constraint::Length).to_vec();
    widths.push(Constraint::Min(0));
    if several {
        names.insert(1, "instance");
        widths.insert(1, Constraint::Max(14));
    }
    let header =
        Row::new(names.iter().enumerate().map(|(n, name)| cell((*name).to_owned(), is_number(n, several))));
    let body = table.into_iter().map(|r| {
        let style = if r.troubled { bad() } else { Style::new() };
        let mut cells = r.cells;
        if !several {
            cells.remove(1);
        }
        Row::new(cells.into_iter().enumerate().map(|(n, c)| cell(c, is_number(n, several)))).style(style)
    });
    let table = Table::new(body, widths).column_spacing(1).header(header.style(Modifier::DIM));
    frame.render_widget(table.block(titled(title)), area);
}

/// Whether column `n` holds numbers, which stand on the right.
fn is_number(n: usize, several: bool) -> bool {
    let n = if several { n } else { n + usize::from(n > 0) };
    n == 0 || (3..=6).contains(&n)
}

fn cell(text: String, right: bool) -> Cell<'static> {
    let line = Line::from(text);
    Cell::from(if right { line.right_aligned() } else { line })
}

struct CameraRow {
    /// With the instance second.
    cells: Vec<String>,
    troubled: bool,
}

/// Rows by room, then by instance.
fn camera_rows(model: &Model, now: Instant) -> Vec<CameraRow> {
    let mut all: Vec<_> = model
        .instances
        .iter()
        .flat_map(|(name, i)| i.shown_cameras(now).map(move |(room, c)| (room, name, i, c)))
        .collect();
    all.sort_by_key(|&(room, name, ..)| (room, name));
    all.into_iter().map(|(room, name, i, c)| camera_row(room, name, i, c, now)).collect()
}

fn camera_row(room: u32, name: &str, instance: &Instance, camera: &Camera, now: Instant) -> CameraRow {
    let (state, cause) = match &camera.state {
        _ if instance.is_gone() => ("gone", "its instance is disconnected".to_owned()),
        None => ("-", String::new()),
        Some(s) if s.name == "waiting_keyframe" => ("waiting", "no keyframe yet".to_owned()),
        Some(s) => (s.name.as_str(), s.detail.clone()),
    };
    let newest = instance.newest(now, room, |e| {
        let fps = camera.fps(e, now).map(|v| number(v.into(), 1));
        let latency = e.latency_ms.map(|v| format!("{} ms", number(v.into(), 0)));
        let inference = format!("{} ms", number(e.inference_time_ms, 0));
        (fps, latency, inference, summary(&e.detections))
    });
    let (fps, latency, inference, found) =
        newest.map_or((None, None, None, None), |(f, l, i, s)| (f, l, Some(i), Some(s)));
    let last = camera.last_event.map(|at| age(now.since(at)));
    // A camera in trouble says why; what it saw last is of the past.
    let text = if cause.is_empty() { or_dash(found) } else { cause };
    let cells = vec![
        room.to_string(),
        name.to_owned(),
        state.to_owned(),
        or_dash(fps),
        or_dash(latency),
        or_dash(inference),
        or_dash(last),
        text,
    ];
    CameraRow { cells, troubled: matches!(state, "gone" | "reconnecting") }
}

fn draw_recent(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let several = model.instances.len() > 1;
    let fit = usize::from(area.height.saturating_sub(1));
    let lines: Vec<_> = model.recent.iter().take(fit).map(|s| Line::from(seen_line(s, several))).collect();
    frame.render_widget(Paragraph::new(lines).block(titled("last detections".into())), area);
}

fn seen_line(seen: &Seen, several: bool) -> String {
    let d = &seen.what;
    let n = |v: f32| number(v.into(), 0);
    let place = format!("centre {},{}", n(d.bbox.x), n(d.bbox.y));
    let size = format!("size {}x{}", n(d.bbox.width), n(d.bbox.height));
    let id = d.tracker_id.map(|id| format!("#{id}")).unwrap_or_default();
    let instance = if several { seen.instance.as_str() } else { "" };
    let (time, room, class) = (clock_time(seen.at), seen.source_id, &d.class_name);
    format!(
        " {time}  room {room:<3}  {class:<14.14} {:.2}  {place:<17} {size:<14} {id:<6} {instance}",
        d.confidence
    )
}

fn titled(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(Line::from(format!(" {title} ")).bold())
}

fn bad() -> Style {
    Style::new().red().bold()
}
