//! `arb user`: who has an account, and what they may do.
//!
//! Invariant: a password is never an argument, where other users of the machine would see it; it
//! is typed without being shown, or read from standard input.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Stdin};

use anyhow::{Context as _, Result, bail};
use arb::accounts::Operator;
use arb::port::{UserInfo, UserPatch, UserRole};
use arb::{AuthError, Timestamp};
use serde_json::{Value, json};

use super::accounts::{Missing, Place, role, with_accounts};
use crate::output;
use crate::terminal::{Hidden, Style, short};

/// Users that are read at once.
const PAGE: usize = 500;
/// More than any password that is allowed.
const LONGEST_LINE: u64 = 4_096;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show all users
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a user, such as the first admin, and print a password for it, this once
    Add {
        /// E-mail
        email: String,
        /// Rights: viewer, user, trader or admin
        #[arg(long, default_value = "admin", value_parser = role)]
        role: UserRole,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user other rights, from its next request on
    Role {
        /// E-mail
        email: String,
        /// viewer, user, trader or admin
        #[arg(value_parser = role)]
        role: UserRole,
    },
    /// End all logins and keys of a user, at once
    Ban {
        /// E-mail
        email: String,
    },
    /// Let a banned user log in again
    Unban {
        /// E-mail
        email: String,
    },
    /// Give a user another password, typed or from standard input, and end its logins
    Password {
        /// E-mail
        email: String,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let change = |email: &str, patch| change(&args.place, email, patch);
    match &args.command {
        Command::List { json } => list(&with_accounts(&args.place, Missing::Refused, all)?, *json),
        Command::Add { email, role, json } => add(&args.place, (email, *role), *json),
        Command::Role { email, role } => {
            change(email, UserPatch { role: Some(*role), ..UserPatch::default() })
        }
        Command::Ban { email } => {
            change(email, UserPatch { banned: Some(true), ..UserPatch::default() })
        }
        Command::Unban { email } => {
            change(email, UserPatch { banned: Some(false), ..UserPatch::default() })
        }
        Command::Password { email } => password(&args.place, email),
    }
}

async fn all(accounts: &Operator) -> Result<Vec<UserInfo>> {
    let mut users: Vec<UserInfo> = Vec::new();
    loop {
        let page = accounts.users(users.last().map_or(0, |user| user.id), PAGE).await?;
        if page.is_empty() {
            return Ok(users);
        }
        users.extend(page);
    }
}

fn add(place: &Place, (email, role): (&str, UserRole), as_json: bool) -> Result<()> {
    let made = with_accounts(place, Missing::Made, async |accounts| {
        accounts.add_user(email, role).await.with_context(|| email.to_owned())
    })?;
    let password = made.password.expose();
    if as_json {
        let made = json!({ "email": made.email, "password": password, "role": role });
        return output::stdout(format_args!("{made}\n"));
    }
    output::note(format_args!(
        "{} is {}; the password is shown this once:",
        made.email,
        role.as_str()
    ));
    output::stdout(format_args!("{password}\n"))
}

fn change(place: &Place, email: &str, patch: UserPatch) -> Result<()> {
    let user = with_accounts(place, Missing::Refused, async |accounts| {
        let user = find(accounts, email).await?;
        accounts.change_user(user.id, patch).await.with_context(|| user.email)
    })?;
    output::stdout(format_args!("{}\n", told(&user)))
}

fn password(place: &Place, email: &str) -> Result<()> {
    let user = with_accounts(place, Missing::Refused, async |accounts| {
        let user = find(accounts, email).await?;
        let password = read(&user.email)?;
        accounts.set_password(user.id, &password).await?;
        Ok(user)
    })?;
    output::stdout(format_args!("{}: another password, all logins ended\n", user.email))
}

async fn find(accounts: &Operator, email: &str) -> Result<UserInfo> {
    match accounts.user_by_email(email).await {
        Err(AuthError::NotFound) => bail!("{email}: no such user; arb user list shows all"),
        found => Ok(found?),
    }
}

/// A password, typed twice on a terminal, else the first line of standard input.
fn read(email: &str) -> Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        let hidden = Hidden::new(&input).context("the terminal")?;
        output::prompt(format_args!("new password of {email}: "))?;
        let first = line(&input)?;
        output::prompt("again: ")?;
        let second = line(&input)?;
        drop(hidden);
        return if first == second { Ok(first) } else { bail!("the two differ; nothing changed") };
    }
    let password = line(&input)?;
    if password.is_empty() {
        bail!("standard input has no password; its first line is read");
    }
    Ok(password)
}

/// The next line, without its end.
fn line(input: &Stdin) -> Result<String> {
    let mut line = String::new();
    input.lock().take(LONGEST_LINE).read_line(&mut line).context("standard input")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn list(users: &[UserInfo], as_json: bool) -> Result<()> {
    if as_json {
        let rows: Vec<Value> = users.iter().map(row).collect();
        return output::stdout(format_args!("{}\n", json!({ "users": rows })));
    }
    if users.is_empty() {
        return output::stdout("no users; arb user add EMAIL makes the first admin\n");
    }
    let style = Style::of(&std::io::stdout());
    let head = format!("{:>4}  {:<7} {:<19}  {:<10}  e-mail", "id", "role", "since UTC", "banned");
    let mut text = format!("{}\n", style.bold(head));
    for user in users {
        let banned =
            user.banned_at.map_or_else(String::new, |at| short(at).chars().take(10).collect());
        let (id, role, since) = (user.id, user.role.as_str(), short(user.created_at));
        let _ = writeln!(text, "{id:>4}  {role:<7} {since:<19}  {banned:<10}  {}", user.email);
    }
    output::stdout(text)
}

fn told(user: &UserInfo) -> String {
    let banned =
        user.banned_at.map_or_else(String::new, |at| format!(", banned since {} UTC", short(at)));
    format!("{}: {}{banned}", user.email, user.role.as_str())
}

fn row(user: &UserInfo) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "role": user.role,
        "created_at_ms": user.created_at.as_millis(),
        "banned_at_ms": user.banned_at.map(Timestamp::as_millis),
    })
}
