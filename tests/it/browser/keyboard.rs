//! The page without a mouse.

use super::page::Page;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SHIFT: &str = "\u{e008}";
const ESCAPE: &str = "\u{e00c}";
const RIGHT: &str = "\u{e014}";
const DOWN: &str = "\u{e015}";

/// The focused element: the name that a screen reader would say.
const FOCUSED: &str = "const it = document.activeElement;
    const named = it.ariaLabel ?? it.getAttribute('aria-labelledby');
    const [first] = (it.querySelector('.who') ?? it).innerText.split('\\n');
    return (named ?? (first || it.tagName)).replace(/\\d+ octets$/, '').trim()";

async fn focused(page: &Page) -> String {
    page.browser.run(FOCUSED, &[]).await.as_str().unwrap().to_owned()
}

/// Presses Tab, or Shift and Tab, until the element of this name has the focus; gives the names on the way.
async fn tab_to(page: &Page, held: &str, name: &str) -> Vec<String> {
    let mut way = Vec::new();
    while way.len() < 60 {
        page.browser.chord(held, TAB).await;
        way.push(focused(page).await);
        if way.last().is_some_and(|last| last == name) {
            return way;
        }
    }
    panic!("Tab never leads to «{name}»: {way:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_focus_goes_from_the_top_through_the_chat_to_the_inspector() {
    let page = Page::open().await;
    let way = tab_to(&page, "", "t-metrics").await;
    let expected = [
        "Thème sombre",
        "Camille",
        "Messages de Camille",
        "Commandes du bot",
        "Message",
        "Note vocale ou photo",
        "Enregistrer une note vocale",
        "À l’intérieur",
        "Le document entier",
        "5 minutes passent",
        "Tuer le bot",
        "Telegram traîne",
        "Telegram refuse",
        "La prochaine réponse se perd",
        "Quoi essayer ?",
        "t-ledger",
        "t-commits",
        "t-metrics",
    ];
    let known: Vec<&str> = way.iter().map(String::as_str).filter(|name| expected.contains(name)).collect();
    assert_eq!(known, expected, "{way:?}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_completed_and_a_card_is_validated_from_the_keyboard() {
    let page = Page::open().await;
    tab_to(&page, "", "Message").await;
    page.browser.press("/").await;
    page.counts("#commands:not([hidden]) li", 5).await;
    page.browser.press("m").await;
    page.counts("#commands:not([hidden]) li", 1).await;
    page.browser.press(DOWN).await;
    page.shows("#commands [aria-selected=true]", "/mesdepots").await;
    page.browser.press(ENTER).await;
    page.sees("pas encore de dépôt").await;
    page.browser.press("/").await;
    page.counts("#commands:not([hidden])", 1).await;
    page.browser.press(ESCAPE).await;
    page.counts("#commands[hidden]", 1).await;
    page.browser.press("\u{e003}").await; // Backspace
    page.browser.press("un fauteuil, 12 kg").await;
    page.browser.press(ENTER).await;
    page.sees("Votre dépôt").await;
    tab_to(&page, SHIFT, "✅ Valider").await;
    page.browser.press(ENTER).await;
    page.sees("enregistré").await;
    // The button is gone; the focus is on the one in its place.
    assert_eq!(focused(&page).await, "↩ Annuler ce dépôt");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrows_pass_the_phone_on_and_an_answer_names_its_message() {
    let page = Page::open().await;
    tab_to(&page, "", "Camille").await;
    page.browser.press(RIGHT).await;
    page.shows("[aria-selected=true]", "Noor").await;
    page.browser.press(RIGHT).await;
    page.browser.press(RIGHT).await;
    page.shows("[aria-selected=true]", "Camille").await;
    tab_to(&page, "", "Répondre à ce message").await;
    page.browser.press(ENTER).await;
    page.shows("#quoted", "Bonjour").await;
    page.browser.press("un fauteuil, 12 kg").await;
    page.browser.press(ENTER).await;
    page.shows(".turn.mine .quote", "Bonjour").await;
    page.counts("#quote[hidden]", 1).await;
    page.close().await;
}
