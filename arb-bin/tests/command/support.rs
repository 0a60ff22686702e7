//! Runs of the command in a folder of their own.

use std::path::PathBuf;
use std::process::{Command, Output};

pub(crate) const HEADER: &str = "agg_trade_id,price,quantity,transact_time,is_buyer_maker\n";

/// A folder in which the command runs.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A folder with `tape.csv`, generated.
    pub(crate) fn with_tape(trades: u32) -> Self {
        let folder = Self::new();
        let trades = trades.to_string();
        folder.ok(&["tape", "gen", "--seed", "7", "--trades", &trades, "--out", "tape.csv"]);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The names of its files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn arb(&self, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
        if args.first() == Some(&"run") {
            command.envs([super::running::ANY_PORT]);
        }
        Run::of(command.current_dir(self.dir.path()).args(args).output().unwrap())
    }

    /// A run with variables of the environment.
    pub(crate) fn arb_with(&self, env: &[(&str, &str)], args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
        command.current_dir(self.dir.path()).args(args).envs(env.iter().copied());
        Run::of(command.output().unwrap())
    }

    /// A back-test of `tape.csv` with the smallest strategy.
    pub(crate) fn backtest(&self, more: &[&str]) -> Run {
        let mut args = vec!["backtest", "--trades", "tape.csv", "--symbol", "BTCUSDT"];
        args.extend(["--strategy", "v51_baseline"]);
        args.extend(more);
        self.arb(&args)
    }

    /// A run that must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> Run {
        let run = self.arb(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        run
    }

    /// A line of shell in which `arb` is the command.
    pub(crate) fn shell(&self, line: &str) -> Run {
        let line = line.replace("arb ", &format!("{} ", env!("CARGO_BIN_EXE_arb")));
        let mut shell = Command::new("bash");
        Run::of(shell.current_dir(self.dir.path()).args(["-c", &line]).output().unwrap())
    }
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that the run failed so and said all of `parts` on stderr.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {:?}", self.stderr);
        }
    }
}
