//! Settings from three places, the errors when they are wrong, and the identity that stays.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use support::free_ports;
use tabchain_relay::config::{Config, ConfigError, Flags, Origin};
use tabchain_relay::identity::{self, IdentityError, KEY_FILE};
use tabchain_relay::{Relay, Service, StartError};

fn relay(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabchain-relay"));
    command.args(arguments).envs(environment.iter().copied());
    command.output().unwrap()
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    fs::write(
        &file,
        "http_port = 1\nws_port = 2\nstun_port = 3\nnetwork = \"test\"\nannounce = \"relay.example\"\n",
    )
    .unwrap();
    let arguments = ["config", "--config", file.to_str().unwrap(), "--http-port", "30", "--behind-proxy"];
    let environment = [("TABCHAIN_RELAY_HTTP_PORT", "20"), ("TABCHAIN_RELAY_WS_PORT", "21")];
    let output = relay(&arguments, &environment);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in
        ["http_port = 30", "ws_port = 21", "stun_port = 3", "network = \"test\"", "behind_proxy = true"]
    {
        assert!(shown.lines().any(|shown| shown == line), "{line} in\n{shown}");
    }
    fs::write(&file, &shown).unwrap();
    let from_file = relay(&["config"], &[("TABCHAIN_RELAY_CONFIG", file.to_str().unwrap())]);
    assert_eq!(
        String::from_utf8(from_file.stdout).unwrap(),
        shown,
        "what it prints is a file that says the same"
    );
}

#[test]
fn every_wrong_flag_and_variable_is_named() {
    let flag = |name, value| (vec!["config", name, value], vec![]);
    let variable = |name, value| (vec!["config"], vec![(name, value)]);
    let cases = [
        (flag("--http-port", "65536"), "--http-port"),
        (flag("--http-port", "eighty"), "--http-port"),
        (flag("--listen", "localhost"), "--listen"),
        (flag("--network", "main"), "--network"),
        (flag("--announce", "http://relay.example"), "--announce"),
        (flag("--max-circuits", "0"), "--max-circuits"),
        (flag("--max-circuits", "-1"), "-1"),
        (flag("--log-format", "xml"), "--log-format"),
        (flag("--log", "tabchain=loud"), "`log`"),
        (flag("--no-such-flag", "1"), "--no-such-flag"),
        (flag("--behind-proxy", "true"), "`behind_proxy` needs `announce`"),
        (flag("--http-port", "8081"), "`http_port` and `ws_port` are both 8081"),
        (flag("--config", "/nowhere/relay.toml"), "/nowhere/relay.toml"),
        (variable("TABCHAIN_RELAY_WS_PORT", "many"), "`ws_port` in the environment can't be \"many\""),
        (variable("TABCHAIN_RELAY_WS_PORT", "-1"), "`ws_port` in the environment can't be -1"),
        (variable("TABCHAIN_RELAY_NETWORK", "main"), "`network` in the environment can't be \"main\""),
        (variable("TABCHAIN_RELAY_MAX_CIRCUITS", "0"), "`max_circuits` in the environment can't be 0"),
        (variable("TABCHAIN_RELAY_ANNOUNCE", "a b"), "`announce` in the environment can't be \"a b\""),
        (variable("TABCHAIN_RELAY_COLOUR", "red"), "`colour` in the environment is not a setting"),
    ];
    for ((arguments, environment), expected) in cases {
        let output = relay(&arguments, &environment);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?} {environment:?} was taken");
        assert!(said.contains(expected), "{arguments:?} {environment:?} said {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn every_wrong_line_of_a_file_has_its_own_error() {
    type Check = fn(&ConfigError) -> bool;
    let cases: [(&str, Check); 9] = [
        (
            "http_port = \"x\"",
            |e| matches!(e, ConfigError::BadValue { key, origin: Origin::File(_), .. } if key == "http_port"),
        ),
        (
            "http_port = 70000",
            |e| matches!(e, ConfigError::BadValue { key, found, .. } if key == "http_port" && found == "70000"),
        ),
        (
            "max_reservations = 0",
            |e| matches!(e, ConfigError::BadValue { key, .. } if key == "max_reservations"),
        ),
        ("network = \"main\"", |e| matches!(e, ConfigError::BadValue { key, .. } if key == "network")),
        ("announce = 3", |e| matches!(e, ConfigError::BadValue { key, .. } if key == "announce")),
        (
            "http_prot = 80",
            |e| matches!(e, ConfigError::UnknownKey { key, origin: Origin::File(_) } if key == "http_prot"),
        ),
        ("http_port = = 1", |e| matches!(e, ConfigError::FileSyntax { .. })),
        ("reservation_seconds = 59", |e| {
            matches!(e, ConfigError::ReservationTooShort { seconds: 59, least: 60 })
        }),
        ("ws_port = 8080", |e| matches!(e, ConfigError::SamePort { port: 8080 })),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    for (text, is_right) in cases {
        fs::write(&file, text).unwrap();
        let error = Config::load(&Flags::default(), Some(&file)).unwrap_err();
        assert!(is_right(&error), "{text}: {error:?}");
    }
}

#[test]
fn the_readme_has_every_setting() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for key in Config::KEYS {
        let flag = format!("| `--{}` |", key.replace('_', "-"));
        assert!(readme.contains(&flag), "{flag} is missing in README.md");
    }
}

#[tokio::test]
async fn the_identity_stays_from_run_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = || tabchain_relay::config::Config { data_dir: folder.path().join("new"), ..free_ports() };
    let first = Relay::start(config()).await.unwrap();
    let identity = first.peer_id();
    first.stop().await;
    let second = Relay::start(config()).await.unwrap();
    assert_eq!(second.peer_id(), identity);
    assert!(second.addresses().ws.ends_with(&identity.to_string()));
    let key = fs::metadata(folder.path().join("new").join(KEY_FILE)).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_broken_key_is_told_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    identity::load_or_create(folder.path()).unwrap();
    let path = folder.path().join(KEY_FILE);
    let whole = fs::read(&path).unwrap();
    let secp256k1 = libp2p_key_of_another_kind();
    for broken in [&whole[..whole.len() - 1], b"", b"not a key at all", &secp256k1] {
        fs::write(&path, broken).unwrap();
        let error = identity::load_or_create(folder.path()).unwrap_err();
        assert!(matches!(error, IdentityError::Corrupt { .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), broken, "the file is as it was");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
}

/// A libp2p key protobuf that says it is secp256k1 (type 2) with 32 bytes of data.
fn libp2p_key_of_another_kind() -> Vec<u8> {
    [&[8, 2, 18, 32][..], &[1; 32]].concat()
}

#[tokio::test]
async fn a_taken_port_says_whose_it_was_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let first = Relay::start(Config { data_dir: folder.path().to_owned(), ..free_ports() }).await.unwrap();
    let port = |text: &str| text.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let http = port(&first.addresses().http);
    let stun = port(&first.addresses().stun);
    let ws: u16 = first.addresses().ws.split('/').nth(4).unwrap().parse().unwrap();
    let base = || Config { data_dir: folder.path().to_owned(), ..free_ports() };
    let cases = [
        (Config { http_port: http, ..base() }, Service::Http, "--http-port"),
        (Config { ws_port: ws, ..base() }, Service::WebSocket, "--ws-port"),
        (Config { stun_port: stun, ..base() }, Service::Stun, "--stun-port"),
    ];
    for (config, expected, flag) in cases {
        let error = Relay::start(config).await.unwrap_err();
        assert!(error.to_string().contains(flag), "{error}");
        assert!(matches!(error, StartError::PortTaken { service, .. } if service == expected), "{error:?}");
    }
}
