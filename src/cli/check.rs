//! `depot-bot check`: tests each setting against its server, and prints a remedy for each fault.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::app::Tables;
use crate::app::{self, boot};
use crate::cli::{answer, layers};
use crate::clock::Clock;
use crate::config::{Config, DatabaseEngine};
use crate::database::Database;
use crate::diagnostic::{Diagnostic, Severity};
use crate::failpoint;
use crate::remote::Server;
use crate::telegram::client::{CallError, Client, WebhookState};
use deposit::taxonomy::Taxonomy;

/// Prints one line per diagnostic and counts those that keep the bot from working.
#[derive(Default)]
struct Report {
    failures: usize,
}

impl Report {
    /// For this command a component that is unavailable is a failure: the operator asks whether everything works.
    fn add(&mut self, diagnostic: &Diagnostic) {
        let mark = match diagnostic.severity {
            Severity::Ok | Severity::Info => "ok  ",
            Severity::Warning => "warn",
            Severity::Unavailable | Severity::Fatal => {
                self.failures += 1;
                "FAIL"
            }
        };
        answer(&format!("{mark}  {:<10} {diagnostic}", diagnostic.component));
    }
}

fn warning(component: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Severity::Warning, component, message, "")
}

fn failure(component: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Severity::Fatal, component, message, "")
}

/// Checks token, webhook, members, database, Redis, categories and clock; exits 1 if the bot could not work.
///
/// # Errors
/// A wrong configuration; everything else is a diagnostic.
pub async fn run() -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?;
    let mut report = Report::default();
    for message in &config.warnings {
        report.add(&warning("settings", message.as_str()));
    }
    check_telegram(&config, &mut report).await?;
    check_database(&config, &mut report).await;
    check_redis(&config, &mut report).await;
    report.add(&match Taxonomy::load(config.taxonomy_file.as_deref()) {
        Ok(taxonomy) => Diagnostic::ok(
            "categories",
            format!("{} ({} categories)", taxonomy.id, taxonomy.categories.len()),
        ),
        Err(error) => failure("categories", error.to_string()),
    });
    check_understanding(&config, &mut report).await;
    Ok(if report.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check_telegram(config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let client = Client::new(&config.telegram.api_url, &config.telegram.token)?;
    let clock = failpoint::clock();
    let asked = clock.now();
    match client.get_me().await {
        Ok(me) => {
            report.add(&Diagnostic::ok("token", format!("belongs to @{}", me.username)));
            report.add(&boot::telegrams_clock(&me, (asked, clock.now())));
        }
        Err(CallError::Unauthorized) => {
            let fix =
                "Telegram does not accept it: ask @BotFather for the token, put it into TELEGRAM_BOT_TOKEN";
            report.add(&failure("token", fix));
            return Ok(());
        }
        Err(error) => {
            let fix = format!("{error}: check the network and TELEGRAM_API_URL");
            report.add(&failure("token", fix));
            return Ok(());
        }
    }
    report.add(&match client.get_webhook_info().await {
        Ok(state) => webhook_diagnostic(config, &state),
        Err(error) => failure("updates", error.to_string()),
    });
    Ok(())
}

fn webhook_diagnostic(config: &Config, state: &WebhookState) -> Diagnostic {
    const COMPONENT: &str = "updates";
    let WebhookState { url, pending, .. } = state;
    match &config.webhook {
        None if url.is_empty() => Diagnostic::ok(COMPONENT, format!("are polled; {pending} wait")),
        None => Diagnostic::new(
            Severity::Fatal,
            COMPONENT,
            "a webhook is set, so nothing can be polled",
            "`depot-bot webhook delete` removes it and keeps the updates that wait",
        ),
        Some(wanted) if *url == wanted.url => match &state.last_error {
            Some(error) => {
                warning(COMPONENT, format!("the last delivery that failed: {error}; {pending} wait"))
            }
            None => Diagnostic::ok(COMPONENT, format!("are delivered to {url}; {pending} wait")),
        },
        Some(wanted) if url.is_empty() => Diagnostic::ok(
            COMPONENT,
            format!("will be delivered to {} once `depot-bot run` has told Telegram", wanted.url),
        ),
        Some(wanted) => warning(
            COMPONENT,
            format!("are delivered to {url} now; `depot-bot run` changes that to {}", wanted.url),
        ),
    }
}

async fn check_database(config: &Config, report: &mut Report) {
    let started = Instant::now();
    let database = match Database::connect(&config.database.url).await {
        Ok(database) => database,
        Err(error) => {
            let message = format!("{error}: check DATABASE_URL, and the folder's rights");
            report.add(&failure("database", message));
            return;
        }
    };
    report.add(&match database.migrate().await {
        Ok(()) => {
            let (engine, elapsed) = (database.engine().name(), started.elapsed().as_millis());
            Diagnostic::ok("database", format!("{engine} answers in {elapsed} ms"))
        }
        Err(error) => failure(
            "database",
            format!("{error}: `depot-bot migrate` with a role that may change the schema"),
        ),
    });
    if let DatabaseEngine::Sqlite { path } = &config.database.engine {
        report.add(&disk_diagnostic(path));
    }
    match boot::look_at_database(config, &database, &failpoint::clock()).await {
        Ok(diagnostics) => diagnostics.iter().for_each(|diagnostic| report.add(diagnostic)),
        Err(error) => report.add(&failure("database", error.to_string())),
    }
    let tables = Tables::new(&database, config.telegram.bot, &Clock::system());
    let known = tables.members.has_admin().await.unwrap_or(false) || !config.access.admins.is_empty();
    report.add(&if known {
        Diagnostic::ok("people", "an admin is known")
    } else {
        warning("people", "no admin is known: `depot-bot invite --admin` prints a link that makes one")
    });
}

/// Whether the folder of the database can be written, which WAL and migrations need.
fn disk_diagnostic(database: &Path) -> Diagnostic {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(".depot-bot-check");
    let written = std::fs::write(&probe, [0_u8; 4096]).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Diagnostic::ok("disk", format!("{} can be written", folder.display())),
        Err(error) => failure("disk", format!("{} cannot be written: {error}", folder.display())),
    }
}

/// Whether the transcription server and the chat model answer; the bot works without them, so a fault is a warning.
async fn check_understanding(config: &Config, report: &mut Report) {
    let speech = config.speech.clone().map(|it| Server { url: it.url, key: it.key, model: it.model });
    let llm = config.llm.clone().map(|it| Server { url: it.url, key: it.key, model: it.model });
    for (component, server, variable, without) in [
        ("speech", speech, "STT_BASE_URL", "voice notes are kept, and words are asked for"),
        ("model", llm, "LLM_BASE_URL", "the embedded model reads notes"),
    ] {
        report.add(&match server {
            None => Diagnostic::ok(component, format!("not used: {variable} is not set, {without}")),
            Some(server) => match server.look(Clock::system()).await {
                Ok(()) => {
                    Diagnostic::ok(component, format!("the server answers; {} is asked of it", server.model))
                }
                Err(error) => warning(component, format!("{error}; until then {without}: check {variable}")),
            },
        });
    }
}

async fn check_redis(config: &Config, report: &mut Report) {
    let Some(redis) = &config.redis else {
        let message = "not used: REDIS_URL is not set, sessions live in the database";
        report.add(&Diagnostic::ok("redis", message));
        return;
    };
    match app::redis_store(redis, config.telegram.bot) {
        Ok(store) => {
            store.inspect(&failpoint::clock()).await.iter().for_each(|diagnostic| report.add(diagnostic));
        }
        Err(error) => report.add(&failure("redis", error.to_string())),
    }
}
