//! `depot-bot demo`: the whole bot on the Bot API simulator, with no token and no network, in the terminal.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _, stdout};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::app::{self, App};
use crate::cli::answer;
use crate::clock::Clock;
use crate::config::Config;
use crate::simulator::{Message, Options, Simulator, User, UserProfile};
use crate::telemetry;

/// How to try it.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    /// Type yourself instead of watching: words are sent, `1`, `2`… press the buttons of the newest card.
    #[arg(long)]
    talk: bool,
}

/// One step of the conversation that is played.
enum Step {
    /// The person says this, and sees a new message or edit with that.
    Says(&'static str, &'static str),
    /// The person presses this button, and sees a new message or edit with that.
    Taps(&'static str, &'static str),
    /// A remark of the narrator.
    Remark(&'static str),
}

const PLAY: [Step; 15] = [
    Step::Remark("Camille, bénévole, écrit à votre bot pour la première fois."),
    Step::Says("/start", "Bonjour"),
    Step::Remark("Un dépôt, deux gestes : une phrase, puis ✅."),
    Step::Says("deux bouilloires, trois kilos", "Valider"),
    Step::Taps("Valider", "enregistré"),
    Step::Remark("Une seconde phrase ajoute une ligne ; ✏️ change une catégorie."),
    Step::Says("un lot de vaisselle, six kilos", "Valider"),
    Step::Says("un cadre ancien, 800 g", "Corriger"),
    Step::Taps("Corriger", "Retour"),
    Step::Taps("2. cadre", "Maison"),
    Step::Taps("Maison", "Meubles"),
    Step::Taps("Meubles", "Valider"),
    Step::Taps("Valider", "enregistré"),
    Step::Remark("Une erreur ? Le dépôt s'annule pendant dix minutes."),
    Step::Taps("Annuler ce dépôt", "annulé"),
];

/// Starts the bot on the simulator with a database in a temporary folder, and plays or lets you type.
///
/// # Errors
/// A bot that cannot start, or does not answer as it should.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let simulator = Simulator::start(Options { clock: Clock::system(), ..Options::default() }).await?;
    let database = format!("sqlite://{}/depot.db", folder.path().display());
    let variables: HashMap<String, String> = [
        ("TELEGRAM_BOT_TOKEN", simulator.token()),
        ("TELEGRAM_API_URL", simulator.url()),
        ("DATABASE_URL", &database),
        ("HTTP_BIND", "127.0.0.1:0"),
        ("ACCESS_MODE", "open"),
        ("RUST_LOG", "warn"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let config = Config::read(&variables)?;
    let _log = telemetry::start(&config.logs, &config.secrets())?;
    let bot = app::start(config, Clock::system()).await?;
    let user = simulator.user(UserProfile::new(7, "Camille", "fr"));
    let ended = if arguments.talk { talk(&user).await } else { play(&user).await };
    if ended.is_ok() {
        tell_ledger(&bot).await?;
    }
    bot.stop().await;
    ended.map(|()| ExitCode::SUCCESS)
}

/// Plays the shipped conversation.
async fn play(user: &User) -> anyhow::Result<()> {
    for step in PLAY {
        match step {
            Step::Remark(remark) => answer(&format!("\n── {remark}")),
            Step::Says(text, expected) => {
                answer(&format!("\n  Camille ▸ {text}"));
                user.says(text);
                show(&user.sees_new(expected).await?);
            }
            Step::Taps(label, expected) => {
                answer(&format!("\n  Camille ▸ [{label}]"));
                user.taps(label)?;
                show(&user.sees_new(expected).await?);
            }
        }
    }
    Ok(())
}

/// Lets a person type until the end of the input.
async fn talk(user: &User) -> anyhow::Result<()> {
    answer("Écrivez ce que vous déposez ; 1, 2… pressent les boutons ; Ctrl-D termine.");
    loop {
        let Some(line) = read_line().await? else { return Ok(()) };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let before = user.changes();
        match pressed(user, line) {
            Some((message, data)) => drop(user.taps_data(message, &data)),
            None => drop(user.says(line)),
        }
        show(&user.wait_message_after(before + 1).await.context("the bot did not answer")?);
        if let Some(toast) = user.toasts().last().filter(|toast| !toast.text.is_empty()) {
            answer(&format!("  ({})", toast.text));
        }
    }
}

/// The button of the newest card that a number stands for.
fn pressed(user: &User, line: &str) -> Option<(i64, String)> {
    let number: usize = line.parse().ok()?;
    let card = user.card().filter(Message::is_live)?;
    let button = card.rows().iter().flatten().nth(number.checked_sub(1)?)?;
    Some((card.id, button.data.clone()?))
}

async fn read_line() -> anyhow::Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        let _ = stdout().write_all(b"\n> ").and_then(|()| stdout().flush());
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|bytes| (bytes > 0).then_some(line))
    });
    Ok(read.await??)
}

/// Prints a message the way a phone shows it: the text, and the buttons below.
fn show(message: &Message) {
    for line in message.text().lines() {
        answer(&format!("      │ {line}"));
    }
    let mut number = 0;
    for row in message.rows() {
        let labels: Vec<String> = row
            .iter()
            .map(|button| {
                number += 1;
                format!("[{number} {}]", button.text)
            })
            .collect();
        answer(&format!("      │ {}", labels.join(" ")));
    }
}

async fn tell_ledger(bot: &App) -> anyhow::Result<()> {
    answer("\n── Ce que le registre retient :");
    for entry in bot.ledger().latest_of(crate::deposit::UserId(7), 10).await? {
        let number = entry.number.map_or_else(String::new, |number| format!("n° {number} "));
        let objects: Vec<&str> = entry.draft.lines.iter().map(|line| line.object.as_str()).collect();
        answer(&format!("      {number}{} : {}", entry.status.as_str(), objects.join(", ")));
    }
    Ok(())
}
