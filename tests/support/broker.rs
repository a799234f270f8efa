//! A real mosquitto per test, on a port of its own, and a witness that speaks raw MQTT.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use vigia::clock;

const MOSQUITTO: &str = "/usr/sbin/mosquitto";
static DIR_NUMBER: AtomicU32 = AtomicU32::new(0);

/// Waits for `ready`, looking every few milliseconds. Panics after `limit`.
pub fn wait_for(what: &str, limit: Duration, mut ready: impl FnMut() -> bool) {
    let since = clock::now();
    while !ready() {
        assert!(clock::now().since(since) < limit, "waited {limit:?} in vain for: {what}");
        rest(Duration::from_millis(5));
    }
}

/// Lets time pass. For load generation and for "nothing happens"; events are waited for.
pub fn rest(span: Duration) {
    let _always_late = crossbeam_channel::never::<()>().recv_timeout(span);
}

/// A directory that goes away with its owner.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new() -> Self {
        let number = DIR_NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vigia-mqtt-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody listens at, and that no other test of this program was given: it is free again until its broker
/// listens, so the kernel may name it twice.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

pub struct Broker {
    pub port: u16,
    dir: TempDir,
    child: Option<Child>,
}

impl Broker {
    /// Starts mosquitto; `None`, said aloud, where it is not installed.
    pub fn start(extra: &str) -> Option<Self> {
        let mut broker = Self::prepare(extra)?;
        broker.launch();
        Some(broker)
    }

    /// A broker with a port and a configuration that does not run yet.
    pub fn prepare(extra: &str) -> Option<Self> {
        if !Path::new(MOSQUITTO).exists() {
            println!("SKIPPED: {MOSQUITTO} is not installed");
            return None;
        }
        let broker = Self { port: free_port(), dir: TempDir::new(), child: None };
        let access = if extra.contains("allow_anonymous") { "" } else { "allow_anonymous true\n" };
        let text = format!(
            "listener {} 127.0.0.1\nuser root\npersistence false\nmax_queued_messages 0\n\
             log_type subscribe\nlog_type error\n{access}{extra}\n",
            broker.port
        );
        fs::write(broker.dir.0.join("mosquitto.conf"), text).expect("the directory is ours");
        Some(broker)
    }

    /// Starts it, or starts it again on the same port, and waits until it accepts.
    pub fn launch(&mut self) {
        let log = fs::File::create(self.log_file()).expect("the directory is ours");
        let child = Command::new(MOSQUITTO)
            .arg("-c")
            .arg(self.dir.0.join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mosquitto starts");
        let child = self.child.insert(child);
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        wait_for("mosquitto to listen", Duration::from_secs(30), || TcpStream::connect(at).is_ok());
        assert!(child.try_wait().expect("it is ours").is_none(), "mosquitto ended: is its port taken?");
    }

    fn log_file(&self) -> PathBuf {
        self.dir.0.join("mosquitto.log")
    }

    /// What was subscribed to at what quality since its start: `client quality filter` each.
    #[allow(dead_code, reason = "not every test asks")]
    pub fn subscriptions(&self) -> String {
        fs::read_to_string(self.log_file()).expect("it has been started")
    }

    /// The power cut: no goodbye, nothing kept.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it was running");
            child.wait().expect("it was ours");
        }
    }

    /// Stops it in its tracks; the kernel goes on accepting bytes for it.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill exists");
        assert!(sent.success(), "kill {signal} {pid}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retained: bool,
}

/// Subscribes with its own few lines of MQTT 3.1.1, so that no test trusts paho on both ends.
pub struct Witness {
    seen: Arc<Mutex<Vec<Seen>>>,
    stream: TcpStream,
}

impl Witness {
    /// Connects and subscribes `filter` at QoS 0; on return the subscription is live.
    pub fn start(port: u16, client_id: &str, filter: &str) -> io::Result<Self> {
        let mut stream = connect(port, client_id)?;
        let mut body = vec![0, 1];
        string(&mut body, filter);
        body.push(0);
        send(&mut stream, 0x82, &body)?;
        // Retained messages may overtake the SUBACK.
        let seen = Arc::new(Mutex::new(Vec::new()));
        loop {
            let (header, body) = receive(&mut stream)?;
            match header >> 4 {
                9 => break,
                3 => seen.lock().push(parse(header, &body)),
                _ => {}
            }
        }
        let (mut reader, sink) = (stream.try_clone()?, Arc::clone(&seen));
        thread::spawn(move || {
            while let Ok((header, body)) = receive(&mut reader) {
                if header >> 4 == 3 {
                    sink.lock().push(parse(header, &body));
                }
            }
        });
        Ok(Self { seen, stream })
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    pub fn count(&self, topic_prefix: &str) -> usize {
        self.seen.lock().iter().filter(|s| s.topic.starts_with(topic_prefix)).count()
    }

    /// Numbers that arrived as payloads below `topic_prefix`, in order.
    pub fn numbers(&self, topic_prefix: &str) -> Vec<u64> {
        let seen = self.seen.lock();
        let texts = seen.iter().filter(|s| s.topic.starts_with(topic_prefix));
        texts.filter_map(|s| std::str::from_utf8(&s.payload).ok()?.parse().ok()).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _already_gone = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// A bare MQTT 3.1.1 connection: enough to evict another client by its id.
pub fn connect(port: u16, client_id: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut body = Vec::new();
    string(&mut body, "MQTT");
    body.extend([4, 2, 0, 0]);
    string(&mut body, client_id);
    send(&mut stream, 0x10, &body)?;
    let (_, answer) = receive(&mut stream)?;
    if answer.get(1) == Some(&0) { Ok(stream) } else { Err(io::Error::other("CONNACK refuses")) }
}

/// Publishes at QoS 0 on a bare connection.
#[allow(dead_code, reason = "not every test publishes")]
pub fn publish(stream: &mut TcpStream, topic: &str, payload: &[u8], retain: bool) {
    let mut body = Vec::new();
    string(&mut body, topic);
    body.extend(payload);
    let mut packet = vec![0x30 | u8::from(retain)];
    let mut len = body.len();
    loop {
        let low = u8::try_from(len % 128).expect("below 128");
        len /= 128;
        packet.push(if len > 0 { low | 0x80 } else { low });
        if len == 0 {
            break;
        }
    }
    packet.extend(body);
    stream.write_all(&packet).expect("the broker takes it");
}

fn string(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("test strings are short");
    out.extend(len.to_be_bytes());
    out.extend(text.as_bytes());
}

fn send(stream: &mut TcpStream, header: u8, body: &[u8]) -> io::Result<()> {
    let len = u8::try_from(body.len()).ok().filter(|n| *n < 128).expect("test packets are short");
    let mut packet = vec![header, len];
    packet.extend(body);
    stream.write_all(&packet)
}

fn receive(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let header = byte[0];
    let (mut len, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        len |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok((header, body))
}

/// A PUBLISH at QoS 0: topic, then payload.
fn parse(header: u8, body: &[u8]) -> Seen {
    let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8_lossy(&body[2..2 + len]).into_owned();
    Seen { topic, payload: body[2 + len..].to_vec(), retained: header & 1 == 1 }
}

/// Certificates for a broker called `localhost`: CA, certificate, key. `None`, said aloud,
/// where openssl is missing.
pub fn certificates(dir: &Path) -> Option<()> {
    let run = |args: &str| {
        let status = Command::new("openssl")
            .args(args.split(' '))
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|s| s.success())
    };
    let mut ext = String::new();
    writeln!(ext, "subjectAltName=DNS:localhost").expect("a string takes it");
    fs::write(dir.join("ext"), ext).expect("the directory is ours");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let made = run(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca"))
        && run(&format!("req -x509 {key} -keyout other.key -out other.pem -days 2 -subj /CN=other-ca"))
        && run(&format!("req {key} -keyout broker.key -out broker.csr -subj /CN=localhost"))
        && run(
            "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out broker.pem",
        );
    if !made {
        println!("SKIPPED: openssl cannot make certificates here");
    }
    made.then_some(())
}
