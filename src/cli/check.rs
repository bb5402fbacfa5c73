//! `depot-bot check`: each setting against the real thing, and what to do about it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::app::{self, boot};
use crate::cli::{answer, environment};
use crate::clock::Clock;
use crate::config::{Config, Engine};
use crate::database::Database;
use crate::failpoint;
use crate::finding::{self, Weight};
use crate::ledger::Ledger;
use crate::taxonomy::Taxonomy;
use crate::telegram::client::{CallError, Client, WebhookState};
use crate::understand::Server;

/// What a check came to.
enum Finding {
    Good(String),
    Warning(String),
    Bad(String),
}

/// The findings so far; one line each.
struct Report {
    bad: usize,
}

impl Report {
    fn add(&mut self, what: &str, finding: &Finding) {
        let (mark, text) = match finding {
            Finding::Good(text) => ("ok  ", text),
            Finding::Warning(text) => ("warn", text),
            Finding::Bad(text) => {
                self.bad += 1;
                ("FAIL", text)
            }
        };
        answer(&format!("{mark}  {what:<10} {text}"));
    }
}

impl Report {
    /// What the start of the bot would find; here a thing that does not answer is a fault.
    fn found(&mut self, finding: &finding::Finding) {
        let text = finding.to_string();
        let found = match finding.weight {
            Weight::Good | Weight::Note => Finding::Good(text),
            Weight::Warning => Finding::Warning(text),
            Weight::Away | Weight::Refused => Finding::Bad(text),
        };
        self.add(finding.about, &found);
    }
}

/// Checks token, webhook, people, database, Redis, categories and clock; exits 1 if the bot could not work.
///
/// # Errors
/// A wrong configuration; everything else is a finding.
pub async fn run() -> anyhow::Result<ExitCode> {
    let config = Config::read(&environment()?)?;
    let mut report = Report { bad: 0 };
    for warning in &config.warnings {
        report.add("settings", &Finding::Warning(warning.clone()));
    }
    check_telegram(&config, &mut report).await?;
    check_database(&config, &mut report).await;
    check_redis(&config, &mut report).await;
    report.add(
        "categories",
        &match Taxonomy::load(config.taxonomy_file.as_deref()) {
            Ok(taxonomy) => {
                Finding::Good(format!("{} ({} categories)", taxonomy.id, taxonomy.categories.len()))
            }
            Err(error) => Finding::Bad(error.to_string()),
        },
    );
    check_understanding(&config, &mut report).await;
    Ok(if report.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check_telegram(config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let client = Client::new(&config.telegram.api_url, &config.telegram.token)?;
    let clock = failpoint::clock();
    let asked = clock.now();
    match client.get_me().await {
        Ok(me) => {
            report.add("token", &Finding::Good(format!("belongs to @{}", me.username)));
            report.found(&boot::telegrams_clock(&me, (asked, clock.now())));
        }
        Err(CallError::Unauthorized) => {
            let fix =
                "Telegram does not accept it: ask @BotFather for the token, put it into TELEGRAM_BOT_TOKEN";
            report.add("token", &Finding::Bad(fix.to_owned()));
            return Ok(());
        }
        Err(error) => {
            let fix = format!("{error}: check the network and TELEGRAM_API_URL");
            report.add("token", &Finding::Bad(fix));
            return Ok(());
        }
    }
    let finding = match client.get_webhook_info().await {
        Ok(state) => webhook_finding(config, &state),
        Err(error) => Finding::Bad(error.to_string()),
    };
    report.add("updates", &finding);
    Ok(())
}

fn webhook_finding(config: &Config, state: &WebhookState) -> Finding {
    match &config.webhook {
        None if state.url.is_empty() => Finding::Good(format!("are polled; {} wait", state.pending)),
        None => Finding::Bad(
            "a webhook is set, so nothing can be polled: `depot-bot webhook delete` removes it and keeps what waits"
                .to_owned(),
        ),
        Some(wanted) if state.url == wanted.url => match &state.last_error {
            Some(error) => Finding::Warning(format!("the last delivery that failed: {error}; {} wait", state.pending)),
            None => Finding::Good(format!("are delivered to {}; {} wait", state.url, state.pending)),
        },
        Some(wanted) if state.url.is_empty() => {
            Finding::Good(format!("will be delivered to {} once `depot-bot run` has told Telegram", wanted.url))
        }
        Some(wanted) => Finding::Warning(format!(
            "are delivered to {} now; `depot-bot run` changes that to {}",
            state.url, wanted.url
        )),
    }
}

async fn check_database(config: &Config, report: &mut Report) {
    let started = Instant::now();
    let database = match Database::connect(&config.database.url).await {
        Ok(database) => database,
        Err(error) => {
            report.add(
                "database",
                &Finding::Bad(format!("{error}: check DATABASE_URL, and the folder's rights")),
            );
            return;
        }
    };
    let finding = match database.migrate().await {
        Ok(()) => Finding::Good(format!(
            "{} answers in {} ms",
            database.engine().name(),
            started.elapsed().as_millis()
        )),
        Err(error) => {
            Finding::Bad(format!("{error}: `depot-bot migrate` with a role that may change the schema"))
        }
    };
    report.add("database", &finding);
    if let Engine::Sqlite { path } = &config.database.engine {
        report.add("disk", &disk_finding(path));
    }
    match boot::look_at_database(config, &database, &failpoint::clock()).await {
        Ok(findings) => findings.iter().for_each(|finding| report.found(finding)),
        Err(error) => report.add("database", &Finding::Bad(error.to_string())),
    }
    let ledger = Ledger::new(database, config.telegram.bot, Clock::system());
    let known = ledger.has_admin().await.unwrap_or(false) || !config.access.admins.is_empty();
    report.add(
        "people",
        &if known {
            Finding::Good("an admin is known".to_owned())
        } else {
            Finding::Warning(
                "no admin is known: `depot-bot invite --admin` prints a link that makes one".to_owned(),
            )
        },
    );
}

/// Whether the folder of the database can be written, which WAL and migrations need.
fn disk_finding(database: &Path) -> Finding {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(".depot-bot-check");
    let written = std::fs::write(&probe, [0_u8; 4096]).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::Good(format!("{} can be written", folder.display())),
        Err(error) => Finding::Bad(format!("{} cannot be written: {error}", folder.display())),
    }
}

/// Whether the servers answer that listen and read; without them the bot works, so a fault is a warning.
async fn check_understanding(config: &Config, report: &mut Report) {
    let speech = config.speech.clone().map(|it| Server { url: it.url, key: it.key, model: it.model });
    let llm = config.llm.clone().map(|it| Server { url: it.url, key: it.key, model: it.model });
    for (what, server, variable, without) in [
        ("speech", speech, "STT_BASE_URL", "voice notes are kept, and words are asked for"),
        ("model", llm, "LLM_BASE_URL", "the embedded model reads notes"),
    ] {
        let finding = match server {
            None => Finding::Good(format!("not used: {variable} is not set, {without}")),
            Some(server) => match server.look(Clock::system()).await {
                Ok(()) => Finding::Good(format!("the server answers; {} is asked of it", server.model)),
                Err(error) => Finding::Warning(format!("{error}; until then {without}: check {variable}")),
            },
        };
        report.add(what, &finding);
    }
}

async fn check_redis(config: &Config, report: &mut Report) {
    let Some(redis) = &config.redis else {
        report.add(
            "redis",
            &Finding::Good("not used: REDIS_URL is not set, sessions live in the database".to_owned()),
        );
        return;
    };
    match app::redis_store(redis, config.telegram.bot) {
        Ok(store) => {
            store.inspect(&failpoint::clock()).await.iter().for_each(|finding| report.found(finding));
        }
        Err(error) => report.add("redis", &Finding::Bad(error.to_string())),
    }
}
