//! The settings: the address of the server and the options of its URL.

use redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use std::collections::HashSet;
use std::time::Duration;

/// The settings of a URL.
#[derive(Clone)]
pub struct Settings {
    /// The server, with user and password. For a cluster, some of its servers: one of them must be reachable at the start.
    pub servers: Vec<ConnectionInfo>,
    /// How the primary is found; `None`: `servers` have the keys themselves.
    pub sentinel: Option<Sentinel>,
    /// The prefix of all keys in the server.
    pub prefix: Vec<u8>,
    /// How long a lease lasts: a process may take this long to load the key.
    pub lease: Duration,
    /// The pause after each read of the log, so that one read returns more entries.
    pub notify: Duration,
    /// The approximate number of writes that the log keeps.
    pub log_entries: u64,
    /// Each time that the log cannot be read for this long, everything that the process has cached expires. `None`: never.
    pub blind: Option<Duration>,
    /// How long writes are remembered, so that they can be sent again to a server that may have lost them.
    pub journal: Duration,
    /// Whether everything is cleared after a server has restarted with data from a file.
    pub clears_restarted: bool,
    /// Entries of this many bytes or more are compressed; `None`: no entry is.
    pub compress_min: Option<usize>,
    /// The longest entry that is decompressed, in bytes. A longer one is a miss.
    pub plain_max: usize,
    /// How long connecting may take.
    pub connect: Duration,
    /// How long a command may take before the connection is given up.
    pub command: Duration,
    /// The longest pause between two attempts to connect.
    pub reconnect_cap: Duration,
}

/// Sentinels, which name the current primary. The hosts in the URL are theirs; its user and password are the primary's.
#[derive(Clone)]
pub struct Sentinel {
    /// The name by which they know the primary.
    pub primary: String,
    /// Their addresses, with a user and a password of their own.
    pub servers: Vec<ConnectionInfo>,
}

/// Options of the connection, which the crate `redis` parses.
const OF_SERVER: &[&str] = &["db", "user", "pass", "protocol"];

const PREFIX_HELP: &str =
    "The URL needs the option prefix, which keeps the keys of one application apart from those of others: redis://host:6379/?prefix=shop";

impl Settings {
    /// Parses a URL. The error is a sentence that says what is wrong and how to fix it, without the URL, which may contain a password.
    pub fn from_url(url: &str) -> Result<Settings, String> {
        let (url, fragment) = match url.split_once('#') {
            Some((url, fragment)) => (url, Some(fragment)),
            None => (url, None),
        };
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let options: Vec<&str> = query.split('&').filter(|option| !option.is_empty()).collect();
        let of_server = |option: &&&str| OF_SERVER.contains(&option.split('=').next().unwrap_or_default());
        let (mut primary, mut of_sentinel) = (None, RedisConnectionInfo::default());
        let mut settings = Settings {
            sentinel: None,
            servers: servers(address, &options.iter().filter(of_server).copied().collect::<Vec<_>>().join("&"), fragment)?,
            prefix: Vec::new(),
            lease: Duration::from_millis(10_000),
            notify: Duration::from_millis(10),
            log_entries: 100_000,
            blind: Some(Duration::from_millis(5_000)),
            journal: Duration::from_millis(10_000),
            clears_restarted: true,
            compress_min: None,
            plain_max: 64 << 20,
            connect: Duration::from_millis(1_000),
            command: Duration::from_millis(500),
            reconnect_cap: Duration::from_millis(5_000),
        };
        let mut given = HashSet::new();
        for option in &options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !given.insert(name) {
                return Err(format!("The URL has the option {name} twice: which of the two is meant?"));
            }
            match name {
                "sentinel" => primary = Some(text(name, value)?).filter(|name| !name.is_empty()),
                "sentinel_user" => of_sentinel = of_sentinel.set_username(text(name, value)?),
                "sentinel_pass" => of_sentinel = of_sentinel.set_password(text(name, value)?),
                "prefix" => settings.prefix = percent_decoded(name, value)?,
                "lease_ms" => settings.lease = Duration::from_millis(number(name, value, 10, 3_600_000)?),
                "notify_ms" => settings.notify = Duration::from_millis(number(name, value, 0, 60_000)?),
                "log_entries" => settings.log_entries = number(name, value, 1, u64::MAX >> 1)?,
                "blind_ms" => settings.blind = number_or_none(name, value, 10, 3_600_000)?.map(Duration::from_millis),
                "journal_ms" => settings.journal = Duration::from_millis(number(name, value, 0, 3_600_000)?),
                "on_restart" => {
                    settings.clears_restarted = match value {
                        "clear" => true,
                        "trust" => false,
                        _ => return Err("The option on_restart of the URL must be clear or trust.".to_owned()),
                    }
                }
                "compress_min" => settings.compress_min = number_or_none(name, value, 0, u64::from(u32::MAX))?.map(size),
                "plain_max" => settings.plain_max = size(number(name, value, 0, u64::from(u32::MAX))?),
                "connect_ms" => settings.connect = Duration::from_millis(number(name, value, 1, 600_000)?),
                "command_ms" => settings.command = Duration::from_millis(number(name, value, 1, 600_000)?),
                "reconnect_cap_ms" => settings.reconnect_cap = Duration::from_millis(number(name, value, 1, 600_000)?),
                name if OF_SERVER.contains(&name) => {}
                _ => {
                    return Err(format!(
                        "The URL has the unknown option {name}. The options are prefix, sentinel, sentinel_user, sentinel_pass, lease_ms, notify_ms, \
                         log_entries, blind_ms, journal_ms, on_restart, compress_min, plain_max, connect_ms, command_ms, reconnect_cap_ms, and db, \
                         user, pass, protocol."
                    ));
                }
            }
        }
        settings.sentinel = primary.map(|primary| {
            let with_own_user = |server: &ConnectionInfo| server.clone().set_redis_settings(of_sentinel.clone());
            Sentinel { primary, servers: settings.servers.iter().map(with_own_user).collect() }
        });
        if settings.prefix.is_empty() {
            return Err(PREFIX_HELP.to_owned());
        }
        if settings.servers.iter().any(|server| !server.addr().is_supported()) {
            return Err(
                "This library was built without TLS: build it with the feature tls, which is on by default, or use redis://.".to_owned()
            );
        }
        Ok(settings)
    }
}

impl Settings {
    /// The servers, or Sentinels, that are asked where the keys are.
    pub fn asked(&self) -> &[ConnectionInfo] {
        self.sentinel.as_ref().map_or(&self.servers, |sentinel| &sentinel.servers)
    }
}

/// Parses the addresses of a URL: hosts, separated by commas.
fn servers(address: &str, options: &str, fragment: Option<&str>) -> Result<Vec<ConnectionInfo>, String> {
    let Some((scheme, rest)) = address.split_once("://").filter(|(scheme, _)| !scheme.contains("unix")) else {
        return Ok(vec![server(address, options, fragment)?]);
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    let at = if user.is_empty() { "" } else { "@" };
    hosts.split(',').map(|host| server(&format!("{scheme}://{user}{at}{host}{path}"), options, fragment)).collect()
}

/// Parses the address of one server.
fn server(address: &str, options: &str, fragment: Option<&str>) -> Result<ConnectionInfo, String> {
    let mut url = address.to_owned();
    for (mark, rest) in [('?', Some(options).filter(|options| !options.is_empty())), ('#', fragment)] {
        if let Some(rest) = rest {
            url.push(mark);
            url.push_str(rest);
        }
    }
    url.into_connection_info().map_err(|error| {
        format!(
            "The address in the URL is not valid ({error}). It looks like redis://user:password@host:6379/0 or unix:///run/redis.sock; \
             special characters in a password are written as %25 and the like."
        )
    })
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("The option {name} of the URL must be a whole number from {least} to {most}."))
}

/// Like `number`, but -1 stands for `None`.
fn number_or_none(name: &str, value: &str, least: u64, most: u64) -> Result<Option<u64>, String> {
    if value == "-1" {
        return Ok(None);
    }
    let problem = |_| format!("The option {name} of the URL must be a whole number from {least} to {most}, or -1.");
    number(name, value, least, most).map(Some).map_err(problem)
}

/// A number of bytes as a size in memory.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A text of UTF-8.
fn text(name: &str, value: &str) -> Result<String, String> {
    String::from_utf8(percent_decoded(name, value)?).map_err(|_| format!("The option {name} of the URL is not UTF-8."))
}

fn percent_decoded(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        (bytes, rest) = match (*first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |c: u8| char::from(c).to_digit(16);
                let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                    return Err(format!("The option {name} of the URL has a % without two hexadecimal digits: write it as %25."));
                };
                bytes.push((high * 16 + low) as u8);
                (bytes, after)
            }
            (b'%', _) => return Err(format!("The option {name} of the URL ends in a % without two hexadecimal digits: write it as %25.")),
            (byte, after) => {
                bytes.push(byte);
                (bytes, after)
            }
        };
    }
    Ok(bytes)
}

/// The names of the keys that this library uses in the server.
pub struct Names {
    entry: Vec<u8>,
    /// The log of writes: a stream.
    pub log: Vec<u8>,
    /// The epoch of all entries.
    pub epoch: Vec<u8>,
}

impl Names {
    /// The names with this prefix. The 1 is the version of the format: another version uses other keys. The braces keep log and epoch
    /// together in one server of a cluster.
    pub fn new(prefix: &[u8]) -> Names {
        let with = |end: &str| [prefix, b":1:", end.as_bytes()].concat();
        Names { entry: with("k:"), log: with("{log}"), epoch: with("{log}:epoch") }
    }

    /// The key which records that an epoch has begun because this server process started. In a cluster it is in the server of the log.
    pub fn restart(&self, process: &[u8]) -> Vec<u8> {
        [&self.log[..], b":", process].concat()
    }

    /// The name in the server of a key of kvlight.
    pub fn entry(&self, key: &[u8]) -> Vec<u8> {
        [&self.entry, key].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> String {
        Settings::from_url(url).err().unwrap_or_default()
    }

    #[test]
    fn a_url_names_the_server_and_the_options() {
        let settings =
            Settings::from_url("redis://ann:secret@example.org:7000/3?prefix=a%3Ab&lease_ms=2000&blind_ms=-1&log_entries=10").unwrap();
        assert_eq!(settings.servers[0].addr().to_string(), "example.org:7000");
        assert_eq!(settings.servers[0].redis_settings().username(), Some("ann"));
        assert_eq!(settings.servers[0].redis_settings().db(), 3);
        assert_eq!(settings.prefix, b"a:b");
        assert_eq!(settings.lease, Duration::from_secs(2));
        assert_eq!((settings.blind, settings.log_entries), (None, 10));
        let local = Settings::from_url("unix:///run/redis.sock?prefix=p&db=2").unwrap();
        assert_eq!((local.servers[0].addr().to_string().as_str(), local.servers[0].redis_settings().db()), ("/run/redis.sock", 2));
        assert!(Settings::from_url("valkey://localhost?prefix=p").is_ok());
        let several = Settings::from_url("redis://:pw@one:1,two,[::1]:3/?prefix=p").unwrap().servers;
        assert_eq!(several.iter().map(|server| server.addr().to_string()).collect::<Vec<_>>(), ["one:1", "two:6379", "::1:3"]);
        assert!(several.iter().all(|server| server.redis_settings().password() == Some("pw")));
    }

    #[test]
    fn sentinels_have_a_user_and_a_password_of_their_own() {
        let url = "redis://ann:secret@one:26379,two:26379/3?prefix=p&sentinel=shop&sentinel_user=guard&sentinel_pass=a%26b";
        let settings = Settings::from_url(url).unwrap();
        let sentinel = settings.sentinel.as_ref().unwrap();
        assert_eq!((sentinel.primary.as_str(), sentinel.servers.len(), settings.asked().len()), ("shop", 2, 2));
        let asked = settings.asked()[1].redis_settings();
        assert_eq!((asked.username(), asked.password(), asked.db()), (Some("guard"), Some("a&b"), 0));
        assert_eq!(settings.servers[0].redis_settings().password(), Some("secret"));
        assert_eq!(settings.servers[0].redis_settings().db(), 3);
        let alone = Settings::from_url("redis://one/?prefix=p").unwrap();
        assert!(alone.sentinel.is_none() && alone.asked().len() == 1);
    }

    #[test]
    fn t18_a_problem_is_a_sentence_with_a_remedy_and_without_the_password() {
        for (url, says) in [
            ("redis://:secret@host/", "needs the option prefix"),
            ("redis://:secret@host/?prefix=", "needs the option prefix"),
            ("redis://:secret@host/?prefix=a&leas_ms=1", "unknown option leas_ms"),
            ("redis://:secret@host/?prefix=a&lease_ms=1", "from 10 to 3600000"),
            ("redis://:secret@host/?prefix=a&blind_ms=x", "from 10 to 3600000, or -1"),
            ("redis://:secret@host/?prefix=a&compress_min=x", "from 0 to 4294967295, or -1"),
            ("redis://:secret@host/?prefix=a&prefix=b", "the option prefix twice"),
            ("unix:///run/redis.sock?prefix=a&db=1&pass=secret&db=1", "the option db twice"),
            ("redis://:secret@host/?prefix=a&on_restart=maybe", "clear or trust"),
            ("redis://:secret@host/?prefix=a%2", "%25"),
            ("redis://:secret@host/?prefix=a%zz", "%25"),
            ("http://:secret@host/?prefix=a", "looks like redis://"),
            ("redis://:secret@:99999/?prefix=a", "looks like redis://"),
            ("redis://:secret@one,/?prefix=a", "looks like redis://"),
            ("", "looks like redis://"),
        ] {
            let said = problem(url);
            assert!(said.contains(says), "{url}: {said}");
            assert!(!said.contains("secret") && said.ends_with(['.', '?', '5', 'p']), "{said}");
        }
    }

    #[test]
    fn keys_of_entries_are_never_those_of_the_log() {
        let names = Names::new(b"p");
        for key in [&b"{log}"[..], b"{log}:epoch", b"", b"\xff\x00"] {
            assert!(names.entry(key) != names.log && names.entry(key) != names.epoch);
        }
    }
}
