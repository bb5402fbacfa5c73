//! Requests that are admitted, and the files that are served.

use std::path::Path;

use depot_bot::demo;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Page, environment};

async fn sentence(answer: reqwest::Response) -> String {
    let answer: Value = answer.json().await.unwrap();
    answer["error"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_of_the_page_is_served_with_headers_that_keep_it_to_itself() {
    let page = Page::open().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/page");
    let mut folders = vec![folder.clone()];
    let mut served = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let name = entry.path().strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
            let answer = page.get(&path).await;
            assert_eq!(answer.status(), 200, "{path}");
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert!(header("content-security-policy").starts_with("default-src 'self';"), "{path}");
            assert_eq!(
                (header("cache-control"), header("x-content-type-options")),
                ("no-store".into(), "nosniff".into())
            );
            assert!(!header("content-type").contains("octet-stream"), "{path}");
            assert_eq!(answer.bytes().await.unwrap(), std::fs::read(entry.path()).unwrap(), "{path}");
            served += 1;
        }
    }
    assert!(served > 5);
    let events = page.get("/events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.headers()["cache-control"], "no-store");
    drop(events);
    for nowhere in ["/nowhere", "/../Cargo.toml", "/file/nothing", "/samples/", "/index.html/"] {
        let answer = page.get(nowhere).await;
        assert_eq!(answer.status(), 404, "{nowhere}");
        assert!(answer.headers().contains_key("content-security-policy"), "{nowhere}");
    }
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_here_and_a_foreign_page_are_refused() {
    let page = Page::open().await;
    let port = page.demo.address.port();
    let action = format!("{}/action", page.base);
    let host = async |host: &str| {
        let request = page.client.get(&page.base).header("host", host).send();
        request.await.unwrap().status()
    };
    for ours in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        "LOCALHOST".into(),
        format!("[::1]:{port}"),
    ] {
        assert_eq!(host(&ours).await, 200, "{ours}");
    }
    for foreign in
        ["demo.example.org", "127.0.0.1.example.org:8090", "192.0.2.7", "localhost.evil", "", "[::1"]
    {
        assert_eq!(host(foreign).await, StatusCode::MISDIRECTED_REQUEST, "{foreign}");
    }
    let from = async |origin: &str, kind: &str| {
        let request = page.client.post(&action).header("origin", origin).header("content-type", kind);
        request.body(json!({"who": 7, "say": "une chaise"}).to_string()).send().await.unwrap().status()
    };
    let json = "application/json";
    for foreign in ["http://example.org", "null", "https://127.0.0.1", "http://127.0.0.1", ""] {
        assert_eq!(from(foreign, json).await, StatusCode::FORBIDDEN, "{foreign}");
    }
    // The request that a form of a foreign page can send without asking.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(from(&page.base, kind).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    assert_eq!(from(&page.base, json).await, 204);
    page.sees(7, "Votre dépôt").await;
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_request_is_answered_with_a_sentence() {
    let page = Page::open().await;
    page.sees(7, "Bonjour").await;
    let wrong = [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"who":7}"#,
        r#"{"say":"bonjour"}"#,
        r#"{"who":7,"say":7}"#,
        r#"{"who":99,"say":"bonjour"}"#,
        r#"{"who":7,"say":"  "}"#,
        r#"{"who":7,"say":"a","pass":3}"#,
        r#"{"pass":0}"#,
        r#"{"pass":86401}"#,
        r#"{"pass":-1}"#,
        r#"{"who":7,"sample":"../main"}"#,
        r#"{"who":7,"photo":"nulle-part"}"#,
        r#"{"control":"gravity","on":false}"#,
        r#"{"control":"redis","on":false}"#,
        r#"{"control":"slow"}"#,
        r#"{"who":7,"tap":{"message":1}}"#,
    ];
    for body in wrong {
        let answer = page.post("/action", "application/json", body).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert!(sentence(answer).await.len() > 10, "{body}");
    }
    let long = json!({"who": 7, "say": "a".repeat(4097)}).to_string();
    assert_eq!(page.post("/action", "application/json", long).await.status(), 400);
    for (path, kind, most) in [
        ("/action", "application/json", 64 << 10),
        ("/voice?who=7&seconds=3", "audio/wav", 2 << 20),
        ("/photo?who=7", "image/png", 5 << 20),
    ] {
        // The server may close before it has read all of it.
        let sent = page.client.post(format!("{}{path}", page.base)).header("content-type", kind);
        if let Ok(answer) = sent.body(vec![b' '; most + 1]).send().await {
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        }
    }
    for (path, kind, status) in [
        ("/voice?seconds=3", "audio/wav", 400),
        ("/voice?who=99&seconds=3", "audio/wav", 400),
        ("/photo?who=7", "image/svg+xml", 415),
        ("/photo?who=x", "image/png", 400),
        ("/photo?who=7", "text/html", 415),
    ] {
        assert_eq!(page.post(path, kind, "x").await.status(), status, "{path}");
    }
    assert_eq!(page.post("/voice?who=7&seconds=3", "audio/wav", "").await.status(), 400);
    assert_eq!(page.get("/action").await.status(), 405);
    let view = page.view().await;
    let messages = super::person(&view, 7)["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "nothing but the greeting was said: {messages:?}");
    page.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_a_real_bot_and_a_bad_address_are_refused() {
    for (name, value, told) in [
        ("TELEGRAM_BOT_TOKEN", "4242:AAreal_token_0123456789_abcdefghijkl", "TELEGRAM_BOT_TOKEN"),
        ("TELEGRAM_BOT_TOKEN_FILE", "/run/secrets/token", "TELEGRAM_BOT_TOKEN"),
        ("DEMO_BIND", "everywhere", "DEMO_BIND"),
        ("REDIS_URL", "nonsense", "REDIS_URL"),
    ] {
        let error = format!("{:#}", demo::start(&environment(&[(name, value)])).await.unwrap_err());
        assert!(error.contains(told) && !error.contains("4242"), "{error}");
    }
    let demos_own = environment(&[("TELEGRAM_BOT_TOKEN", depot_bot::config::DEMO_TOKEN)]);
    demo::start(&demos_own).await.unwrap().stop().await;
}
