//! The configuration: its settings, its refusals, all mistakes at once, and no secret in them.

use std::collections::HashMap;
use std::time::Duration;

use deposit::{BotId, UserId};
use depot_bot::config::{AccessMode, Config, DEMO_TOKEN, DatabaseEngine, Layers, LogFormat, VARIABLES};
use depot_bot::telemetry::Redactor;
use secrecy::ExposeSecret;

const TOKEN: &str = "123456789:AAcanary-token-canary-token-canary0";

fn environment(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The token and these variables, without a `.env` file.
fn layers(pairs: &[(&str, &str)]) -> Layers {
    let mut variables = environment(&[("TELEGRAM_BOT_TOKEN", TOKEN)]);
    variables.extend(environment(pairs));
    Layers::from(variables)
}

/// A configuration that has the token and these variables.
fn read(pairs: &[(&str, &str)]) -> Config {
    Config::read(&layers(pairs)).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The names of the variables that these are refused for, beside a good token.
fn refused(pairs: &[(&str, &str)]) -> Vec<String> {
    let mistakes = Config::read(&layers(pairs)).expect_err(&format!("{pairs:?} should be refused"));
    mistakes.0.into_iter().map(|mistake| mistake.name).collect()
}

#[test]
fn a_token_alone_is_enough() {
    let config = read(&[]);
    assert_eq!(config.telegram.bot, BotId(123_456_789));
    assert_eq!(config.telegram.api_url, "https://api.telegram.org");
    assert!(config.webhook.is_none() && config.redis.is_none() && config.taxonomy_file.is_none());
    assert_eq!(config.http.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.engine, DatabaseEngine::Sqlite { path: "data/depot.db".into() });
    assert_eq!(config.session.ttl, Duration::from_secs(300));
    assert_eq!(config.access.mode, AccessMode::Approval);
    assert_eq!(config.access.rate_per_minute.map(u32::from), Some(60));
    assert_eq!((config.logs.format, config.logs.filter.as_str()), (LogFormat::Auto, "info"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn every_variable_has_its_effect() {
    let config = read(&[
        ("TELEGRAM_API_URL", "http://127.0.0.1:8081/"),
        ("TELEGRAM_WEBHOOK_URL", "http://127.0.0.1:9000/hook/a"),
        ("TELEGRAM_WEBHOOK_SECRET", "a-new-webhook-secret"),
        ("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", "an-old-webhook-secret"),
        ("WEBHOOK_BIND", "0.0.0.0:9000"),
        ("HTTP_BIND", "[::1]:0"),
        ("REDIS_URL", "rediss://user@redis.example.org:6380"),
        ("REDIS_PASSWORD", "p@ss/w%rd"),
        ("REDIS_DB", "3"),
        ("REDIS_KEY_PREFIX", "essai:"),
        ("REDIS_POOL_SIZE", "9"),
        ("REDIS_TIMEOUT_MS", "1500"),
        ("DATABASE_URL", "postgres://depot:hunter22@db.example.org/depot"),
        ("SESSION_TTL_SECONDS", " 600 "),
        ("ACCESS_MODE", "allowlist"),
        ("ADMIN_TELEGRAM_IDS", "7, 8"),
        ("ALLOWED_TELEGRAM_IDS", "9 10,9"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("RETAIN_DEAD_LETTERS_DAYS", "1"),
        ("RETAIN_CONFLICTS_DAYS", "2"),
        ("RETAIN_QUARANTINE_DAYS", "3"),
        ("RETAIN_DRAFTS_DAYS", "0"),
        ("RETAIN_DELIVERIES_DAYS", "3650"),
        ("TAXONOMY_FILE", "Cargo.toml"),
        ("STT_BASE_URL", "http://speech:8000/v1/"),
        ("STT_API_KEY", "key-of-the-ear"),
        ("STT_MODEL", "small"),
        ("STT_PATH", "/inference"),
        ("LLM_BASE_URL", "https://llm.example.org/v1"),
        ("LLM_API_KEY", "key-of-the-reader"),
        ("LLM_MODEL", "reader-7b"),
        ("LLM_VISION", "true"),
        ("LLM_DAILY_CALLS", "0"),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "info,depot_bot=debug"),
    ]);
    let (speech, llm) = (config.speech.as_ref().unwrap(), config.llm.as_ref().unwrap());
    assert_eq!((speech.url.as_str(), speech.model.as_str()), ("http://speech:8000/v1/inference", "small"));
    assert!(llm.vision);
    assert_eq!(speech.key.as_ref().unwrap().expose_secret(), "key-of-the-ear");
    assert_eq!((llm.url.as_str(), llm.daily_calls), ("https://llm.example.org/v1/chat/completions", None));
    assert_eq!(
        (llm.key.as_ref().unwrap().expose_secret(), llm.model.as_str()),
        ("key-of-the-reader", "reader-7b")
    );
    assert_eq!(config.telegram.api_url, "http://127.0.0.1:8081");
    let webhook = config.webhook.unwrap();
    assert_eq!((webhook.path().as_str(), webhook.bind.port()), ("/hook/a", 9000));
    assert_eq!(webhook.secret.expose_secret(), "a-new-webhook-secret");
    assert_eq!(webhook.previous_secret.unwrap().expose_secret(), "an-old-webhook-secret");
    let redis = config.redis.unwrap();
    assert_eq!(redis.key_prefix, "essai:");
    assert_eq!((redis.pool_size.get(), redis.timeout), (9, Duration::from_millis(1_500)));
    let info = redis::IntoConnectionInfo::into_connection_info(redis.url.expose_secret()).unwrap();
    assert_eq!(info.redis_settings().password(), Some("p@ss/w%rd"));
    assert_eq!((info.redis_settings().username(), info.redis_settings().db()), (Some("user"), 3));
    assert_eq!(config.database.engine, DatabaseEngine::Postgres);
    assert_eq!(config.session.ttl, Duration::from_secs(600));
    assert_eq!(config.access.mode, AccessMode::Allowlist);
    assert_eq!(config.access.admins, [UserId(7), UserId(8)]);
    assert_eq!(config.access.allowed, [UserId(9), UserId(10)]);
    assert_eq!(config.access.rate_per_minute, None);
    let days = |kept: Option<Duration>| kept.map(|kept| kept.as_secs() / 86_400);
    let kept = config.retention;
    assert_eq!([kept.dead_letters, kept.conflicts, kept.quarantine].map(days), [Some(1), Some(2), Some(3)]);
    assert_eq!([kept.drafts, kept.deliveries].map(days), [None, Some(3650)]);
    assert_eq!(config.taxonomy_file.unwrap().to_str(), Some("Cargo.toml"));
    assert_eq!((config.logs.format, config.logs.filter.as_str()), (LogFormat::Json, "info,depot_bot=debug"));
}

#[test]
fn a_redis_socket_takes_password_and_number_too() {
    let url = ("REDIS_URL", "redis+unix:///run/redis.sock");
    let config = read(&[url, ("REDIS_PASSWORD", "p&ss w=rd"), ("REDIS_DB", "2")]);
    let url = config.redis.unwrap().url;
    let info = redis::IntoConnectionInfo::into_connection_info(url.expose_secret()).unwrap();
    assert_eq!((info.redis_settings().password(), info.redis_settings().db()), (Some("p&ss w=rd"), 2));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_fixes_and_without_secrets() {
    let mistakes = Config::read(&layers(&[
        ("TELEGRAM_BOT_TOKEN", "123456789;AAcanary-token-canary-token-canary0"),
        ("TELEGRAM_API_URL", "api.telegram.org/canary"),
        ("TELEGRAM_WEBHOOK_URL", "http://bot.example.org/hook"),
        ("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", "canary with blanks"),
        ("WEBHOOK_BIND", "8443"),
        ("HTTP_BIND", "localhost"),
        ("REDIS_URL", "canary:6379"),
        ("REDIS_DB", "-1"),
        ("REDIS_KEY_PREFIX", "dé pot"),
        ("REDIS_POOL_SIZE", "0"),
        ("REDIS_TIMEOUT_MS", "1 s"),
        ("DATABASE_URL", "mysql://root:canary@db/depot"),
        ("SESSION_TTL_SECONDS", "5m"),
        ("ACCESS_MODE", "everybody"),
        ("ADMIN_TELEGRAM_IDS", "7,@marie"),
        ("ALLOWED_TELEGRAM_IDS", "-100123"),
        ("RATE_LIMIT_PER_MINUTE", "many"),
        ("TAXONOMY_FILE", "/nowhere/taxonomy.toml"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "depot_bot=loud"),
    ]))
    .expect_err("nothing of it is right");
    let text = mistakes.to_string();
    assert!(!text.contains("canary"), "{text}");
    insta::assert_snapshot!(text, @r#"
    The configuration has 20 mistakes:

      TELEGRAM_API_URL is not the address of a Bot API server.
        Fix: leave it out, or write it like https://api.telegram.org or http://127.0.0.1:8081.

      TELEGRAM_BOT_TOKEN does not look like a token.
        Fix: send /newbot to @BotFather in Telegram and copy the token it answers with: digits, a colon and about 35 letters; or name a file that holds it in TELEGRAM_BOT_TOKEN_FILE.

      TELEGRAM_WEBHOOK_SECRET_PREVIOUS is not a secret that Telegram takes.
        Fix: use 1 to 256 letters, digits, _ and -, for example the output of: openssl rand -hex 32.

      WEBHOOK_BIND is not an address and a port: "8443".
        Fix: write it like 127.0.0.1:8443 or 0.0.0.0:8443.

      TELEGRAM_WEBHOOK_SECRET is not set, and without it anybody could post updates to the webhook.
        Fix: set it to a random text, for example the output of: openssl rand -hex 32.

      HTTP_BIND is not an address and a port: "localhost".
        Fix: write it like 127.0.0.1:8080 or [::1]:8080.

      REDIS_KEY_PREFIX cannot begin a key: "dé pot".
        Fix: use at most 64 letters, digits and punctuation, for example depot:.

      REDIS_POOL_SIZE is not a whole number from 1 to 64: "0".
        Fix: write a number, for example 4, or leave it out.

      REDIS_TIMEOUT_MS is not a whole number from 50 to 5000: "1 s".
        Fix: write a number, for example 500, or leave it out.

      REDIS_DB is not a whole number from 0 to 9999: "-1".
        Fix: write a number, for example 0, or leave it out.

      REDIS_URL is not the address of a Redis server.
        Fix: write it like redis://127.0.0.1:6379/0, rediss://user:password@host:6380/0 or redis+unix:///run/redis.sock.

      DATABASE_URL is neither SQLite nor PostgreSQL.
        Fix: write it like sqlite://data/depot.db or postgres://user:password@host:5432/depot.

      SESSION_TTL_SECONDS is not a whole number from 1 to 86400: "5m".
        Fix: write a number, for example 300, or leave it out.

      ACCESS_MODE is unknown: "everybody".
        Fix: choose approval, allowlist or open.

      ADMIN_TELEGRAM_IDS holds what is not a person's id: "@marie".
        Fix: write numbers with commas between them; the bot tells everybody their own.

      ALLOWED_TELEGRAM_IDS holds what is not a person's id: "-100123".
        Fix: write numbers with commas between them; the bot tells everybody their own.

      RATE_LIMIT_PER_MINUTE is not a whole number from 0 to 10000: "many".
        Fix: write a number, for example 60, or leave it out.

      TAXONOMY_FILE names a file that cannot be read: /nowhere/taxonomy.toml (entity not found).
        Fix: give the path of a taxonomy file, or leave it out.

      RUST_LOG is not a filter: "depot_bot=loud".
        Fix: write a level such as info or debug, or target=level pairs with commas between them.

      LOG_FORMAT is unknown: "xml".
        Fix: choose auto, pretty or json.
    "#);
}

#[test]
fn mistakes_about_servers_are_told_without_what_may_be_a_key() {
    let mistakes = Config::read(&layers(&[
        ("TELEGRAM_BOT_TOKEN", TOKEN),
        ("STT_BASE_URL", "https://user:canary@stt.example.org/v1"),
        ("STT_PATH", "audio?key=x"),
        ("LLM_BASE_URL", "https://llm.example.org/v1?key=canary"),
        ("LLM_VISION", "yes"),
        ("LLM_DAILY_CALLS", "-1"),
    ]))
    .expect_err("nothing of it is right");
    let text = mistakes.to_string();
    assert!(!text.contains("canary"), "{text}");
    insta::assert_snapshot!(text, @r#"
    The configuration has 5 mistakes:

      STT_BASE_URL is not the address of a server.
        Fix: write it like https://api.example.org/v1 or http://127.0.0.1:8000/v1, without user, password or question mark; the key goes into its own variable.

      STT_PATH is not a path below STT_BASE_URL: "audio?key=x".
        Fix: write it like /audio/transcriptions, or /inference for the server of whisper.cpp.

      LLM_BASE_URL is not the address of a server.
        Fix: write it like https://api.example.org/v1 or http://127.0.0.1:8000/v1, without user, password or question mark; the key goes into its own variable.

      LLM_VISION is neither true nor false: "yes".
        Fix: write true or false.

      LLM_DAILY_CALLS is not a whole number from 0 to 1000000: "-1".
        Fix: write a number, for example 1000, or leave it out.
    "#);
}

#[test]
fn a_secret_may_lie_in_a_file_but_not_in_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    let path = path.to_str().unwrap();
    let config = read(&[("TELEGRAM_BOT_TOKEN", ""), ("TELEGRAM_BOT_TOKEN_FILE", path)]);
    assert_eq!(config.telegram.token.expose_secret(), TOKEN);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    assert_eq!(refused(&[("TELEGRAM_BOT_TOKEN_FILE", path)]), ["TELEGRAM_BOT_TOKEN"]);
    assert_eq!(refused(&[("REDIS_PASSWORD_FILE", "/nowhere/at/all")]), ["REDIS_PASSWORD_FILE"]);
    std::fs::write(path, "  \n").unwrap();
    assert_eq!(refused(&[("DATABASE_URL_FILE", path)]), ["DATABASE_URL_FILE"]);
}

#[test]
fn each_layer_wins_over_the_one_below_and_what_is_empty_hides_nothing() {
    let dotenv = [
        ("TELEGRAM_BOT_TOKEN", TOKEN),
        ("SESSION_TTL_SECONDS", "600"),
        ("RATE_LIMIT_PER_MINUTE", "9"),
        ("STT_MODLE", "small"),
    ];
    let above = [("SESSION_TTL_SECONDS", "900"), ("RATE_LIMIT_PER_MINUTE", "  "), ("REDIS_ULR", "x")];
    let config = Config::read(&Layers::new(environment(&dotenv), environment(&above))).unwrap();
    assert_eq!(config.session.ttl, Duration::from_secs(900), "the environment over `.env`");
    assert_eq!(
        config.access.rate_per_minute.map(u32::from),
        Some(9),
        "`.env` where the environment is empty"
    );
    assert_eq!(config.access.mode, AccessMode::Approval, "a default below both");
    let warned =
        ["REDIS_ULR is not read: did you mean REDIS_URL?", "STT_MODLE is not read: did you mean STT_MODEL?"];
    assert_eq!(config.warnings, warned, "the names of both layers are looked at");
}

#[test]
fn a_number_is_a_number_and_a_flag_is_a_flag() {
    for (name, text) in [
        ("SESSION_TTL_SECONDS", "true"),
        ("RATE_LIMIT_PER_MINUTE", "off"),
        ("REDIS_POOL_SIZE", "1.5"),
        ("REDIS_TIMEOUT_MS", "49"),
        ("ALLOW_ANOTHER_BOT", "1"),
    ] {
        assert_eq!(refused(&[(name, text)]), [name]);
    }
}

#[test]
fn every_secret_of_the_table_has_a_file_twin_and_nothing_else_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nothing");
    for variable in VARIABLES {
        let twin = format!("{}_FILE", variable.name);
        let mut given = environment(&[("TELEGRAM_BOT_TOKEN", TOKEN)]);
        if variable.name == "TELEGRAM_BOT_TOKEN" {
            given.clear();
        }
        given.insert(twin.clone(), path.to_str().unwrap().to_owned());
        match Config::read(&Layers::from(given)) {
            Ok(config) => {
                assert!(!variable.secret, "{twin} is not read");
                assert!(config.warnings.iter().any(|warning| warning.starts_with(&twin)), "{twin}");
            }
            Err(mistakes) => {
                assert!(variable.secret, "{mistakes}");
                assert_eq!(mistakes.0.len(), 1, "{mistakes}");
                assert_eq!(mistakes.0[0].name, twin);
            }
        }
    }
}

#[test]
fn the_defaults_of_the_table_are_those_that_stand_for_unset_variables() {
    let unset = format!("{:?}", read(&[]));
    let defaults: Vec<(&str, &str)> = VARIABLES
        .iter()
        .filter_map(|variable| variable.default.map(|default| (variable.name, default)))
        .collect();
    assert_eq!(format!("{:?}", read(&defaults)), unset);
    let empty: Vec<(&str, &str)> = VARIABLES
        .iter()
        .filter(|variable| variable.name != "TELEGRAM_BOT_TOKEN")
        .map(|variable| (variable.name, " "))
        .collect();
    assert_eq!(format!("{:?}", read(&empty)), unset);
}

#[test]
fn the_webhook_needs_a_secret_and_an_address_that_telegram_posts_to() {
    let secret = ("TELEGRAM_WEBHOOK_SECRET", "a-new-webhook-secret");
    for url in
        ["http://bot.example.org/", "https://bot.example.org:9000/", "https://u:p@bot.example.org/", "bot"]
    {
        assert_eq!(refused(&[("TELEGRAM_WEBHOOK_URL", url), secret]), ["TELEGRAM_WEBHOOK_URL"], "{url}");
    }
    for url in ["https://bot.example.org/a", "https://bot.example.org:8443/a", "http://localhost:9000/a"] {
        assert_eq!(read(&[("TELEGRAM_WEBHOOK_URL", url), secret]).webhook.unwrap().url, url);
    }
    let own =
        [("TELEGRAM_API_URL", "http://telegram:8081"), ("TELEGRAM_WEBHOOK_URL", "http://bot:9000/a"), secret];
    assert!(read(&own).webhook.is_some());
    assert_eq!(refused(&[("TELEGRAM_WEBHOOK_URL", "https://bot.example.org/")]), ["TELEGRAM_WEBHOOK_SECRET"]);
    let both =
        [("TELEGRAM_WEBHOOK_URL", "https://bot.example.org/"), secret, ("WEBHOOK_BIND", "127.0.0.1:8080")];
    assert_eq!(refused(&both), ["WEBHOOK_BIND"]);
}

#[test]
fn contradicting_settings_are_refused() {
    assert_eq!(refused(&[("ACCESS_MODE", "allowlist")]), ["ALLOWED_TELEGRAM_IDS"]);
    assert_eq!(refused(&[("RETAIN_DEAD_LETTERS_DAYS", "3651")]), ["RETAIN_DEAD_LETTERS_DAYS"]);
    assert_eq!(
        refused(&[("RETAIN_DRAFTS_DAYS", "a year"), ("RETAIN_DELIVERIES_DAYS", "-1")]),
        ["RETAIN_DRAFTS_DAYS", "RETAIN_DELIVERIES_DAYS"]
    );
    for url in
        ["sqlite::memory:", "sqlite://:memory:", "sqlite://a?mode=memory", "sqlite:a.db", "sqlite://", "a.db"]
    {
        assert_eq!(refused(&[("DATABASE_URL", url)]), ["DATABASE_URL"], "{url}");
    }
    let url = ("REDIS_URL", "redis://:one@127.0.0.1/1");
    assert_eq!(refused(&[url, ("REDIS_PASSWORD", "two")]), ["REDIS_PASSWORD"]);
    assert_eq!(refused(&[url, ("REDIS_DB", "2")]), ["REDIS_DB"]);
    assert!(read(&[url, ("REDIS_DB", "1")]).redis.is_some());
    assert_eq!(refused(&[("ADMIN_TELEGRAM_IDS", "1087968824")]), ["ADMIN_TELEGRAM_IDS"]);
    assert_eq!(refused(&[("LLM_BASE_URL", "http://127.0.0.1:11434/v1")]), ["LLM_MODEL"]);
    for path in ["inference", "//elsewhere", "/a/../b", "/a b", "/a?b=c"] {
        assert_eq!(refused(&[("STT_PATH", path)]), ["STT_PATH"], "{path}");
    }
}

#[test]
fn a_token_of_another_server_may_be_shorter() {
    assert_eq!(refused(&[("TELEGRAM_BOT_TOKEN", "42:short")]), ["TELEGRAM_BOT_TOKEN"]);
    let own = ("TELEGRAM_API_URL", "http://127.0.0.1:8081");
    assert_eq!(read(&[("TELEGRAM_BOT_TOKEN", "42:short"), own]).telegram.bot, BotId(42));
    for token in ["short", ":short", "42:", "-42:short", "4 2:short", "42:sh ort", "0:short"] {
        assert_eq!(refused(&[("TELEGRAM_BOT_TOKEN", token), own]), ["TELEGRAM_BOT_TOKEN"], "{token}");
    }
}

#[test]
fn the_token_of_the_demo_is_good_for_the_demo_alone() {
    assert!(read(&[]).without_demo().is_ok());
    let demo = read(&[("TELEGRAM_BOT_TOKEN", DEMO_TOKEN)]);
    assert_eq!(demo.without_demo().unwrap_err().0[0].name, "TELEGRAM_BOT_TOKEN");
}

#[test]
fn misspelled_and_useless_variables_are_pointed_out() {
    let config = read(&[
        ("REDIS_ULR", "redis://127.0.0.1"),
        ("TELEGRAM_CHANNEL", "x"),
        ("ACESS_MODE", "open"),
        ("REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("SESSION_MANAGER", "local/host"),
        ("PATH", "/bin"),
        ("REDIS_DB", "1"),
        ("SESSION_TTL_SECONDS", "5"),
        ("ALLOWED_TELEGRAM_IDS", "5"),
        ("TELEGRAM_WEBHOOK_SECRET", "canary"),
        ("STT_BASE_URL", "http://stt.example.org/v1"),
        ("STT_BASEURL", "http://stt.example.org/v1"),
        ("LLM_API_KEY", "canary"),
        ("LLM_MODEL", "m"),
    ]);
    assert!(!config.warnings.join(" ").contains("canary"));
    insta::assert_snapshot!(config.warnings.join("\n"), @r"
    ACESS_MODE is not read: did you mean ACCESS_MODE?
    REDIS_ULR is not read: did you mean REDIS_URL?
    STT_BASEURL is not read: did you mean STT_BASE_URL?
    TELEGRAM_CHANNEL is not read: no variable has this name
    TELEGRAM_WEBHOOK_SECRET is shorter than 16 characters and could be guessed
    TELEGRAM_WEBHOOK_SECRET has no effect without TELEGRAM_WEBHOOK_URL
    REDIS_DB has no effect without REDIS_URL
    SESSION_TTL_SECONDS is under 30: too short for a person to answer
    ALLOWED_TELEGRAM_IDS has no effect unless ACCESS_MODE is allowlist
    STT_BASE_URL is plain http to a public address: what people say, and the key, can be read on the way; use https
    LLM_API_KEY has no effect without LLM_BASE_URL
    LLM_MODEL has no effect without LLM_BASE_URL
    ");
}

#[test]
fn nothing_secret_is_shown_by_debug_and_everything_secret_is_known_to_the_redactor() {
    let secrets = [
        "canary-one-secret",
        "canary-two-secret",
        "canary three %",
        "canary-four",
        "canary-five-ear",
        "canary-six-reader",
    ];
    let config = read(&[
        ("TELEGRAM_WEBHOOK_URL", "https://bot.example.org/"),
        ("TELEGRAM_WEBHOOK_SECRET", secrets[0]),
        ("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", secrets[1]),
        ("REDIS_URL", "redis://127.0.0.1"),
        ("REDIS_PASSWORD", secrets[2]),
        ("DATABASE_URL", "postgres://depot:canary-four@db/depot"),
        ("STT_BASE_URL", "http://speech"),
        ("STT_API_KEY", secrets[4]),
        ("LLM_BASE_URL", "http://reader"),
        ("LLM_API_KEY", secrets[5]),
        ("LLM_MODEL", "m"),
    ]);
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("canary"), "{shown}");
    let redactor = Redactor::new(&config.secrets());
    let leaks = [secrets.as_slice(), &[TOKEN, "canary%20three%20%25", &TOKEN[10..]]].concat();
    for leak in leaks {
        let line = redactor.redact(leak).into_owned();
        assert_eq!(line, "***", "{leak}");
    }
}
