//! `arb invite`: who may register.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use arb::accounts::Operator;
use arb::node::WallClock;
use arb::port::{Clock as _, Invite, InviteWish, UserRole};
use arb::time::DAY;
use arb::{AuthError, Timestamp};
use serde_json::{Value, json};

use super::accounts::{Missing, Place, role, with_accounts};
use crate::output;
use crate::terminal::{Style, short};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make an invite and print its code
    Create(Create),
    /// Show all invites, newest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take all uses from an invite
    Revoke {
        /// The code
        code: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Rights of who registers by it: viewer, user, trader or admin
    #[arg(long, default_value = "user", value_parser = role)]
    role: UserRole,
    /// How often it can be used
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    uses: u32,
    /// Days until it ends
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Create(wish) => {
            let made = with_accounts(&args.place, Missing::Made, async |accounts| {
                create(accounts, wish).await
            });
            tell(&made?, wish)
        }
        Command::List { json } => {
            let invites = with_accounts(&args.place, Missing::Refused, async |accounts| {
                Ok(accounts.invites().await?)
            });
            list(&invites?, *json)
        }
        Command::Revoke { code } => {
            with_accounts(&args.place, Missing::Refused, async |accounts| {
                revoke(accounts, code).await
            })?;
            output::stdout("revoked\n")
        }
    }
}

async fn create(accounts: &Operator, wish: &Create) -> Result<Invite> {
    let expires_at = Some(WallClock.now().plus(i64::from(wish.days) * DAY));
    Ok(accounts.create_invite(InviteWish { role: wish.role, uses: wish.uses, expires_at }).await?)
}

fn tell(invite: &Invite, wish: &Create) -> Result<()> {
    if wish.json {
        return output::stdout(format_args!("{}\n", json!({ "code": invite.code })));
    }
    output::note(format_args!(
        "role {}, {} left, until {} UTC",
        invite.role.as_str(),
        invite.uses_left,
        ends(invite)
    ));
    output::stdout(format_args!("{}\n", invite.code))
}

async fn revoke(accounts: &Operator, code: &str) -> Result<()> {
    match accounts.revoke_invite(code).await {
        Err(AuthError::NotFound) => {
            bail!("this code is unknown or has no use left; arb invite list shows all")
        }
        done => Ok(done?),
    }
}

fn list(invites: &[Invite], as_json: bool) -> Result<()> {
    if as_json {
        let rows: Vec<Value> = invites.iter().map(row).collect();
        return output::stdout(format_args!("{}\n", json!({ "invites": rows })));
    }
    if invites.is_empty() {
        return output::stdout("no invites; arb invite create makes one\n");
    }
    let style = Style::of(&std::io::stdout());
    let head = format!("{:<23}  {:<7} {:>4}  {:<19}", "code", "role", "left", "until UTC");
    let mut text = format!("{}\n", style.bold(head.trim_end()));
    for invite in invites {
        let (role, left) = (invite.role.as_str(), invite.uses_left);
        let _ = writeln!(text, "{:<23}  {role:<7} {left:>4}  {}", invite.code, ends(invite));
    }
    output::stdout(text)
}

fn ends(invite: &Invite) -> String {
    invite.expires_at.map_or_else(|| "no end".to_owned(), short)
}

fn row(invite: &Invite) -> Value {
    json!({
        "code": invite.code,
        "role": invite.role,
        "uses_left": invite.uses_left,
        "expires_at_ms": invite.expires_at.map(Timestamp::as_millis),
        "created_at_ms": invite.created_at.as_millis(),
        "created_by": invite.created_by,
    })
}
