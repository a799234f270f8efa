//! What an update comes as: a signed file, or its address.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Places, Release, UpdateError, Version, tool};

const WHERE_BYTES_MAX: usize = 2_048;
const INFO_MAX: Duration = Duration::from_secs(60);

/// Where a bundle is: an absolute path, or an https address without a password in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bundle(String);

impl Bundle {
    /// # Errors
    /// One sentence: what it is, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
        let wrong = |why: &str| {
            Err(format!(
                "the bundle «{}» {why}; it is an absolute path as in /data/update/vigia-0.2.0.raucb, or an address as in https://updates.example/vigia-0.2.0.raucb",
                without_query(&shown)
            ))
        };
        if text.len() > WHERE_BYTES_MAX {
            return wrong(&format!("is named in more than {WHERE_BYTES_MAX} bytes"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return wrong("has a blank in its name");
        }
        if let Some(rest) = text.strip_prefix("https://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            // Not shown again: what stands before the @ is a password.
            if host.contains('@') {
                return Err("the bundle's address holds a user or a password, which logs would show; \
                            https addresses without them are taken"
                    .into());
            }
            return if host.is_empty() { wrong("has no host") } else { Ok(Self(text.to_owned())) };
        }
        if text.contains("://") {
            return wrong("is not fetched by https");
        }
        if !text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return wrong("is neither");
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// For RAUC.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What follows a `?` may be a key.
fn without_query(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

impl std::fmt::Display for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(without_query(&self.0))
    }
}

impl TryFrom<String> for Bundle {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Bundle> for String {
    fn from(bundle: Bundle) -> Self {
        bundle.0
    }
}

/// What its signed manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub compatible: String,
    pub version: Version,
    pub description: Option<String>,
}

#[derive(Deserialize)]
struct RaucInfo {
    compatible: String,
    version: Option<String>,
    description: Option<String>,
}

/// Asks RAUC, which checks the signature of the manifest. The images are checked as they are read, at the installation.
///
/// # Errors
/// No file, no bundle, none of this machine, not signed by whom this box trusts, or RAUC can't be run.
pub fn inspect(bundle: &Bundle, places: &Places) -> Result<Manifest, UpdateError> {
    if bundle.is_remote() {
        return Err(UpdateError::Refused(format!(
            "{bundle} lies on another machine: RAUC looks at it while it installs it; what is fetched first can be checked"
        )));
    }
    let path = Path::new(bundle.expose());
    let file = std::fs::metadata(path).map_err(UpdateError::file(path))?;
    if !file.is_file() {
        return Err(UpdateError::Refused(format!("{bundle} is no file")));
    }
    let mut command = tool::rauc(places);
    command.args(["info", "--output-format=json", bundle.expose()]);
    let said = tool::run(command, INFO_MAX)?;
    if !said.ok {
        let why = tool::cause(&said.err);
        return Err(UpdateError::Refused(format!("{bundle} is no bundle that this box trusts: {why}")));
    }
    let line = said.out.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    let info: RaucInfo = serde_json::from_str(line)
        .map_err(|e| UpdateError::Refused(format!("what rauc says of {bundle} can't be read: {e}")))?;
    let given = info.version.unwrap_or_default();
    let version = Version::parse(&given).ok_or_else(|| {
        UpdateError::Refused(format!("the version of {bundle} is «{given}», not numbers with dots"))
    })?;
    Ok(Manifest { compatible: info.compatible, version, description: info.description })
}

/// Whether this box takes it.
///
/// # Errors
/// One sentence: for another kind of box, or older than the floor.
pub fn judge(manifest: &Manifest, release: &Release) -> Result<(), UpdateError> {
    let Manifest { compatible, version, .. } = manifest;
    if *compatible != release.compatible {
        let own = &release.compatible;
        return Err(UpdateError::Refused(format!("the bundle is for {compatible}, this box is {own}")));
    }
    if *version < release.floor {
        let floor = &release.floor;
        return Err(UpdateError::Refused(format!(
            "version {version} is older than {floor}, the oldest that this box still takes"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_a_path_or_an_https_address() {
        for good in ["/data/a.raucb", "https://updates.example/a.raucb?key=1", "https://[::1]:8443/a"] {
            assert!(Bundle::parse(good).is_ok(), "{good}");
        }
        for (bad, phrase) in [
            ("", "is neither"),
            ("a.raucb", "is neither"),
            ("--conf=/tmp/x", "is neither"),
            ("/data/../etc/x", "is neither"),
            ("http://x/a", "https"),
            ("file:///a", "https"),
            ("https:///a", "no host"),
            ("https://u:geheim@x/a", "password"),
            ("/data/a b", "blank"),
            ("/data/a\nb", "blank"),
        ] {
            let why = Bundle::parse(bad).expect_err(bad);
            assert!(why.contains(phrase) && !why.contains("geheim"), "{bad}: {why}");
        }
        assert!(Bundle::parse(&format!("/{}", "a".repeat(3_000))).is_err());
        let shown = Bundle::parse("https://x/a.raucb?key=geheim").expect("good").to_string();
        assert_eq!(shown, "https://x/a.raucb");
    }
}
