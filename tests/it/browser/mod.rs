//! The page of `depot-bot demo` in headless Chromium, as a newcomer uses it.
//!
//! Pictures of the pages are left in `target/browser`; `wide.png` is the README's (`docs/demo.png`).

mod accessibility;
mod driver;
mod keyboard;
mod page;

use page::{Page, folder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_of_two_lines_takes_one_sentence_and_one_tap() {
    let page = Page::open().await;
    page.shows("h1", "depot-bot").await;
    page.shows(".badge", "démo").await;
    page.say("deux bouilloires, trois kilos et un fauteuil, 12 kg").await;
    page.sees("2. fauteuil").await;
    page.shows("#state", "AwaitingValidation").await;
    page.shows("[data-state=AwaitingValidation].now", "attend").await;
    page.shows("#expiry", "dans ").await;
    page.counts("#effects .chip", 0).await;
    page.tap("Valider").await;
    page.sees("Dépôt n°\u{a0}1 enregistré").await;
    page.shows("#state", "Closed").await;
    page.shows("#ledger", "bouilloires ×2").await;
    page.shows("#ledger", "fauteuil").await;
    page.shows("#ledger .completed", "enregistré").await;
    page.counts("#ledger tr", 1).await;
    page.shows("#commits", "Recording → Closed").await;
    page.shows("#metrics", "depot_").await;
    page.click(".document summary").await;
    page.shows("#document", "\"version\"").await;
    page.click(".document summary").await;
    // A second deposit is open: the screenshot of the README.
    page.system("light").await;
    page.resize(1440, 900).await;
    page.say("un lot de vaisselle, six kilos, et un cadre ancien").await;
    page.sees("2. cadre ancien").await;
    page.counts("#effects .chip", 0).await;
    page.browser.run("document.activeElement.blur()", &[]).await;
    page.browser.picture("wide").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_is_corrected_in_words_and_by_buttons() {
    let page = Page::open().await;
    page.say("une bouilloire, deux kilos").await;
    page.sees("bouilloire").await;
    page.say("non, c'est une imprimante").await;
    page.sees("imprimante").await;
    page.tap("Corriger").await;
    page.tap("Quantité").await;
    page.tap("3").await;
    page.sees("×3").await;
    page.counts(".keys", 1).await;
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.shows("#ledger", "imprimante ×3").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_minutes_pass_at_once_and_the_draft_is_resumed() {
    let page = Page::open().await;
    page.say("un fauteuil, 12 kg").await;
    page.sees("Votre dépôt").await;
    page.click("#pass").await;
    page.sees("La session a expiré").await;
    page.shows("#ledger", "expiré").await;
    page.tap("Reprendre").await;
    page.sees("Votre dépôt").await;
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.counts("#ledger tr", 1).await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_asks_and_the_admin_lets_her_in() {
    let page = Page::open().await;
    page.hold(8).await;
    page.shows(".welcome", "Noor").await;
    page.click(".welcome .first").await;
    page.tap("Demander l'accès").await;
    page.sees("Votre demande est envoyée").await;
    page.shows("#toast", "Demande envoyée").await;
    page.shows("#tab-1", "du nouveau").await;
    page.hold(1).await;
    page.sees("Demande d'accès").await;
    page.tap("Accepter").await;
    page.sees("Accès accepté").await;
    page.hold(8).await;
    page.sees("Bienvenue").await;
    page.say("un cadre ancien, huit cents grammes").await;
    page.sees("Votre dépôt").await;
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.shows("#ledger", "Noor").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_killed_loses_neither_words_nor_a_tap() {
    let page = Page::open().await;
    page.shows("#bot", "Tuer le bot").await;
    page.click("#bot").await;
    page.shows("#bot", "Relancer le bot").await;
    page.shows("#presence", "hors ligne").await;
    page.say("deux bouilloires, trois kilos").await;
    page.shows(".turn.mine:last-of-type", "deux bouilloires").await;
    page.shows("#health", "1 message attend").await;
    page.click("#bot").await;
    page.sees("Votre dépôt").await;
    page.click("#bot").await;
    page.shows("#presence", "hors ligne").await;
    page.tap("Valider").await;
    page.counts(".key.waits", 1).await;
    page.click("#bot").await;
    page.sees("enregistré").await;
    page.counts("#ledger tr", 1).await;
    page.shows("#health", "démarré 3 fois").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telegram_that_drags_refuses_and_drops_delays_and_loses_nothing() {
    let page = Page::open().await;
    for switch in ["slow", "refuse", "drop"] {
        page.click(&format!("#{switch}")).await;
        page.counts(&format!("#{switch}[aria-checked=true]"), 1).await;
    }
    page.say("un lot de vaisselle, six kilos").await;
    page.counts("#effects .chip", 1).await;
    page.click("#refuse").await;
    page.counts("#refuse[aria-checked=false]", 1).await;
    page.sees("Votre dépôt").await;
    page.counts("#drop[aria-checked=false]", 1).await;
    page.click("#slow").await;
    page.counts("#slow[aria-checked=false]", 1).await;
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.counts("#ledger tr", 1).await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_from_the_shelf_and_from_the_microphone_and_photos_are_sent() {
    let page = Page::open().await;
    page.click("#attach").await;
    page.click("[data-sample=deux-bouilloires]").await;
    page.sees("bouilloires ×2").await;
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.click("#attach").await;
    page.click("[data-photo=chaise]").await;
    page.sees("Photo bien reçue").await;
    page.until("document.querySelector('.bubble > img')?.naturalWidth > 100", &[]).await;
    page.click("#mic").await;
    page.until("document.querySelector('#elapsed').textContent !== '0:00'", &[]).await;
    page.until("document.querySelector('#unheard').offsetParent !== null", &[]).await;
    page.click("#finish").await;
    page.sees("J'ai gardé votre message vocal").await;
    page.counts(".turn.mine .voice", 2).await;
    // The recording is a WAV that a browser can play.
    let played = "const done = arguments[0];
        const sound = new Audio();
        sound.addEventListener('loadedmetadata', () => done(sound.duration));
        sound.addEventListener('error', () => done(0));
        fetch('/events').then(async (events) => {
            const reader = events.body.getReader();
            let text = '';
            while (!text.includes('\\n\\n')) text += new TextDecoder().decode((await reader.read()).value, { stream: true });
            reader.cancel();
            const notes = JSON.parse(text.slice(6)).people[0].messages.filter(({ voice }) => voice);
            sound.src = '/file/' + notes.at(-1).voice.file;
        });";
    let seconds = page.browser.run_async(played).await;
    assert!(seconds.as_f64().unwrap() > 0.5, "{seconds}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telephone_of_360_pixels_shows_all_of_it() {
    const TOO_WIDE: &str = "return [...document.querySelectorAll('body *')].filter((element) => {
        const { right, width } = element.getBoundingClientRect();
        const is_clipped = element.closest('.scroll, pre, .quote, .quote-bar, .sr, svg');
        return width > 0 && right > 360.5 && !is_clipped;
    }).map((element) => element.outerHTML.slice(0, 120))";
    let page = Page::open().await;
    page.system("light").await;
    page.resize(360, 740).await;
    page.say("deux bouilloires, trois kilos et un fauteuil, 12 kg").await;
    page.sees("2. fauteuil").await;
    page.browser.picture("narrow").await;
    let too_wide = page.browser.run(TOO_WIDE, &[]).await;
    assert_eq!(too_wide.as_array().unwrap().len(), 0, "{too_wide:#}");
    page.tap("Valider").await;
    page.sees("enregistré").await;
    page.click("[data-show=inspector]").await;
    page.shows("#ledger", "fauteuil").await;
    page.browser.picture("narrow-inspector").await;
    let too_wide = page.browser.run(TOO_WIDE, &[]).await;
    assert_eq!(too_wide.as_array().unwrap().len(), 0, "{too_wide:#}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_demo_is_gone_says_so_and_comes_back_with_it() {
    let mut page = Page::open().await;
    page.say("un fauteuil, 12 kg").await;
    page.sees("Votre dépôt").await;
    page.replace_demo(async |browser| {
        browser.until("!document.querySelector('#broken').hidden", &[]).await;
    })
    .await;
    page.until("document.querySelector('#broken').hidden", &[]).await;
    // The new demo knows nothing of the old one.
    page.sees("Bonjour").await;
    page.say("un lot de vaisselle, six kilos").await;
    page.sees("Votre dépôt").await;
    page.end().await;
}
