//! The few packets of MQTT 3.1.1 that measuring needs, at QoS 0. The tests' witness reads byte by
//! byte and keeps no time; here ten thousand messages a second go one way and their times count.

use std::io::{self, Read};

const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;

pub fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    text(&mut body, filter);
    body.push(0);
    packet(SUBSCRIBE, &body)
}

pub fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 2);
    text(&mut body, topic);
    body.extend(payload);
    packet(PUBLISH, &body)
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

/// Topic and payload of the next PUBLISH; other packets are skipped.
pub fn next_published(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    loop {
        let (header, mut body) = receive(stream)?;
        if header & 0xF0 == PUBLISH {
            let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
            let payload = body.split_off(2 + len);
            return Ok((String::from_utf8_lossy(&body[2..]).into_owned(), payload));
        }
    }
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
