//! Both ends of the wire in our own few lines of MQTT 3.1.1: senders at QoS 1, and one pair of ears.
//! Neither outlives its broker; who restarts that connects anew.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

use crate::broker::connect;

const PUBLISH_QOS_0: u8 = 0x30;
const PUBLISH_QOS_1: u8 = 0x32;
const RETAIN: u8 = 0x01;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
/// A broker that takes nothing for this long is as good as dead.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// A message as it came.
#[derive(Debug)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
}

/// The broker is gone, and all it said was heard.
#[derive(Debug)]
pub struct Gone;

/// Hears all that an instance says, in its order. At QoS 0, because a broker sends what is QoS 1 in a
/// window of its own, and detections would overtake the answers that speak of them. On a live
/// connection nothing is lost this way either, and one that dies loses both.
#[derive(Debug)]
pub struct Ear {
    heard: Receiver<Heard>,
    stream: TcpStream,
}

impl Ear {
    /// On return the subscriptions are live.
    pub fn open(port: u16, filters: &[&str]) -> io::Result<Self> {
        let mut stream = connect(port, "ear")?;
        let mut body = vec![0, 1];
        for filter in filters {
            text(&mut body, filter);
            body.push(0);
        }
        stream.write_all(&packet(SUBSCRIBE, &body))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let (sink, heard) = unbounded();
        // Retained messages may overtake the SUBACK.
        loop {
            let (header, body) = receive(&mut reader)?;
            match header & 0xF0 {
                SUBACK => break,
                PUBLISH_QOS_0 => drop(sink.send(published(body))),
                _ => {}
            }
        }
        thread::spawn(move || {
            while let Ok((header, body)) = receive(&mut reader) {
                if header & 0xF0 == PUBLISH_QOS_0 && sink.send(published(body)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { heard, stream })
    }

    /// The next message, if one comes within the limit.
    pub fn next(&self, limit: Duration) -> Result<Option<Heard>, Gone> {
        match self.heard.recv_timeout(limit) {
            Ok(heard) => Ok(Some(heard)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _already_gone = self.stream.shutdown(Shutdown::Both);
    }
}

/// A sender of commands.
#[derive(Debug)]
pub struct Mouth {
    stream: TcpStream,
    packet_id: u16,
}

impl Mouth {
    pub fn open(port: u16, client_id: &str) -> io::Result<Self> {
        let stream = connect(port, client_id)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(STUCK_AFTER))?;
        let mut acknowledgements = stream.try_clone()?;
        // A PUBACK proves nothing here: the broker had it, the instance may not. Answers prove.
        thread::spawn(move || io::copy(&mut acknowledgements, &mut io::sink()));
        Ok(Self { stream, packet_id: 0 })
    }

    /// Publishes at QoS 1.
    pub fn say(&mut self, topic: &str, payload: &[u8], retain: bool) -> io::Result<()> {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        text(&mut body, topic);
        body.extend(self.packet_id.to_be_bytes());
        body.extend(payload);
        self.stream.write_all(&packet(PUBLISH_QOS_1 | if retain { RETAIN } else { 0 }, &body))
    }
}

impl Drop for Mouth {
    fn drop(&mut self) {
        let _already_gone = self.stream.shutdown(Shutdown::Both);
    }
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).expect("topics are short").to_be_bytes());
    body.extend(text.as_bytes());
}

fn packet(header: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![header];
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
    packet
}

fn receive(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
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
fn published(mut body: Vec<u8>) -> Heard {
    let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let payload = body.split_off(2 + len);
    Heard { topic: String::from_utf8_lossy(&body[2..]).into_owned(), payload }
}
