//! Metrics of a running relay, and the dashboard that is made of them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::Shell;

/// A relay whose metrics can be read.
struct Measured {
    child: Child,
    relay: String,
    metrics: String,
}

impl Measured {
    fn start(shell: &Shell) -> Self {
        let config = shell.text("relay.toml").replace(":9090", ":0");
        shell.write("relay.toml", format!("metrics = \"127.0.0.1:0\"\n{config}"));
        let mut command = shell.command(&["serve", "--print-address"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut relay = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut relay).unwrap();
        let relay = relay.trim().strip_prefix("listening on ").unwrap().to_owned();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = log.map(Result::unwrap).find(|line| line.contains("metrics are at")).unwrap();
        let (_, metrics) = line.rsplit_once("address=").unwrap();
        Self { child, relay, metrics: metrics.trim().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.metrics).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn scrape(&self) -> String {
        let answer = self.ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        body.to_owned()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names in an exposition.
fn names(exposition: &str) -> BTreeSet<&str> {
    let samples = exposition.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

#[test]
fn the_dashboard_asks_for_what_a_running_relay_has_and_nothing_else() {
    let relay = Measured::start(&Shell::with_relay());
    let exposition = relay.scrape();
    let found = names(&exposition);
    let dashboard = include_str!("../../../dist/grafana/secchat-relay.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let asked: Vec<_> = words.filter(|word| word.starts_with("secchat_relay_")).collect();
            assert!(!asked.is_empty(), "{expression}");
            for name in asked {
                assert!(found.contains(name), "{name} of “{expression}” is not in\n{exposition}");
                shown.insert(name);
            }
            for label in ["result", "limit", "le"] {
                if expression.contains(&format!("by ({label})")) {
                    assert!(exposition.contains(&format!("{label}=\"")), "{expression}");
                }
            }
        }
    }
    // The sum and the number of a histogram are for those who want an average.
    let hidden = |name: &&str| name.ends_with("_sum") || name.ends_with("_count");
    let forgotten: Vec<_> = found.iter().filter(|name| !shown.contains(**name) && !hidden(name)).collect();
    assert!(forgotten.is_empty(), "no panel shows {forgotten:?}");
}

#[test]
fn metrics_are_off_by_default_and_only_for_this_machine() {
    let shell = Shell::with_relay();
    let config = shell.text("relay.toml");
    assert!(!config.contains("metrics"));
    shell.write("relay.toml", format!("{config}metrics = \"0.0.0.0:9191\"\n"));
    let error = shell.fails(&["serve"]);
    assert!(error.contains("relay.toml:") && error.contains("metrics = \"0.0.0.0:9191\""), "{error}");
}

#[test]
fn whatever_comes_for_the_metrics_is_bounded_and_answered() {
    let relay = Measured::start(&Shell::with_relay());
    for (request, status) in [
        ("POST /metrics HTTP/1.1\r\n\r\n", "404"),
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
        (&"x".repeat(9_000), "431"),
    ] {
        let answer = relay.ask(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.30}: {answer}");
    }
    // Those who ask for nothing are sent away after a while, and the relay itself does not know of them.
    let silent: Vec<_> = (0..20).map(|_| relay.connect()).collect();
    let mut stranger = TcpStream::connect(&relay.relay).unwrap();
    let mut s1 = [0; 9];
    stranger.read_exact(&mut s1).unwrap();
    assert_eq!(&s1[2..], b"secchat");
    for stream in &silent {
        let _ = stream.shutdown(Shutdown::Write);
    }
    assert!(relay.scrape().contains("\nsecchat_relay_connections 1\n"));
}

#[test]
fn logins_and_limits_are_counted() {
    let shell = Shell::with_relay();
    let config = shell.text("relay.toml");
    shell.write("relay.toml", format!("{config}[limits]\nlogins_per_address = 1\nlogin_timeout_ms = 200\n"));
    let relay = Measured::start(&shell);
    let mut first = TcpStream::connect(&relay.relay).unwrap();
    let mut second = TcpStream::connect(&relay.relay).unwrap();
    let mut all = Vec::new();
    first.read_to_end(&mut all).unwrap();
    second.read_to_end(&mut all).unwrap();
    let exposition = relay.scrape();
    for line in ["logins_total{result=\"gave_way\"} 1", "logins_total{result=\"timed_out\"} 1"] {
        assert!(exposition.contains(&format!("\nsecchat_relay_{line}\n")), "{line}: {exposition}");
    }
}
