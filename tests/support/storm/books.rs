//! Who asked for what and what was answered: each request gets one final answer, and the same one again
//! whenever it is sent again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use vigia::clock;
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use super::maker::{Kind, Request};
use super::model::Wall;
use super::order::Order;

/// Requests that are remembered; the box remembers a few times as many.
const ACCOUNTS_MAX: usize = 1_000;
/// Of the newest this many some are sent again.
const AGAIN_AMONG: usize = 200;
/// Longer than any command may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Which answer somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    First,
    /// The stored one.
    Again,
    /// That the name is taken by another command.
    Reused,
}

/// A message without its answer.
#[derive(Debug)]
pub struct Errand {
    pub id: String,
    pub due: Due,
    pub payload: Vec<u8>,
    pub retain: bool,
    since: Instant,
    /// Sent again after a disturbance.
    repeated: bool,
}

/// A request and its answers so far.
#[derive(Debug)]
struct Account {
    kind: Kind,
    payload: Vec<u8>,
    /// Its final answer, and in which life of the box it was given.
    answer: Option<(String, u32)>,
    trace: Option<String>,
    /// Answers that may come beside those that are waited for: what was sent twice while nobody knew
    /// whether it had arrived, or was said twice because its acknowledgement was lost.
    spare: u32,
    spare_reused: u32,
}

/// The first final answer to an order.
#[derive(Debug)]
pub struct Fact {
    pub id: String,
    pub order: Order,
    /// `None`: completed.
    pub code: Option<String>,
    pub effect: Value,
    /// When it was given, and when the command had come.
    pub at: Wall,
    pub arrived: Wall,
}

#[derive(Debug, Default)]
pub struct Books {
    accounts: HashMap<String, Account>,
    /// In the order of their sending.
    order: VecDeque<String>,
    /// Answered ones, the newest last.
    answered: VecDeque<String>,
    pub errands: Vec<Errand>,
    spare_nameless: u32,
    /// How often the box was killed.
    pub lives: u32,
    pub finals: BTreeMap<String, u64>,
    pub latencies_ms: Vec<f64>,
    /// What took longest, and how long in milliseconds.
    pub slowest: (f64, String),
}

impl Books {
    /// Before a new request is sent.
    pub fn enter(&mut self, request: &Request) {
        let Request { kind, payload, .. } = request.clone();
        let account = Account { kind, payload, answer: None, trace: None, spare: 0, spare_reused: 0 };
        self.accounts.insert(request.id.clone(), account);
        self.order.push_back(request.id.clone());
        if !matches!(request.kind, Kind::Deaf) {
            self.expect(&request.id, Due::First, request.payload.clone(), request.retain);
        }
        self.forget();
    }

    /// An answered request, to be sent again as it was; `among` draws it. Nothing where it is just being
    /// sent again: what is in the middle of being served a second time is answered once.
    pub fn earlier(&self, among: impl FnOnce(usize) -> usize) -> Option<(String, Vec<u8>)> {
        let id = self.answered.get(among(self.answered.len().max(1)))?;
        let account = self.accounts.get(id)?;
        let is_open = self.errands.iter().any(|errand| errand.id == *id);
        (!is_open).then(|| (id.clone(), account.payload.clone()))
    }

    /// Whether the box knows this name after a kill, too.
    pub fn is_kept(&self, id: &str) -> bool {
        let account = self.accounts.get(id);
        account.is_some_and(|account| !matches!(&account.kind, Kind::Order(order) if order.is_query()))
    }

    pub fn expect(&mut self, id: &str, due: Due, payload: Vec<u8>, retain: bool) {
        let errand = Errand { id: id.to_owned(), due, payload, retain, since: clock::now(), repeated: false };
        self.errands.push(errand);
    }

    /// It was sent once more without waiting for the first answer.
    pub fn sent_twice(&mut self, id: &str) {
        self.accounts.entry(id.to_owned()).and_modify(|account| account.spare += 1);
    }

    /// Nobody knows what arrived: all that is open is sent again.
    pub fn repeat(&mut self) {
        for errand in &mut self.errands {
            (errand.since, errand.repeated) = (clock::now(), true);
            let account = self.accounts.get_mut(&errand.id).expect("errands have accounts");
            match (&account.kind, errand.due) {
                (Kind::Nameless(_), _) => self.spare_nameless += 1,
                (_, Due::Reused) => account.spare_reused += 1,
                (_, Due::First | Due::Again) => account.spare += 1,
            }
        }
    }

    /// The box may say again what it said: its broker died before it could acknowledge that.
    pub fn may_echo(&mut self) {
        self.spare_nameless += 1;
        for account in self.accounts.values_mut() {
            account.spare += 1;
            account.spare_reused += 1;
        }
    }

    /// What waits too long.
    pub fn overdue(&self) -> Option<String> {
        let old = |errand: &&Errand| clock::now().since(errand.since) > PATIENCE;
        let errand = self.errands.iter().find(old)?;
        Some(format!("no answer ({:?}) for {PATIENCE:?} to {}", errand.due, shown(&errand.payload)))
    }

    /// Orders without an answer.
    pub fn open_orders(&self) -> impl Iterator<Item = &Order> + Clone {
        self.errands.iter().filter(|errand| errand.due == Due::First).filter_map(|errand| {
            match &self.accounts.get(&errand.id)?.kind {
                Kind::Order(order) => Some(order),
                Kind::Wrong(_) | Kind::Outside(_) | Kind::Nameless(_) | Kind::Deaf => None,
            }
        })
    }

    /// Takes an answer in; the fact if it is the first final one to an order.
    ///
    /// # Errors
    /// One sentence if it must not have come.
    pub fn hear(&mut self, text: &str) -> Result<Option<Fact>, String> {
        let ack: Value = serde_json::from_str(text).map_err(|e| format!("an answer is no JSON: {e}"))?;
        let is_final = ack["ack_status"] != "received";
        let code = ack["code"].as_str();
        if is_final {
            *self.finals.entry(code.unwrap_or("completed").to_owned()).or_default() += 1;
        }
        let Some(id) = ack["request_id"].as_str() else { return self.nameless(code).map(|()| None) };
        let lives = self.lives;
        let account = self.accounts.get_mut(id).ok_or("nobody asked for this answer")?;
        let only_asks = matches!(&account.kind, Kind::Order(order) if order.is_query());
        // What only asks is not kept on the disk, and is served again after a kill.
        let forgets = only_asks && account.answer.as_ref().is_some_and(|(_, life)| *life < lives);
        if !is_final {
            return account.received(&ack, forgets).map(|()| None);
        }
        match &account.kind {
            Kind::Deaf | Kind::Nameless(_) => return Err("this must not be answered".to_owned()),
            Kind::Outside(want) if code != Some(want) => return Err(format!("{want} is expected")),
            Kind::Outside(_) => return self.settle(id, Due::First).map(|()| None),
            Kind::Order(_) | Kind::Wrong(_) if code == Some("request_id_reused") => {
                return self.settle(id, Due::Reused).map(|()| None);
            }
            Kind::Wrong(want) if code != Some(want) => return Err(format!("{want} is expected")),
            Kind::Order(_) | Kind::Wrong(_) => {}
        }
        let again = match &account.answer {
            None => false,
            Some((answer, _)) if answer == text => return self.settle(id, Due::Again).map(|()| None),
            Some(_) if forgets => true,
            Some((answer, _)) => return Err(format!("it was answered otherwise before: {answer}")),
        };
        account.answer = Some((text.to_owned(), lives));
        account.trace = ack["trace_id"].as_str().map(str::to_owned);
        let fact = match &account.kind {
            Kind::Order(order) => Some(fact(order.clone(), &ack)?),
            Kind::Wrong(_) | Kind::Outside(_) | Kind::Nameless(_) | Kind::Deaf => None,
        };
        if again {
            return self.settle(id, Due::Again).map(|()| None);
        }
        self.answered.push_back(id.to_owned());
        self.settle(id, Due::First)?;
        Ok(fact)
    }

    fn nameless(&mut self, code: Option<&str>) -> Result<(), String> {
        let accounts = &self.accounts;
        let waits = |errand: &Errand| matches!(&accounts[&errand.id].kind, Kind::Nameless(want) if code == Some(want));
        match self.errands.iter().position(waits) {
            Some(at) => drop(self.errands.remove(at)),
            None if self.spare_nameless > 0 => self.spare_nameless -= 1,
            None => return Err("nobody waits for this answer without a name".to_owned()),
        }
        Ok(())
    }

    /// Somebody waited for this answer, or it may come beside.
    fn settle(&mut self, id: &str, due: Due) -> Result<(), String> {
        if let Some(at) = self.errands.iter().position(|errand| errand.id == id && errand.due == due) {
            let errand = self.errands.remove(at);
            if due == Due::First && !errand.repeated {
                let took_ms = clock::now().since(errand.since).as_secs_f64() * 1e3;
                self.latencies_ms.push(took_ms);
                if took_ms > self.slowest.0 {
                    self.slowest = (took_ms, shown(&errand.payload));
                }
            }
            return Ok(());
        }
        let account = self.accounts.get_mut(id).ok_or("nobody asked for this answer")?;
        let spare = if due == Due::Reused { &mut account.spare_reused } else { &mut account.spare };
        *spare = spare.checked_sub(1).ok_or("it was answered more often than asked")?;
        Ok(())
    }

    /// The box forgets, too. What is open stays.
    fn forget(&mut self) {
        while self.order.len() > ACCOUNTS_MAX
            && let Some(id) = self.order.pop_front()
        {
            if self.errands.iter().any(|errand| errand.id == id) {
                self.order.push_back(id);
                return;
            }
            self.accounts.remove(&id);
        }
        while self.answered.len() > AGAIN_AMONG {
            self.answered.pop_front();
        }
    }
}

impl Account {
    /// One execution has one trace: another one after the final answer is a second execution.
    fn received(&mut self, ack: &Value, forgets: bool) -> Result<(), String> {
        let trace = ack["trace_id"].as_str().map(str::to_owned);
        match self.kind {
            Kind::Outside(_) | Kind::Nameless(_) | Kind::Deaf => Err("it must not be taken in".to_owned()),
            Kind::Order(_) | Kind::Wrong(_) => match &self.answer {
                Some((answer, _)) if trace != self.trace && !forgets => {
                    Err(format!("it is carried out a second time, after the answer {answer}"))
                }
                Some(_) | None => Ok(()),
            },
        }
    }
}

fn fact(order: Order, ack: &Value) -> Result<Fact, String> {
    let at = wall(&ack["timestamp"]).ok_or("its timestamp can't be read")?;
    let took_ms = ack["duration_ms"].as_f64().ok_or("a final answer says how long it took")?;
    let is_completed = ack["ack_status"] == "completed";
    let code = ack["code"].as_str().map(str::to_owned);
    if is_completed == code.is_some() {
        return Err("an error has a code, and nothing else has".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, reason = "minutes fit in nanoseconds")]
    let took = (took_ms * 1e6) as Wall;
    let id = ack["request_id"].as_str().unwrap_or_default().to_owned();
    Ok(Fact { id, order, code, effect: ack["effect"].clone(), at, arrived: at - took })
}

fn shown(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).chars().take(300).collect()
}

/// A time on the wire.
pub fn wall(value: &Value) -> Option<Wall> {
    serde_json::from_value::<Utc>(value.clone()).ok().map(Utc::as_unix_ns)
}
