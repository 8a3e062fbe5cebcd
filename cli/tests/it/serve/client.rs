//! A server under test, and a client of a few lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::run::{Folder, turquoise};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `turquoise serve`; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    stderr: Arc<Mutex<String>>,
}

impl Server {
    /// Serves `document.json` of the folder.
    pub(crate) fn start(folder: &Folder, listen: &str) -> Self {
        let mut child = turquoise()
            .arg("serve")
            .arg(folder.path("document.json"))
            .args(["--listen", listen])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (lines, told) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&stderr));
        std::thread::spawn(move || {
            for line in lines.lines() {
                told.lock().unwrap().push_str(&format!("{}\n", line.unwrap()));
            }
        });
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim_end().to_owned();
        assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{address}");
        Self { child, address, stderr }
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.request("GET", path, headers)
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        request(&self.address, method, path, headers)
    }

    /// The ETag of what is served.
    pub(crate) fn etag(&self) -> String {
        self.get("/document.json", &[]).header("etag").unwrap().to_owned()
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn until_stderr(&self, part: &str) {
        until(|| self.stderr().contains(part), || format!("lacks `{part}`: {}", self.stderr()));
    }

    pub(crate) fn until_served(&self, document: &str) {
        let served = || self.get("/document.json", &[]).body;
        until(|| served() == document, || format!("serves {}: {}", served(), self.stderr()));
    }

    /// Ends it by a signal, and gives its exit code.
    pub(crate) fn end(&mut self, signal: &str) -> Option<i32> {
        let kill = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(kill.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(holds: impl Fn() -> bool, message: impl Fn() -> String) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{}", message());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// One request on a connection of its own.
pub(crate) fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Response { status, headers: lines.map(field).collect(), body: body.to_owned() }
}
