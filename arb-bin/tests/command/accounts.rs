//! Invites and users from the command line, beside whatever else has the folder open.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arb::AuthError;
use arb::accounts::{AccountOptions, AccountService, SigningKeys};
use arb::node::WallClock;
use arb::port::{Accounts as _, Origin, Page, Store, UserRole};
use arb::sqlite::SqliteOptions;
use serde_json::Value;

use super::support::Folder;

const PASSWORD: &str = "lamp orbit cactus violin";
const OTHER: &str = "pebble harvest tunic owl";

/// A folder with a store.
fn node() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("d")).unwrap();
    folder.ok(&["user", "add", "root@example.com", "--data", "d"]);
    folder
}

fn json(folder: &Folder, args: &[&str]) -> Value {
    serde_json::from_str(&folder.ok(args).stdout).unwrap()
}

/// The accounts as a host in another process has them.
async fn accounts(folder: &Folder) -> (AccountService, Arc<dyn Store>) {
    let store = SqliteOptions::new(folder.path("d/arb.db")).open().await.unwrap();
    let store = Arc::new(store) as Arc<dyn Store>;
    let keys = SigningKeys::load(None, &folder.path("d")).unwrap();
    let options = AccountOptions::new(Arc::clone(&store), Arc::new(WallClock), keys);
    (options.open().unwrap(), store)
}

fn block_on<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}

/// Gives a line to the command and tells its exit code and what it said on stderr.
fn typed(folder: &Folder, args: &[&str], line: &str) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_arb"))
        .args(args)
        .current_dir(folder.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(line.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_invite_lets_its_number_of_people_in_and_a_revoked_one_nobody() {
    let folder = node();
    let made = folder.ok(&["invite", "create", "--data", "d"]);
    let (code, told) = (made.stdout.trim_end(), made.stderr);
    assert!(told.contains("role user, 1 left, until 20"), "{told}");
    let more = ["invite", "create", "--role", "trader", "--uses", "3", "--days", "1", "--json"];
    let more = json(&folder, &[&more[..], &["--data", "d"]].concat());
    let more = more["code"].as_str().unwrap();
    let listed = json(&folder, &["invite", "list", "--json", "--data", "d"]);
    let row = |code: &str| {
        let rows = listed["invites"].as_array().unwrap();
        rows.iter().find(|row| row["code"] == code).unwrap().clone()
    };
    assert_eq!(
        (row(code)["role"].as_str(), row(more)["role"].as_str()),
        (Some("user"), Some("trader"))
    );
    assert_eq!(
        (row(code)["uses_left"].as_u64(), row(more)["uses_left"].as_u64()),
        (Some(1), Some(3))
    );
    let days = |row: Value| {
        let ms = |key: &str| row[key].as_i64().unwrap();
        (ms("expires_at_ms") - ms("created_at_ms") + 43_200_000) / 86_400_000
    };
    assert_eq!((days(row(code)), days(row(more))), (7, 1));
    let table = folder.ok(&["invite", "list", "--data", "d"]).stdout;
    assert!(table.lines().count() == 3 && table.contains(code), "{table}");
    folder.ok(&["invite", "revoke", more, "--data", "d"]);
    folder.arb(&["invite", "revoke", more, "--data", "d"]).refused(1, &["no use left"]);
    block_on(async {
        let (accounts, _store) = accounts(&folder).await;
        let from = Origin::default();
        let ann = accounts.register(from, "ann@example.com", PASSWORD, code).await.unwrap();
        assert_eq!(ann.user.role, UserRole::User);
        for code in [code, more] {
            let refused = accounts.register(from, "bob@example.com", PASSWORD, code).await;
            assert!(matches!(refused, Err(AuthError::Invite)), "{refused:?}");
        }
    });
}

#[test]
fn changes_of_a_user_reach_a_running_host_at_once() {
    let folder = node();
    let added = json(
        &folder,
        &["user", "add", "Ann@Example.com", "--role", "user", "--json", "--data", "d"],
    );
    assert_eq!(
        (added["email"].as_str(), added["role"].as_str()),
        (Some("ann@example.com"), Some("user"))
    );
    let first = added["password"].as_str().unwrap();
    block_on(async {
        let (accounts, store) = accounts(&folder).await;
        let from = Origin::default();
        let login = accounts.login(from, "ann@example.com", first).await.unwrap();
        folder.ok(&["user", "role", "ann@example.com", "trader", "--data", "d"]);
        assert_eq!(accounts.authenticate(&login.access).await.unwrap().role, UserRole::Trader);

        let banned = folder.ok(&["user", "ban", "ANN@example.com", "--data", "d"]).stdout;
        assert!(banned.starts_with("ann@example.com: trader, banned since 20"), "{banned}");
        let answer = accounts.authenticate(&login.access).await;
        assert!(matches!(answer, Err(AuthError::Token)), "{answer:?}");
        let answer = accounts.login(from, "ann@example.com", first).await;
        assert!(matches!(answer, Err(AuthError::Banned)), "{answer:?}");
        let unbanned = folder.ok(&["user", "unban", "ann@example.com", "--data", "d"]).stdout;
        assert_eq!(unbanned, "ann@example.com: trader\n");

        let login = accounts.login(from, "ann@example.com", first).await.unwrap();
        let password = ["user", "password", "ann@example.com", "--data", "d"];
        let (code, told) = typed(&folder, &password, &format!("{OTHER}\r\n"));
        assert_eq!((code, told.as_str()), (0, ""));
        let answer = accounts.authenticate(&login.access).await;
        assert!(matches!(answer, Err(AuthError::Token)), "{answer:?}");
        accounts.login(from, "ann@example.com", OTHER).await.unwrap();

        let audit = format!("{:?}", store.audit(Page::first(100)).await.unwrap());
        for action in
            ["user_added", "user_role", "user_banned", "user_unbanned", "password_changed"]
        {
            assert!(audit.contains(action), "{action}: {audit}");
        }
        assert!(!audit.contains(OTHER) && !audit.contains(first), "{audit}");
    });
    let listed = json(&folder, &["user", "list", "--json", "--data", "d"]);
    let emails: Vec<&str> = listed["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["email"].as_str().unwrap())
        .collect();
    assert_eq!(emails, ["root@example.com", "ann@example.com"]);
    let table = folder.ok(&["user", "list", "--data", "d"]).stdout;
    assert!(table.lines().count() == 3 && table.contains("trader"), "{table}");
}

#[test]
fn a_password_that_will_not_do_changes_nothing() {
    let folder = node();
    let password = ["user", "password", "root@example.com", "--data", "d"];
    for (line, part) in [
        ("password1234\n", "common"),
        ("short\n", "12 characters"),
        ("\n", "standard input has no password"),
        ("", "standard input has no password"),
        (&"x".repeat(10_000), "256 bytes"),
    ] {
        let (code, told) = typed(&folder, &password, line);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains(part), "{told}");
    }
    folder.arb(&["user", "password", "root@example.com", PASSWORD, "--data", "d"]).refused(2, &[]);
}

/// `script` makes a terminal; what it shows is what a person sees.
#[test]
fn a_password_that_is_typed_is_not_shown() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: script is not installed");
        return;
    }
    let folder = node();
    let binary = env!("CARGO_BIN_EXE_arb");
    let line = format!("{binary} user password root@example.com --data d");
    let mut child = Command::new("script")
        .args(["-q", "-e", "-E", "never", "-c", &line, "/dev/null"])
        .current_dir(folder.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut shown = String::new();
    for prompt in ["new password of root@example.com: ", "again: "] {
        while !shown.ends_with(prompt) {
            let mut byte = [0];
            std::io::Read::read_exact(&mut screen, &mut byte).unwrap();
            shown.push(char::from(byte[0]));
        }
        input.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    }
    std::io::Read::read_to_string(&mut screen, &mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("all logins ended") && !shown.contains(PASSWORD), "{shown}");
    block_on(async {
        let (accounts, _store) = accounts(&folder).await;
        accounts.login(Origin::default(), "root@example.com", PASSWORD).await.unwrap();
    });
}

#[test]
fn the_last_admin_and_wrong_names_are_explained() {
    let folder = node();
    let at = ["--data", "d"];
    let arb = |args: &[&str]| folder.arb(&[args, &at].concat());
    arb(&["user", "role", "root@example.com", "user"]).refused(1, &["last admin", "another"]);
    arb(&["user", "ban", "root@example.com"]).refused(1, &["root@example.com", "last admin"]);
    arb(&["user", "ban", "nobody@example.com"])
        .refused(1, &["nobody@example.com", "arb user list"]);
    arb(&["user", "add", "root@example.com"]).refused(1, &["root@example.com", "taken"]);
    arb(&["user", "add", "root"]).refused(1, &["email", "name@example.com"]);
    arb(&["user", "role", "root@example.com", "king"])
        .refused(2, &["king", "viewer, user, trader"]);
    arb(&["invite", "create", "--role", "king"]).refused(2, &["king"]);
    arb(&["invite", "create", "--uses", "0"]).refused(2, &["--uses"]);
    arb(&["invite", "create", "--days", "0"]).refused(2, &["--days"]);
    arb(&["invite", "revoke", "none"]).refused(1, &["unknown", "arb invite list"]);
}

#[test]
fn a_place_without_accounts_is_explained_and_not_filled() {
    let folder = Folder::new();
    let create = ["invite", "create", "--data", "nowhere"];
    folder.arb(&create).refused(1, &["--data nowhere", "arb run --data nowhere"]);
    folder.arb(&["user", "list"]).refused(1, &["--data arb-data"]);
    std::fs::create_dir(folder.path("d")).unwrap();
    for line in [&["user", "list"][..], &["invite", "list"], &["user", "ban", "a@example.com"]] {
        folder.arb(&[line, &["--data", "d"]].concat()).refused(1, &["--data d", "no store"]);
    }
    assert_eq!(std::fs::read_dir(folder.path("d")).unwrap().count(), 0);
    let url = "postgres://arb:hidden@localhost/arb";
    let run = folder.arb(&["user", "list", "--database", url]);
    run.refused(2, &["--database", "--data FOLDER"]);
    assert!(!run.stderr.contains("hidden"), "{}", run.stderr);
    folder.arb(&["user", "list", "--database", url, "--data", "d"]).refused(2, &["--data"]);
    folder.ok(&["invite", "create", "--data", "d"]);
    let empty = folder.ok(&["user", "list", "--data", "d"]).stdout;
    assert!(empty.contains("arb user add"), "{empty}");
}

#[test]
fn the_folder_is_the_configured_one() {
    let folder = Folder::new();
    folder.write("arb.toml", "data = \"mine\"\n");
    std::fs::create_dir(folder.path("mine")).unwrap();
    folder.ok(&["user", "add", "me@example.com"]);
    assert!(folder.path("mine/arb.db").is_file());
    assert_eq!(json(&folder, &["user", "list", "--json"])["users"][0]["email"], "me@example.com");
    assert!(json(&folder, &["invite", "create", "--json"])["code"].is_string());
    let other = [("ARB_DATA", "other")];
    folder.arb_with(&other, &["user", "list"]).refused(1, &["other", "no such folder"]);
}

#[test]
fn a_database_is_named_by_its_address() {
    let folder = node();
    for address in ["sqlite:d/arb.db", "sqlite://d/arb.db"] {
        let users = json(&folder, &["user", "list", "--json", "--database", address]);
        assert_eq!(users["users"][0]["email"], "root@example.com");
    }
    let list = |address| folder.arb(&["user", "list", "--database", address]);
    list("sqlite:none/arb.db").refused(1, &["--database sqlite:none/arb.db", "no such folder"]);
    list("sqlite:d/other.db").refused(1, &["--database sqlite:d/other.db", "no store"]);
    let refused = list("postgres://me:hunter2@db/arb");
    refused.refused(2, &["--database", "sqlite:FILE"]);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
}
