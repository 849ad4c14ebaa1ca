//! A headless browser for tests of pages: Chromium, controlled through a pipe with the DevTools protocol (JSON objects, each followed by a NUL).

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Browser {
    program: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    profile: PathBuf,
    session: Value,
    last_id: u64,
    /// Uncaught exceptions, and what the browser has logged about the pages, such as files that could not be loaded.
    complaints: Vec<String>,
}

impl Browser {
    /// Starts the browser, with a profile folder named after `name`. If no browser is installed, prints a warning and returns `None`; in CI,
    /// panics.
    pub fn start(name: &str) -> Option<Browser> {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            let asked = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        });
        assert!(found.is_some() || !in_ci, "Chromium is missing, and CI tests the pages");
        let Some(found) = found else {
            eprintln!("NOT RUN: Chromium is missing");
            return None;
        };
        let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("browser_{name}"));
        // The browser reads descriptor 3 and writes descriptor 4, which are the ends of our pipes.
        let script = "exec \"$0\" --headless=new --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe --user-data-dir=\"$1\" \
                    about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut command = Command::new("sh");
        command.args(["-c", script, found]).arg(&profile).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().expect("sh runs");
        let (to, from) =
            (program.stdin.take().expect("its input and output are piped"), program.stdout.take().expect("its input and output are piped"));
        let from = BufReader::new(from);
        let mut browser = Browser { program, to, from, profile, session: Value::Null, last_id: 0, complaints: Vec::new() };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        browser.session = browser.call("Target.attachToTarget", json!({ "targetId": page, "flatten": true }))["sessionId"].clone();
        for domain in ["Runtime", "Log", "Page"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Opens a page on a screen `width` pixels wide, with the colour scheme `light` or `dark`, and waits until it is loaded.
    pub fn open(&mut self, address: &str, width: u32, scheme: &str) {
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", screen);
        self.call("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }));
        self.call("Page.navigate", json!({ "url": address }));
        let ready = "document.readyState === 'complete' && location.href !== 'about:blank'";
        while self.try_value(ready) != Some(json!(true)) {
            std::thread::yield_now();
        }
    }

    /// The value of a JavaScript expression in the page. If it is a promise, waits for the result.
    pub fn value(&mut self, expression: &str) -> Value {
        self.try_value(expression).unwrap_or_else(|| panic!("the expression throws: {expression}"))
    }

    /// Like [`Browser::value`]; `None` if the expression throws, or if the page is closed meanwhile.
    pub fn try_value(&mut self, expression: &str) -> Option<Value> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.send("Runtime.evaluate", &parameters).ok()?;
        answer.get("exceptionDetails").is_none().then(|| answer["result"]["value"].clone())
    }

    /// How many pixels the page extends beyond the right edge of the screen.
    pub fn overflow(&mut self) -> Value {
        self.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    }

    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Sends a command of the protocol, and returns its result. Panics if the browser answers with an error.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.send(method, &parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn send(&mut self, method: &str, parameters: &Value) -> Result<Value, Value> {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if self.session.is_string() {
            message["sessionId"] = self.session.clone();
        }
        let bytes = format!("{message}\0");
        self.to.write_all(bytes.as_bytes()).and_then(|()| self.to.flush()).expect("the browser reads");
        loop {
            let mut reply = Vec::new();
            self.from.read_until(0, &mut reply).expect("the browser writes");
            assert_eq!(reply.pop(), Some(0), "the browser ended during {method}");
            let reply: Value = serde_json::from_slice(&reply).expect("valid JSON");
            match reply["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(reply["params"]["exceptionDetails"].to_string()),
                Some("Log.entryAdded") => self.complaints.push(reply["params"]["entry"]["text"].to_string()),
                _ => {}
            }
            if reply["id"] == json!(self.last_id) {
                return reply.get("error").map_or_else(|| Ok(reply["result"].clone()), |error| Err(error.clone()));
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
