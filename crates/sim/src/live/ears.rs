//! Who listens on the broker: a few lines of MQTT 3.1.1 of its own, as a client without a name, who
//! may look and not act.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use vigia_core::time::Instant;

use crate::departure::now;

/// Larger messages than the broker's limit are not believed.
const BODY_LEN_MAX: usize = 512 * 1024;

/// One message.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it arrived here.
    pub at: Instant,
    pub topic: String,
    pub payload: Vec<u8>,
    pub retained: bool,
}

/// A subscription.
#[derive(Debug)]
pub struct Ears {
    stream: TcpStream,
    heard: Receiver<Heard>,
}

impl Ears {
    /// Connects and subscribes.
    ///
    /// # Errors
    /// One sentence.
    pub fn open(port: u16, filters: &[&str]) -> Result<Self, String> {
        let failed = |e: io::Error| format!("the broker can't be listened to: {e}");
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        greet(&mut stream, filters).map_err(failed)?;
        let (mut reader, (to, heard)) = (stream.try_clone().map_err(failed)?, mpsc::channel());
        thread::Builder::new()
            .name("sim-ears".to_owned())
            // It ends with the connection.
            .spawn(move || listen(&mut reader, &to).unwrap_or_default())
            .map_err(failed)?;
        Ok(Self { stream, heard })
    }

    /// The next message, if one comes in this time.
    ///
    /// # Errors
    /// One sentence, when the connection is lost.
    pub fn next(&self, wait: Duration) -> Result<Option<Heard>, String> {
        match self.heard.recv_timeout(wait) {
            Ok(heard) => Ok(Some(heard)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err("the broker has gone".to_owned()),
        }
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn greet(stream: &mut TcpStream, filters: &[&str]) -> io::Result<()> {
    let mut body = string("MQTT")?;
    // A clean session that never pings; the broker makes up a name.
    body.extend([4, 2, 0, 0]);
    body.extend(string("")?);
    send(stream, 0x10, &body)?;
    let (_, answer) = receive(stream)?;
    if answer.get(1) != Some(&0) {
        return Err(io::Error::other("it refuses"));
    }
    let mut body = vec![0, 1];
    for filter in filters {
        body.extend(string(filter)?);
        body.push(0);
    }
    send(stream, 0x82, &body)
}

fn listen(stream: &mut TcpStream, to: &Sender<Heard>) -> io::Result<()> {
    loop {
        let (header, body) = receive(stream)?;
        if header >> 4 == 3
            && let Some(heard) = parse(header, &body)
            && to.send(heard).is_err()
        {
            return Ok(());
        }
    }
}

/// A PUBLISH at QoS 0: topic, then payload.
fn parse(header: u8, body: &[u8]) -> Option<Heard> {
    let (len, rest) = body.split_first_chunk::<2>()?;
    let (topic, payload) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    let topic = String::from_utf8(topic.to_vec()).ok()?;
    Some(Heard { at: now(), topic, payload: payload.to_vec(), retained: header & 1 == 1 })
}

fn string(text: &str) -> io::Result<Vec<u8>> {
    let len = u16::try_from(text.len()).map_err(io::Error::other)?;
    Ok([&len.to_be_bytes(), text.as_bytes()].concat())
}

fn send(stream: &mut TcpStream, header: u8, body: &[u8]) -> io::Result<()> {
    let len = u8::try_from(body.len()).ok().filter(|len| *len < 0x80);
    let len = len.ok_or_else(|| io::Error::other("more is asked for than fits a short packet"))?;
    stream.write_all(&[&[header, len], body].concat())
}

fn receive(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let header = byte[0];
    let mut len = 0_usize;
    for shift in [0, 7, 14, 21] {
        stream.read_exact(&mut byte)?;
        len |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    if len > BODY_LEN_MAX {
        return Err(io::Error::other("a message is too large"));
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok((header, body))
}
