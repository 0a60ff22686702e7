//! Bad circumstances: what is said is clear and has a remedy, and nothing is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::running::{Running, block_on, until};
use super::support::{Folder, Run};

/// Nobody: who may not write what is not theirs, also where tests run as root.
const NOBODY: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A run as somebody without rights; as oneself where one has none either.
fn as_nobody(folder: &Folder, args: &[&str]) -> Run {
    let program = folder.path("arb-copy");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_arb"), &program).unwrap();
        mode(&program, 0o755);
        mode(&folder.path(""), 0o755);
    }
    let mut command = Command::new(program);
    command.args(args).envs([super::running::ANY_PORT]).current_dir(folder.path(""));
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|meta| {
        use std::os::unix::fs::MetadataExt as _;
        meta.uid() == 0
    });
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    Run::of(command.output().unwrap())
}

#[test]
fn a_folder_or_a_store_that_may_not_be_written_is_named_with_a_remedy() {
    let folder = Folder::new();
    let sim = Running::start(&folder, &["sim", "--symbols", "BTCUSDT", "--data", "venue"]);
    let mut node = vec!["run", "--data-venue", "sim", "--venue-json", "venue/venue.json"];
    node.extend(["--symbols", "BTCUSDT", "--history-hours", "0"]);
    mode(&folder.path("venue"), 0o755);
    std::fs::create_dir(folder.path("d")).unwrap();
    mode(&folder.path("d"), 0o555);
    let run = [&node[..], &["--data", "d"]].concat();
    as_nobody(&folder, &run).refused(1, &["d/arb.db", "writ"]);
    as_nobody(&folder, &[&node[..], &["--data", "d/deeper"]].concat())
        .refused(1, &["d/deeper", "Permission denied", "writable"]);
    let doctor = ["doctor", "--data", "d", "--venue-json", "venue/venue.json"];
    let told = as_nobody(&folder, &doctor);
    told.refused(1, &["1 problem"]);
    assert!(told.stdout.contains("d cannot be written") && told.stdout.contains("→ make it"));

    mode(&folder.path("d"), 0o755);
    Running::start(&folder, &run).stop();
    for name in ["d", "d/arb.db"] {
        mode(&folder.path(name), if name == "d" { 0o555 } else { 0o444 });
    }
    as_nobody(&folder, &run).refused(1, &["arb.db", "writable"]);
    let doctor = [&doctor[..], &["--deep"]].concat();
    assert!(folder.ok(&doctor).stdout.contains("no damage"), "nothing was lost");
    sim.stop();
}

#[test]
fn a_disk_that_is_full_is_told_of_and_loses_nothing() {
    let folder = Folder::new();
    let fast = ["sim", "--symbols", "BTCUSDT", "--data", "venue", "--speed", "60"];
    let sim = Running::start(&folder, &fast);
    let mut run = vec!["run", "--data-venue", "sim", "--venue-json", "venue/venue.json"];
    run.extend(["--symbols", "BTCUSDT", "--history-hours", "0", "--data", "d", "--only-symbols"]);
    // No file may grow beyond 512 kB: the log's segment and the store meet that soon.
    let mut shell = Command::new("bash");
    let line = "ulimit -f 512; trap '' XFSZ; exec \"$0\" \"$@\" --ready-json";
    shell.args(["-c", line, env!("CARGO_BIN_EXE_arb")]).args(&run);
    let mut node = Running::begin_as(&folder, &mut shell);
    node.wait_until_ready();
    let line = node.wait_for("the log cannot be written");
    assert!(
        line.contains("entries stop, exits go on") && line.contains("File too large"),
        "{line}"
    );
    node.kill();
    let node = Running::start(&folder, &run);
    let file = folder.path("d/arb.db");
    let before = block_on(super::live::extent(&file)).0;
    until("the node goes on without a hole", || {
        let (count, holes) = block_on(super::live::extent(&file));
        count > before + 50 && holes == 0
    });
    node.stop();
    let doctor = ["doctor", "--data", "d", "--venue-json", "venue/venue.json", "--deep"];
    let told = folder.ok(&doctor).stdout;
    assert!(told.contains("0 holes, no damage"), "{told}");
    sim.stop();
}

#[test]
fn output_to_a_full_device_is_an_error() {
    let folder = Folder::new();
    for args in [["config", "show"], ["config", "check"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let run = command.args(args).current_dir(folder.path("")).stdout(full).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{said}");
        assert!(said.contains("No space left"), "{said}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_measured_and_told_of() {
    let folder = Folder::new();
    // A venue two years from the wall's time.
    let sim = ["sim", "--symbols", "BTCUSDT", "--data", "venue", "--epoch", "1700000000000"];
    let sim = Running::start(&folder, &sim);
    let line = String::from_utf8(folder.read("venue/venue.json")).unwrap();
    let change = |change: fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&line).unwrap();
        change(&mut value["clock"]);
        value.to_string()
    };
    let doctor = |file: &str| folder.arb(&["doctor", "--venue-json", file, "--data", "d"]);
    // Without the wall's time the venue is asked, whatever the epoch says.
    let open = change(|clock| {
        clock.as_object_mut().unwrap().remove("wall_ms");
        clock["epoch_ms"] = 1_600_000_000_000_i64.into();
    });
    folder.write("open.json", open);
    let told = doctor("open.json");
    assert_eq!(told.code, 0, "{told:?}");
    let wrong = change(|clock| {
        let epoch = clock["epoch_ms"].as_i64().unwrap();
        clock["epoch_ms"] = (epoch - 3_600_000).into();
    });
    folder.write("wrong.json", wrong);
    let told = doctor("wrong.json");
    told.refused(1, &["1 problem"]);
    assert!(told.stdout.contains("bad   clock") && told.stdout.contains("NTP"), "{told:?}");
    // The node corrects it and lives in the venue's time.
    let mut run = vec!["run", "--data-venue", "sim", "--venue-json", "wrong.json", "--data", "d"];
    run.extend(["--symbols", "BTCUSDT", "--history-hours", "0.1"]);
    let node = Running::start(&folder, &run);
    let file = folder.path("d/arb.db");
    until("trades of the venue's time", || block_on(super::live::extent(&file)).0 > 0);
    let mut at = None;
    until("rates of the venue's time", || {
        let said = folder.ok(&["rates", "--data", "d", "--json"]).stdout;
        let rates: Value = serde_json::from_str(&said).unwrap();
        at = rates["rates"][0]["at_ms"].as_i64();
        at.is_some()
    });
    node.stop();
    let at = at.unwrap();
    assert!((1_700_000_000_000..1_700_000_600_000).contains(&at), "{at}");
    sim.stop();
}

#[test]
fn two_nodes_on_one_folder_and_two_hosts_on_one_port_are_refused() {
    let folder = Folder::new();
    let sim = Running::start(&folder, &["sim", "--symbols", "BTCUSDT", "--data", "venue"]);
    let mut run = vec!["run", "--data-venue", "sim", "--venue-json", "venue/venue.json"];
    run.extend(["--symbols", "BTCUSDT", "--history-hours", "0", "--data", "d"]);
    let node = Running::start(&folder, &run);
    folder.arb(&run).refused(1, &["another process writes this log"]);
    folder.ok(&["backup", "--data", "d", "copy.db"]);
    node.stop();
    folder.ok(&["restore", "--data", "e", "copy.db"]);
    let at = run.iter().position(|arg| *arg == "d").unwrap();
    run[at] = "e";
    let restored = Running::start(&folder, &run);
    assert_eq!(restored.ready["data"], "e");
    let file = folder.path("e/arb.db");
    until("the restored node follows", || {
        let (count, holes) = block_on(super::live::extent(&file));
        count > 0 && holes == 0
    });
    restored.stop();
    sim.stop();
}

#[test]
fn order_flow_of_every_perpetual_is_announced_and_works() {
    let folder = Folder::new();
    let mut sim = vec!["sim", "--symbols", "50", "--activity", "5", "--speed", "20"];
    sim.extend(["--data", "venue", "--log", "json"]);
    let mut sim = Running::start(&folder, &sim);
    let line: Value = serde_json::from_str(&sim.wait_for("serves")).unwrap();
    assert_eq!(line["fields"]["clock.speed"], 20);
    let mut run = vec!["run", "--data-venue", "sim", "--venue-json", "venue/venue.json"];
    run.extend(["--symbols", "all", "--history-hours", "0.1", "--data", "d"]);
    let mut node = Running::begin(&folder, &run, &[]);
    let line = node.wait_for("trades of all symbols to come");
    assert!(line.contains("symbols=50") && line.contains("minutes="), "{line}");
    node.wait_until_ready();
    until("every symbol has trades", || {
        block_on(super::live::with_trades(&folder.path("d/arb.db"))) == 50
    });
    node.stop();
    sim.stop();
}
