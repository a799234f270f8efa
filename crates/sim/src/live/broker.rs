//! mosquitto with the project's configuration and access list.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::children::rest;
use super::{Children, Folder};

const CONFIGURATION: &str = "configs/mosquitto.conf";
const ACCESS: &str = "configs/mosquitto.acl";
/// Looks at whether it listens, each a tenth of a second after the other.
const LOOKS: u32 = 50;

/// A broker on loopback.
#[derive(Debug)]
pub struct Broker {
    pub port: u16,
    /// Of the user vigia.
    password: String,
}

impl Broker {
    /// Starts one on a free port; on return it listens.
    ///
    /// # Errors
    /// One sentence.
    pub fn start(children: &mut Children, folder: &Folder) -> Result<Self, String> {
        let broker = Self { port: free_port()?, password: random_hex()? };
        let acl = fs::canonicalize(ACCESS).map_err(|e| format!("{ACCESS}: {e}"))?;
        let text = fs::read_to_string(CONFIGURATION).map_err(|e| format!("{CONFIGURATION}: {e}"))?;
        let passwords = folder.write("mosquitto.passwd", &format!("vigia:{}\n", broker.password))?;
        // -U hashes the file in place: a password on the command line could be read by anybody.
        let made = Command::new("mosquitto_passwd").arg("-U").arg(&passwords).output();
        if !made.is_ok_and(|o| o.status.success()) {
            return Err("mosquitto_passwd failed: is mosquitto installed?".into());
        }
        let text = text
            .replace("listener 1883", &format!("listener {}", broker.port))
            .replace("password_file mosquitto.passwd", &format!("password_file {}", passwords.display()))
            .replace("acl_file mosquitto.acl", &format!("acl_file {}", acl.display()));
        // As root, mosquitto would drop to a user that may not read our files.
        let conf = folder.write("mosquitto.conf", &format!("{text}user root\n"))?;
        let mut command = Command::new(mosquitto());
        command.arg("-c").arg(&conf).stdout(Stdio::null()).stderr(folder.log("mosquitto.log")?);
        children.spawn("mosquitto", &mut command)?;
        broker.wait()?;
        Ok(broker)
    }

    /// Lets a program act as vigia.
    pub fn log_in(&self, command: &mut Command) {
        command.env("MQTT_USERNAME", "vigia").env("MQTT_PASSWORD", &self.password);
    }

    fn wait(&self) -> Result<(), String> {
        for _ in 0..LOOKS {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            rest(Duration::from_millis(100));
        }
        Err("the broker does not listen; see mosquitto.log".to_owned())
    }
}

/// Debian keeps it out of a user's PATH.
fn mosquitto() -> &'static str {
    if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}

fn random_hex() -> Result<String, String> {
    let failed = |e: std::io::Error| format!("/dev/urandom: {e}");
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).map_err(failed)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|a| a.port()).map_err(|e| format!("loopback has no free port: {e}"))
}
