//! A server under test, and a client of a few lines.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::run::{Folder, turquoise};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running `turquoise serve`; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    stderr: Arc<Mutex<String>>,
}

impl Server {
    /// Serves `document.json` of the folder at a free port, with these arguments as well.
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        Self::spawn(turquoise().arg("serve").arg("document.json").args(arguments), folder)
    }

    /// Runs this command, which is to serve.
    pub(crate) fn spawn(command: &mut Command, folder: &Folder) -> Self {
        let command = command.args(["--listen", "127.0.0.1:0"]).current_dir(folder.path("."));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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

    /// The value of a metric, by its name and labels.
    pub(crate) fn metric(&self, sample: &str) -> Option<u64> {
        let page = self.get("/metrics", &[]).body;
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    pub(crate) fn until_metric(&self, sample: &str, value: u64) {
        until(
            || self.metric(sample) == Some(value),
            || format!("{sample} is {:?}, not {value}", self.metric(sample)),
        );
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
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

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        // The shell's own: not every machine has the program.
        let line = format!("kill -{signal} {}", self.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// Ends it by a signal, and gives its exit code.
    pub(crate) fn end(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn until(holds: impl Fn() -> bool, message: impl Fn() -> String) {
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
    /// The body as text, if it is.
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The names of all fields.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// What comes on a connection until it ends.
    pub(crate) fn read(mut stream: impl Read) -> Self {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let (head, bytes) = (str::from_utf8(&answer[..end]).unwrap(), answer[end + 4..].to_vec());
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let headers = lines.map(field).collect();
        Self { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }
}

/// Asks on a connection of its own, without waiting for the answer.
pub(crate) fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    stream
}

/// One request on a connection of its own.
pub(crate) fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    Response::read(ask(address, method, path, headers))
}

/// An open stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    /// Opens it, and reads the head of the answer. Asked by HTTP/1.0, the body comes without chunks.
    pub(crate) fn open(server: &Server, headers: &[(&str, &str)]) -> (String, Self) {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        stream.write_all(format!("GET /ofrep/v1/stream HTTP/1.0\r\n{fields}\r\n").as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        let head = events.block().expect("a head");
        (head, events)
    }

    /// The lines up to the next empty one; nothing at the end.
    pub(crate) fn block(&mut self) -> Option<String> {
        let mut block = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                assert_eq!(block, "", "ends within an event");
                return None;
            }
            match line.trim_end() {
                "" => return Some(block),
                line => block.push_str(&format!("{line}\n")),
            }
        }
    }
}
