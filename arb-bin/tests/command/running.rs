//! Commands that run until they are stopped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::Folder;

/// Longest wait for anything a command should say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs until it is stopped, and the line it said when it was ready.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    lines: Receiver<String>,
    /// What it said on stderr, as far as it was looked at.
    said: String,
    pub(crate) ready: Value,
}

/// Tests run side by side: none of them may take the usual port of the REST host.
pub(crate) const ANY_PORT: (&str, &str) = ("ARB_HTTP_LISTEN", "127.0.0.1:0");

impl Running {
    /// Starts a command and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut running = Self::begin(folder, args, &[]);
        running.wait_until_ready();
        running
    }

    /// Waits for the line that says where it is.
    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        if line.is_empty() {
            let err = self.rest();
            panic!("it ended before it was ready: {err}");
        }
        self.ready = serde_json::from_str(&line).unwrap();
    }

    /// Starts a command and does not wait.
    pub(crate) fn begin(folder: &Folder, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
        Self::spawn(folder, command.args(args).arg("--ready-json").envs(env.iter().copied()))
    }

    /// Starts a command as it is given.
    pub(crate) fn begin_as(folder: &Folder, command: &mut Command) -> Self {
        Self::spawn(folder, command)
    }

    /// Starts a command that ends by itself and does not wait.
    pub(crate) fn begin_plain(folder: &Folder, args: &[&str]) -> Self {
        Self::spawn(folder, Command::new(env!("CARGO_BIN_EXE_arb")).args(args))
    }

    fn spawn(folder: &Folder, command: &mut Command) -> Self {
        let mut child = command
            .envs([ANY_PORT])
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, out, lines, said: String::new(), ready: Value::Null }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line of stderr has this text, and gives the line.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let started = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{text:?} was not said within {PATIENCE:?}: {}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Everything that is said until it ends.
    fn rest(&mut self) -> String {
        while let Ok(line) = self.lines.recv() {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        std::mem::take(&mut self.said)
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Kills it as a loss of power does.
    pub(crate) fn kill(mut self) -> String {
        self.signal("-KILL");
        self.child.wait().unwrap();
        self.rest()
    }

    /// Ends it as an operator does and gives what it said; it may take five seconds.
    #[track_caller]
    pub(crate) fn stop(mut self) -> (String, String) {
        let started = Instant::now();
        self.signal("-TERM");
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let err = self.rest();
        assert!(self.child.wait().unwrap().success(), "{err}");
        assert!(started.elapsed() < Duration::from_secs(5), "{err}");
        (out, err)
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Runs a future to its end.
pub(crate) fn block_on<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}
