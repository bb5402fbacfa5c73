//! The page before axe, the accessibility checker: no violation of any of its rules, best practices included.

use serde_json::Value;

use super::folder;
use super::page::Page;

/// The violations that axe reports, one line each.
async fn violations(page: &Page, where_: &str) -> Vec<String> {
    let found = page
        .browser
        .run_async(
            "const done = arguments[arguments.length - 1];
            axe.run(document).then(({ violations }) => done(violations));",
        )
        .await;
    let line = |violation: &Value| {
        let nodes: Vec<&str> = violation["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|node| node["target"][0].as_str())
            .collect();
        let (id, help) = (violation["id"].as_str().unwrap(), violation["help"].as_str().unwrap());
        format!("{where_}: {id}: {help}: {}", nodes.join(", "))
    };
    found.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checker_finds_nothing_in_light_and_dark_wide_and_narrow() {
    let axe = folder().join("axe.min.js");
    let axe = std::fs::read_to_string(&axe)
        .unwrap_or_else(|_| panic!("axe-core is not in {}; `tests/run.sh` fetches it", axe.display()));
    let page = Page::open().await;
    page.browser.run(&axe, &[]).await;
    let mut found = Vec::new();
    page.system("light").await;
    page.hold(8).await;
    found.extend(violations(&page, "an empty chat").await);
    page.hold(7).await;
    page.say("deux bouilloires, trois kilos").await;
    page.sees("Votre dépôt").await;
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.say("un objet étrange et un fauteuil, 12 kg").await;
    page.sees("Votre dépôt").await;
    page.click("#refuse").await;
    page.counts("#refuse[aria-checked=true]", 1).await;
    for summary in [".document summary", ".ideas summary"] {
        page.click(summary).await;
    }
    for (width, height) in [(1440, 900), (360, 740)] {
        page.resize(width, height).await;
        for scheme in ["light", "dark"] {
            page.system(scheme).await;
            let where_ = format!("{scheme}, {width} pixels");
            for view in ["chat", "inspector"] {
                if width < 500 {
                    page.click(&format!("[data-show={view}]")).await;
                }
                found.extend(violations(&page, &format!("{where_}, {view}")).await);
                page.browser.picture(&format!("{scheme}-{width}-{view}")).await;
            }
            if width < 500 {
                page.click("[data-show=chat]").await;
            }
            page.click("#attach").await;
            found.extend(violations(&page, &format!("{where_}, shelf")).await);
            page.click("#menu").await;
            page.counts("#commands:not([hidden])", 1).await;
            found.extend(violations(&page, &format!("{where_}, commands")).await);
            page.click("#menu").await;
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    page.close().await;
}
