//! The metrics for a scraper and for the live page: examples/c/metrics.c, requested over the loopback interface, and examples/dashboard.

use super::library;

use super::browser::Browser;
use serde_json::json;

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The running example program. Dropping this kills the program.
struct Metrics {
    program: Child,
    address: String,
}

impl Metrics {
    /// Starts the program with no outages but those that a signal causes. `name` is the folder that it is built in.
    fn start(name: &str) -> Metrics {
        Metrics::with_outages(name, "0")
    }

    /// Starts the program with outages of this many seconds.
    fn with_outages(name: &str, outages: &str) -> Metrics {
        let folder = library::installed_in(name);
        let program = folder.join("metrics");
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-I"]).arg(here().join("include"));
        gcc.arg(here().join("examples/c/metrics.c")).arg("-o").arg(&program).arg("-L").arg(&folder).args(["-lkvlight", "-lpthread"]);
        library::run(&mut gcc).unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(program);
        command
            .args(["0", "examples/dashboard/index.html", outages])
            .env("LD_LIBRARY_PATH", folder)
            .current_dir(here())
            .stdout(Stdio::piped());
        let mut program = command.spawn().expect("the program runs");
        let mut line = String::new();
        BufReader::new(program.stdout.take().expect("the output is piped")).read_line(&mut line).expect("the program prints its address");
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).expect("an address").to_owned();
        assert!(address.starts_with("127.0.0.1:"), "only this machine can connect: {address}");
        Metrics { program, address }
    }

    /// The head and the body of the response to these bytes.
    fn send(&self, bytes: &[u8]) -> (String, String) {
        let mut connection = TcpStream::connect(&self.address).expect("the program listens");
        connection.write_all(bytes).expect("the program reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the response is UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
        (head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).as_bytes())
    }

    /// The statistics, as soon as they meet a condition.
    fn stats_when(&self, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        self.json_when("/stats.json", is_so)
    }

    /// What the callers of both engines see, as soon as it meets a condition. One engine has the settings for outages, the other does not.
    fn comparison_when(&self, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        self.json_when("/comparison.json", is_so)
    }

    fn json_when(&self, path: &str, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        loop {
            let (head, body) = self.get(path);
            assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("application/json"), "{head}");
            let stats: serde_json::Value = serde_json::from_str(&body).expect("valid JSON");
            if is_so(&stats) {
                return stats;
            }
        }
    }

    /// The statistics, as soon as requests were made and some keys were found.
    fn stats(&self) -> serde_json::Value {
        self.stats_when(|stats| stats["lookups"]["hits"].as_u64() > Some(0) && stats["latency_us"]["count"].as_u64() > Some(0))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.program.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    fn end(mut self) {
        self.signal("-TERM");
        assert!(self.program.wait().expect("the program ends").success(), "the program frees the engine and exits with 0");
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn s12_a_scraper_and_the_page_are_served_the_statistics() {
    let metrics = Metrics::start("metrics");
    let stats = metrics.stats();

    let page = fs::read_to_string(here().join("examples/dashboard/index.html")).expect("the file exists");
    let fields = page.split_once("const FIELDS = [").and_then(|(_, rest)| rest.split_once("];")).expect("the page has a list").0;
    let fields: Vec<&str> = fields.split('"').skip(1).step_by(2).collect();
    assert!(fields.len() > 10, "the list was read: {fields:?}");
    for field in &fields {
        let value = field.split('.').fold(&stats, |part, name| &part[name]);
        assert!(value.is_number() || value.is_array(), "the page reads {field}, and there is only {value}");
    }
    for read in page.split("pick(").skip(1).chain(page.split("grown(").skip(1)).filter_map(|rest| rest.split('"').nth(1)) {
        let is_a_path = read.contains('.') && !read.contains(' ');
        assert!(!is_a_path || fields.contains(&read), "the page reads {read}, which is not in its list");
    }

    let (head, body) = metrics.get("/metrics");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n") && body.contains("kvlight_lookups_total{result=\"hit\"}"), "{body}");

    let (head, body) = metrics.get("/");
    assert!(head.starts_with("HTTP/1.1 200 ") && body == page, "{head}");
    let both = metrics.comparison_when(|both| both["with"]["keys"].as_u64() > Some(0) && both["without"]["keys"].as_u64() > Some(0));
    for side in ["with", "without"] {
        for field in ["calls", "keys", "failed", "stale"] {
            assert!(both[side][field].is_u64(), "{side} {field}: {both}");
        }
        let steps = both[side]["wait_us"].as_array().expect("a list of bounds and counts");
        let bounds: Vec<u64> = steps.iter().map(|step| step[0].as_u64().expect("a bound")).collect();
        assert!(bounds.len() > 10 && bounds.is_sorted() && steps.iter().any(|step| step[1].as_u64() > Some(0)), "{side}: {steps:?}");
    }
    assert!(metrics.get("/of/nobody").0.starts_with("HTTP/1.1 404 "));
    assert!(metrics.get(&format!("/{}", "x".repeat(1000))).0.starts_with("HTTP/1.1 400 "));
    assert!(metrics.send(b"POST / HTTP/1.1\r\n\r\n").0.starts_with("HTTP/1.1 400 "));
    metrics.end();
}

/// A client that sends single bytes slowly is disconnected, and others are served.
#[test]
fn a_slow_client_delays_no_other() {
    let metrics = Metrics::start("metrics_dripped");
    let mut dripping = TcpStream::connect(&metrics.address).expect("the program listens");
    dripping.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let mut answer = Vec::new();
    // Up to 200 s, a hundred times as long as the example waits.
    let is_disconnected = (0..4000).any(|_| {
        let _ = dripping.write_all(b"x");
        match dripping.read_to_end(&mut answer) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
        }
    });
    assert!(is_disconnected, "the program still waits for the rest of a request");
    assert!(metrics.get("/metrics").0.starts_with("HTTP/1.1 200 "));
    metrics.end();
}

/// The page is a single file: it has no address of another server, and no script to load.
#[test]
fn the_page_fetches_nothing_but_the_statistics() {
    let page = fs::read_to_string(here().join("examples/dashboard/index.html")).expect("the file exists");
    assert!(!page.contains("://") && !page.contains("src=") && !page.contains("<link"), "the page fetches something");
    assert_eq!(page.matches("fetch(").count(), 1);
}

/// A script that waits until every chart of the page is drawn, or for a minute, and returns what is drawn.
const DRAWN: &str = r#"new Promise(done => {
    let looks = 0;
    const look = () => {
        const figures = Object.fromEntries([...document.querySelectorAll('#figures div')].map(each => [each.children[1].textContent, each.children[0].textContent]));
        const charts = [...document.querySelectorAll("section")].map(each => ({
            title: each.querySelector("h2").textContent,
            lines: [...each.querySelectorAll("polyline")].map(line => line.getAttribute("points").split(" ").length),
            bars: [...each.querySelectorAll("rect")].filter(bar => bar.getAttribute("height") > 0).length,
        }));
        const is_drawn = charts.length > 0 && charts.every(chart => chart.bars > 0 || chart.lines.length > 0 && chart.lines.every(points => points > 2));
        if (is_drawn || ++looks > 600) done({ figures, charts, is_drawn });
        else setTimeout(look, 100);
    };
    look();
})"#;

#[test]
fn s12_the_page_draws_a_running_engine_on_a_desktop_and_on_a_phone() {
    let Some(mut browser) = Browser::start("dashboard") else { return };
    let metrics = Metrics::start("metrics_drawn");
    metrics.stats();
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.open(&format!("http://{}/", metrics.address), width, scheme);
        let drawn = browser.value(DRAWN);
        assert_eq!(drawn["is_drawn"], json!(true), "at a width of {width} something is not drawn: {drawn}");
        let (figures, charts) = (&drawn["figures"], drawn["charts"].as_array().expect("a list"));
        let rate = figures["hit rate"].as_str().and_then(|rate| rate.split('\u{202f}').next()).map(str::parse::<f64>);
        assert!(matches!(rate, Some(Ok(rate)) if rate > 0.0 && rate <= 100.0), "the hit rate is a figure: {figures}");
        assert_eq!(figures["entries"].as_str().map(|entries| entries == "0" || entries == "–"), Some(false), "{figures}");
        assert_eq!(charts.iter().filter(|chart| chart["bars"] != json!(0)).count(), 1, "one chart has bars, for latency: {drawn}");
        let sides = browser.value("[...document.querySelectorAll('#compared tr')].map(row => row.children.length)");
        assert_eq!(sides, json!([3, 3, 3, 3, 3]), "both engines are compared: {sides}");
        assert_eq!(browser.overflow(), json!(0), "at a width of {width} the page is wider than the screen");
        assert_eq!(browser.value("document.getElementById('state').textContent"), json!("live, once a second"));
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());

    // When the engine has ended, the page says so instead of showing old figures.
    metrics.end();
    let script = "new Promise(done => { let looks = 0; const look = () => { const state = document.getElementById('state'); \
                if (state.className || ++looks > 100) done(state.className); else setTimeout(look, 100); }; look(); })";
    assert_eq!(browser.value(script), json!("trouble"));
}

/// A script that waits until the page says this of the circuit breaker, or for 30 s, and returns what the page says.
fn breaker_is(words: &str) -> String {
    format!(
        "new Promise(done => {{ let looks = 0; const look = () => {{ const said = document.getElementById('breaker').textContent; \
         if (said === '{words}' || ++looks > 300) done(said); else setTimeout(look, 100); }}; look(); }})"
    )
}

#[test]
fn r07_r14_an_outage_is_counted_and_shown() {
    let metrics = Metrics::start("metrics_outage");
    let mut browser = Browser::start("dashboard_outage");
    metrics.stats();
    if let Some(browser) = &mut browser {
        browser.open(&format!("http://{}/", metrics.address), 1280, "light");
        assert_eq!(browser.value(&breaker_is("circuit breaker closed")), json!("circuit breaker closed"));
    }
    metrics.signal("-USR1");
    let both =
        metrics.comparison_when(|both| both["without"]["failed"].as_u64() > Some(1000) && both["with"]["stale"].as_u64() > Some(1000));
    assert_eq!((&both["down"], &both["without"]["stale"]), (&json!(1), &json!(0)), "one engine has no fallbacks: {both}");
    let stats = metrics.stats_when(|stats| stats["breaker"]["state"] == json!(1) && stats["stale"]["error"].as_u64() > Some(0));
    assert!(stats["breaker"]["opened"].as_u64() > Some(0), "{stats}");
    if let Some(browser) = &mut browser {
        // From time to time the breaker is half open for a moment, so this waits.
        assert_eq!(browser.value(&breaker_is("circuit breaker open")), json!("circuit breaker open"));
        assert_eq!(browser.value("document.getElementById('breaker').className"), json!("trouble"));
        assert_eq!(browser.value("document.getElementById('outage').textContent"), json!("the provider is down"));
    }
    metrics.signal("-USR1");
    metrics.stats_when(|stats| stats["breaker"]["state"] == json!(0));
    if let Some(browser) = &mut browser {
        assert_eq!(browser.value(&breaker_is("circuit breaker closed")), json!("circuit breaker closed"));
        assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    }
    metrics.end();
}

#[test]
fn r14_the_provider_of_the_example_fails_now_and_then() {
    let metrics = Metrics::with_outages("metrics_scheduled", "1");
    metrics.comparison_when(|both| both["down"] == json!(0) && both["with"]["keys"].as_u64() > Some(0));
    metrics.comparison_when(|both| both["down"] == json!(1));
    metrics.comparison_when(|both| both["down"] == json!(0));
    metrics.end();
}
