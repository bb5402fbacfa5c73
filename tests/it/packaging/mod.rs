//! The files that are shipped with the binary: `.env.example`, the Dockerfiles and the compose file agree with the code.

mod image;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use depot_bot::config::{Config, DatabaseEngine, Layers, Mistakes, VARIABLES, variable};
use serde_yaml_ng::Value;

const TOKEN: &str = "123456789:AApackaging-token-0123456789-abcdef0";
/// Read by the compose file, not by the bot.
const OF_COMPOSE: &str = "POSTGRES_PASSWORD";

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(pairs: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let environment: HashMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::read(&Layers::from(environment))
}

/// A variable of `.env.example`: its name, its value, and the paragraph above it.
struct Explained {
    name: String,
    value: String,
    is_set: bool,
    paragraph: String,
}

fn env_example() -> Vec<Explained> {
    let mut explained = Vec::new();
    let mut paragraph = String::new();
    for line in file(".env.example").lines() {
        let (is_set, assignment) = match line.strip_prefix("# ") {
            Some(comment) => (false, comment),
            None => (true, line),
        };
        match assignment.split_once('=') {
            Some((name, value)) if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => {
                let paragraph = std::mem::take(&mut paragraph);
                explained.push(Explained { name: name.into(), value: value.into(), is_set, paragraph });
            }
            _ if line.is_empty() => paragraph.clear(),
            _ => paragraph.extend([assignment, " "]),
        }
    }
    explained
}

#[test]
fn the_example_explains_every_variable_in_order_and_no_other() {
    let explained = env_example();
    let names: Vec<&str> =
        explained.iter().map(|entry| entry.name.as_str()).filter(|name| *name != OF_COMPOSE).collect();
    assert_eq!(names, VARIABLES.map(|variable| variable.name));
    for entry in &explained {
        let Some(variable) = variable(&entry.name) else { continue };
        assert!(entry.paragraph.len() > 60, "{} deserves a paragraph", entry.name);
        assert_eq!(entry.paragraph.starts_with("(secret) "), variable.secret, "{}", entry.name);
        assert_eq!(entry.is_set, variable.name == "TELEGRAM_BOT_TOKEN", "{}", entry.name);
        if let Some(default) = variable.default {
            assert_eq!(entry.value, default, "{}", entry.name);
        }
    }
}

#[test]
fn every_line_of_the_example_is_good_once_it_is_uncommented() {
    let secret = ("TELEGRAM_WEBHOOK_SECRET", "a-secret-for-the-webhook");
    for entry in env_example() {
        let is_elsewhere = ["TELEGRAM_BOT_TOKEN", "TAXONOMY_FILE", OF_COMPOSE].contains(&entry.name.as_str());
        if entry.value.is_empty() || is_elsewhere {
            continue;
        }
        let pair = (entry.name.as_str(), entry.value.as_str());
        read(&[("TELEGRAM_BOT_TOKEN", TOKEN), secret, ("LLM_MODEL", "a-model"), pair])
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    }
}

#[test]
fn the_example_as_it_is_lacks_the_token_alone() {
    let environment: HashMap<String, String> =
        dotenvy::from_read_iter(file(".env.example").as_bytes()).collect::<Result<_, _>>().unwrap();
    let mistakes = Config::read(&Layers::from(environment)).unwrap_err();
    assert_eq!(
        mistakes.0.iter().map(|mistake| mistake.name.as_str()).collect::<Vec<_>>(),
        ["TELEGRAM_BOT_TOKEN"]
    );
}

/// The instructions of a Dockerfile, with continued lines joined.
fn dockerfile(name: &str) -> Vec<(String, String)> {
    file(name)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(word, rest)| (word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

fn arguments(instructions: &[(String, String)], word: &str) -> Vec<String> {
    instructions.iter().filter(|(name, _)| name == word).map(|(_, rest)| rest.clone()).collect()
}

/// The variables that the image sets for the bot.
fn image_environment() -> BTreeMap<String, String> {
    arguments(&dockerfile("Dockerfile"), "ENV")
        .iter()
        .flat_map(|line| line.split(' '))
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_image_sets_what_the_bot_reads() {
    let environment = image_environment();
    for name in environment.keys() {
        assert!(variable(name).is_some_and(|variable| !variable.secret || name == "DATABASE_URL"), "{name}");
    }
    let mut pairs: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.push(("TELEGRAM_BOT_TOKEN", TOKEN));
    let config = read(&pairs).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(config.http.bind, SocketAddr::from(([0, 0, 0, 0], 8080)));
    assert_eq!(config.database.engine, DatabaseEngine::Sqlite { path: "/data/depot.db".into() });
    pairs.extend([
        ("TELEGRAM_WEBHOOK_URL", "https://bot.example.org/"),
        ("TELEGRAM_WEBHOOK_SECRET", "secret-secret-1"),
    ]);
    assert_eq!(read(&pairs).unwrap().webhook.unwrap().bind, SocketAddr::from(([0, 0, 0, 0], 8443)));
}

#[test]
fn the_image_is_small_unprivileged_and_probed() {
    let image = dockerfile("Dockerfile");
    let one = |word: &str| arguments(&image, word).pop().unwrap_or_else(|| panic!("no {word}"));
    assert_eq!(one("USER"), "10001:10001");
    assert_eq!(one("VOLUME"), "/data");
    assert_eq!(one("STOPSIGNAL"), "SIGTERM");
    assert_eq!((one("ENTRYPOINT").as_str(), one("CMD").as_str()), (r#"["/depot-bot"]"#, r#"["run"]"#));
    assert!(one("HEALTHCHECK").ends_with(r#"CMD ["/depot-bot", "healthcheck"]"#));
    assert!(one("FROM").starts_with("gcr.io/distroless/"), "the last stage has no shell");
    assert!(one("LABEL").contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))));
    let build = one("RUN");
    for part in ["--profile dist", "--no-default-features", "--locked", "target/dist/depot-bot"] {
        assert!(build.contains(part), "{part}");
    }
    let copies = arguments(&image, "COPY");
    assert!(copies.contains(&"--from=build --chown=10001:10001 /image/data /data".to_owned()), "{copies:?}");
    let ignored = file(".dockerignore");
    for secret in [".env", ".git", "data", "target"] {
        assert!(ignored.lines().any(|line| line == secret), "{secret} would enter the image");
    }
}

#[test]
fn one_toolchain_builds_and_tests_and_it_is_new_enough() {
    let first = |name: &str| arguments(&dockerfile(name), "FROM")[0].replace(" AS build", "");
    let image = first("Dockerfile");
    assert_eq!(image, first("Dockerfile.tests"));
    let version = image.strip_prefix("rust:").unwrap().split('-').next().unwrap();
    let minor = |version: &str| -> u32 { version.split('.').nth(1).unwrap().parse().unwrap() };
    assert!(minor(version) >= minor(env!("CARGO_PKG_RUST_VERSION")), "{version}");
    assert_eq!(arguments(&dockerfile("Dockerfile.tests"), "CMD"), [r#"["tests/run.sh"]"#]);
    assert!(file(".ci/run").contains("exec tests/run.sh"));
}

fn compose() -> Value {
    serde_yaml_ng::from_str(&file("docker-compose.yml")).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_sequence().into_iter().flatten().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn compose_runs_the_bot_locked_down_with_time_to_stop() {
    let compose = compose();
    let bot = &compose["services"]["bot"];
    assert_eq!(bot["image"].as_str(), Some(concat!("depot-bot:", env!("CARGO_PKG_VERSION"))));
    assert_eq!(bot["stop_grace_period"].as_str(), Some("30s"));
    assert_eq!((bot["init"].as_bool(), bot["read_only"].as_bool()), (Some(true), Some(true)));
    assert_eq!(bot["env_file"].as_str(), Some(".env"));
    assert_eq!(texts(&bot["cap_drop"]), ["ALL"]);
    assert_eq!(texts(&bot["security_opt"]), ["no-new-privileges:true"]);
    assert_eq!(texts(&bot["volumes"]), ["data:/data"]);
    assert!(bot["ports"].is_null(), "the ops server is not published");
    assert_eq!(bot["depends_on"]["redis"]["condition"].as_str(), Some("service_healthy"));
    let environment = bot["environment"].as_mapping().unwrap();
    let mut pairs = vec![("TELEGRAM_BOT_TOKEN", TOKEN)];
    for (name, value) in environment {
        assert!(variable(name.as_str().unwrap()).is_some(), "{name:?}");
        pairs.push((name.as_str().unwrap(), default_of(value.as_str().unwrap())));
    }
    let config = read(&pairs).unwrap();
    assert!(config.redis.is_some() && config.warnings.is_empty(), "{:?}", config.warnings);
    // The address leads to the service of the profile, and the model is the one that is fetched for it.
    let speech = config.speech.unwrap();
    let url = reqwest::Url::parse(&speech.url).unwrap();
    assert_eq!(
        (url.host_str(), url.port(), url.path()),
        (Some("speech"), Some(8000), "/v1/audio/transcriptions")
    );
    for service in ["speech", "speech-model"] {
        assert_eq!(texts(&compose["services"][service]["profiles"]), ["speech"]);
    }
    let fetched = &texts(&compose["services"]["speech-model"]["command"])[0];
    assert_eq!(
        fetched.strip_prefix("http://speech:8000/v1/models/").map(default_of),
        Some(speech.model.as_str())
    );
    assert!(file("README.md").contains("docker compose --profile speech up"));
}

/// The value of `${NAME-default}` in compose when the name is not set.
fn default_of(value: &str) -> &str {
    let inside = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inside.and_then(|inside| inside.split_once('-')).map_or(value, |(_, default)| default)
}

#[test]
fn compose_keeps_what_redis_and_postgres_hold() {
    let compose = compose();
    let services = &compose["services"];
    let redis = &services["redis"];
    assert_eq!(redis["image"].as_str(), Some("redis:7-alpine"));
    let command = texts(&redis["command"]).join(" ");
    assert!(
        command.contains("--appendonly yes") && command.contains("--maxmemory-policy noeviction"),
        "{command}"
    );
    let postgres = &services["postgres"];
    assert_eq!(texts(&postgres["profiles"]), ["postgres"]);
    for (name, service) in services.as_mapping().unwrap() {
        let is_server = ["redis", "postgres", "speech"].contains(&name.as_str().unwrap());
        assert_eq!(service["healthcheck"]["test"].is_sequence(), is_server, "{name:?}");
        assert!(service["ports"].is_null(), "{name:?} is published");
        // The log of a test run is looked at and gone.
        if name.as_str() != Some("bot-tests") {
            let log = &service["logging"];
            assert_eq!(log["options"]["max-size"].as_str(), Some("10m"), "{name:?}");
            assert_eq!(log["options"]["max-file"].as_str(), Some("5"), "{name:?}");
        }
        for volume in texts(&service["volumes"]) {
            let volume = volume.split(':').next().unwrap();
            assert!(compose["volumes"].as_mapping().unwrap().contains_key(volume), "{volume}");
        }
    }
    let tests = &services["bot-tests"];
    assert_eq!(texts(&tests["profiles"]), ["tests"]);
    assert_eq!(tests["build"]["dockerfile"].as_str(), Some("Dockerfile.tests"));

    // The address that the example gives for this server leads to it.
    let example = file(".env.example");
    let url = example.lines().find_map(|line| line.strip_prefix("#     DATABASE_URL=")).unwrap();
    let url = reqwest::Url::parse(url).unwrap();
    assert_eq!((url.host_str(), url.port()), (Some("postgres"), Some(5432)));
    assert_eq!(Some(url.username()), postgres["environment"]["POSTGRES_USER"].as_str());
    assert_eq!(Some(&url.path()[1..]), postgres["environment"]["POSTGRES_DB"].as_str());
}
