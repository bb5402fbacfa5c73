//! Access: strangers, requests and their decisions, invitations, limits, and senders that are no user.

use std::time::Duration;

use bot_api_simulator::{Chat, Fault, Faults, Message, Rule, User, UserProfile};
use deposit::UserId;
use depot_bot::ledger::Role;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::bot::{Behind, TestBot};

/// The id under which every anonymous administrator of a group writes.
const ANONYMOUS: i64 = 1_087_968_824;
const ASKS: &str = "Demander l'accès";

async fn with(variables: &[(&str, &str)]) -> TestBot {
    TestBot::with(Behind::Sqlite, variables).await
}

/// A bot in approval mode, and its admins 1 and 2, who have pressed *Start*.
async fn with_two_admins() -> (TestBot, User, User) {
    let bot = with(&[("ADMIN_TELEGRAM_IDS", "1,2")]).await;
    let admins = [("Odile", 1), ("Marc", 2)].map(|(name, id)| named(&bot, id, name));
    for admin in &admins {
        admin.starts("");
        admin.sees_new("Bonjour").await.unwrap();
    }
    let [odile, marc] = admins;
    (bot, odile, marc)
}

fn named(bot: &TestBot, id: i64, name: &str) -> User {
    bot.telegram.user(UserProfile::new(id, name, "fr"))
}

/// A message to a user who did not ask: the send limiter spaces these out, and the clock of tests stands still.
async fn is_told(bot: &TestBot, user: &User, fragment: &str) -> Message {
    bot.advance(1);
    user.sees_new(fragment).await.unwrap()
}

/// Waits until the bot has handled and acknowledged everything.
async fn quiet(bot: &TestBot) {
    bot.telegram.wait_for("every update to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
}

async fn asks_for_access(user: &User) {
    user.says("bonjour");
    user.sees_new(ASKS).await.unwrap();
    user.taps(ASKS).unwrap();
    user.sees_new("Votre demande est envoyée").await.unwrap();
}

async fn deposits(user: &User) {
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
}

fn heard(user: &User) -> usize {
    user.messages().iter().filter(|message| message.from_bot()).count()
}

fn data(card: &Message, label: &str) -> String {
    card.button(label).unwrap().data.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_asks_once_and_one_admin_lets_them_in() {
    let (bot, odile, marc) = with_two_admins().await;
    let eve = bot.telegram.user(UserProfile {
        last_name: Some(format!("{}\u{202c} suite", "é".repeat(70))),
        ..UserProfile::new(70_007, "\u{202e}<b>Ève</b>\n&", "fr")
    });
    eve.says("une bouilloire");
    let notice = eve.sees_new(ASKS).await.unwrap();
    assert!(notice.shows("70007"), "a stranger sees their own id: {}", notice.text());
    let ask = data(&notice, ASKS);
    eve.taps(ASKS).unwrap();
    eve.sees_new("Votre demande est envoyée").await.unwrap();
    assert!(eve.toast().await.unwrap().text.contains("Demande envoyée"));

    let mut accept = String::new();
    for admin in [&odile, &marc] {
        let card = is_told(&bot, admin, "Demande d'accès").await;
        let name = format!("<b>Ève</b> & {}", "é".repeat(64 - "<b>Ève</b> & ".chars().count()));
        assert!(card.shows(&format!("{name} · 70007")), "cleaned and cut: {}", card.text());
        assert!(card.button("Refuser").is_some());
        accept = data(&card, "Accepter");
    }
    eve.taps_data(notice.id, &ask);
    assert!(eve.toast().await.unwrap().text.contains("Demande envoyée"), "asking again asks nobody again");

    odile.taps("Accepter").unwrap();
    assert!(odile.toast().await.unwrap().text.contains("C'est fait"));
    for admin in [&odile, &marc] {
        let card = admin.sees("Accès accepté").await.unwrap();
        assert!(!card.is_live() && card.shows("Décidé par Odile"), "{}", card.text());
        assert_eq!(heard(admin), 2, "the card is edited");
    }
    is_told(&bot, &eve, "Bienvenue").await;
    marc.taps_data(2, &accept);
    assert!(marc.toast().await.unwrap().text.contains("déjà décidé"));
    deposits(&eve).await;
    assert_eq!(bot.completed(70_007).await, 1, "what was said before is not deposited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_user_is_told_and_changes_nothing() {
    let (bot, odile, marc) = with_two_admins().await;
    let eve = bot.user(7);
    asks_for_access(&eve).await;
    let card = is_told(&bot, &odile, "Demande d'accès").await;
    is_told(&bot, &marc, "Demande d'accès").await;
    marc.taps("Refuser").unwrap();
    odile.sees("Accès refusé").await.unwrap();
    is_told(&bot, &eve, "n'a pas été acceptée").await;
    let heard_before = heard(&eve);
    odile.taps_data(card.id, &data(&card, "Accepter"));
    assert!(odile.toast().await.unwrap().text.contains("déjà décidé"));
    eve.says("une bouilloire");
    quiet(&bot).await;
    assert_eq!(heard(&eve), heard_before, "one notice an hour");
    bot.advance(3_600);
    eve.says("une bouilloire");
    let notice = eve.sees_new("n'a pas été acceptée").await.unwrap();
    assert!(!notice.is_live());
    changes_nothing(&bot, 7).await;
}

async fn changes_nothing(bot: &TestBot, id: i64) {
    let service = bot.app().service();
    assert_eq!(service.get(service.key(UserId(id))).await.unwrap(), None, "a stranger has no session");
    assert!(bot.deposits(id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_has_one_notice_an_hour_for_any_update() {
    let (bot, odile, _) = with_two_admins().await;
    odile.says("une bouilloire");
    let card = odile.sees_new("Valider").await.unwrap();
    let eve = bot.user(7);
    eve.starts("");
    eve.sees_new(ASKS).await.unwrap();
    for _ in 0..3 {
        eve.says("/depot");
        eve.says("une bouilloire");
        eve.sends_voice(3, b"OggS".as_slice());
        eve.sends_photo(Some("une lampe"), None);
        eve.sends_sticker();
        eve.edits(1, "autre chose");
    }
    for button in [data(&card, "Valider"), format!("1y{:016x}", 1), "?".to_owned()] {
        eve.taps_data(2, &button);
        assert!(eve.toast().await.unwrap().text.contains("pas pour vous"), "a tap is always answered");
    }
    quiet(&bot).await;
    assert_eq!(heard(&eve), 1);
    bot.advance(3_599);
    eve.says("bonjour ?");
    quiet(&bot).await;
    assert_eq!(heard(&eve), 1);
    bot.advance(1);
    eve.says("bonjour ?");
    eve.sees_new(ASKS).await.unwrap();
    changes_nothing(&bot, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_admin_cannot_decide() {
    let (mut bot, odile, marc) = with_two_admins().await;
    asks_for_access(&bot.user(7)).await;
    is_told(&bot, &odile, "Demande d'accès").await;
    is_told(&bot, &marc, "Demande d'accès").await;
    bot.stop().await;
    bot.set("ADMIN_TELEGRAM_IDS", "1");
    bot.resume().await;
    // The stop may have come before it was noted that the card is there: it is told again after the lease.
    bot.advance(181);
    marc.taps("Accepter").unwrap();
    assert!(marc.toast().await.unwrap().text.contains("pas pour vous"));
    assert_eq!(bot.app().tables().members.role(UserId(7)).await.unwrap(), Role::Pending);
    odile.taps("Accepter").unwrap();
    marc.sees("Accès accepté").await.unwrap();
    assert_eq!(bot.app().tables().members.role(UserId(7)).await.unwrap(), Role::Volunteer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_requests_wait_and_the_next_is_told_so() {
    let bot = with(&[]).await;
    for id in 101..=120 {
        asks_for_access(&bot.user(id)).await;
    }
    let late = bot.user(121);
    late.says("bonjour");
    late.sees_new(ASKS).await.unwrap();
    late.taps(ASKS).unwrap();
    late.sees_new("beaucoup de demandes").await.unwrap();
    assert_eq!(
        bot.app().tables().members.role(UserId(121)).await.unwrap(),
        Role::Visitor,
        "they may ask later"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_admin_is_invited_and_gets_the_requests_that_wait() {
    let bot = with(&[]).await;
    let eve = bot.user(7);
    asks_for_access(&eve).await;
    let token = bot.app().tables().members.create_invite(Role::Admin).await.unwrap();
    let odile = bot.user(1);
    odile.says("bonjour");
    odile.sees_new(ASKS).await.unwrap();
    odile.starts(token.expose_secret());
    odile.sees_new("administrateur").await.unwrap();
    is_told(&bot, &odile, "Personne 7 · 7").await;
    odile.taps("Accepter").unwrap();
    is_told(&bot, &eve, "Bienvenue").await;
    deposits(&eve).await;
    deposits(&odile).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_by_configuration_gets_the_requests_when_they_first_come() {
    let bot = with(&[("ADMIN_TELEGRAM_IDS", "1")]).await;
    let eve = bot.user(7);
    asks_for_access(&eve).await;
    bot.telegram
        .wait_for("the card that cannot be delivered", |it| it.calls_with("sendMessage", 400) == 1)
        .await
        .unwrap();
    let odile = named(&bot, 1, "Odile");
    odile.starts("");
    is_told(&bot, &odile, "Personne 7 · 7").await;
    odile.taps("Accepter").unwrap();
    odile.sees_new("Décidé par Odile").await.unwrap();
    is_told(&bot, &eve, "Bienvenue").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_lets_one_person_in_within_a_quarter_of_an_hour() {
    let bot = with(&[("ADMIN_TELEGRAM_IDS", "1")]).await;
    let tables = bot.app().tables();
    let token = tables.members.create_invite(Role::Volunteer).await.unwrap();
    let (first, second, third) = (bot.user(7), bot.user(8), bot.user(9));
    bot.advance(14 * 60);
    first.starts(token.expose_secret());
    first.sees_new("Bienvenue").await.unwrap();
    deposits(&first).await;
    first.starts(token.expose_secret());
    first.sees_new("Bienvenue").await.unwrap();
    second.starts(token.expose_secret());
    second.sees_new("a expiré ou a déjà servi").await.unwrap();
    let token = tables.members.create_invite(Role::Volunteer).await.unwrap();
    bot.advance(15 * 60);
    third.says("bonjour");
    third.sees_new(ASKS).await.unwrap();
    third.starts(token.expose_secret());
    third.sees_new("a expiré ou a déjà servi").await.unwrap();
    let before = heard(&third);
    for guess in 0..5 {
        third.starts(&format!("{guess:032x}"));
    }
    quiet(&bot).await;
    assert_eq!(heard(&third), before, "guesses are not answered one by one");
    for id in [8, 9] {
        assert_eq!(tables.members.role(UserId(id)).await.unwrap(), Role::Visitor);
        changes_nothing(&bot, id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowlist_admits_its_users_and_takes_no_requests() {
    let bot = with(&[("ACCESS_MODE", "allowlist"), ("ALLOWED_TELEGRAM_IDS", "7")]).await;
    deposits(&bot.user(7)).await;
    let eve = bot.user(8);
    eve.says("une bouilloire");
    let notice = eve.sees_new("Donnez ce numéro à un responsable").await.unwrap();
    assert!(notice.text().contains(": 8\n") && !notice.is_live(), "{}", notice.text());
    eve.taps_data(notice.id, "1k");
    assert!(eve.toast().await.unwrap().text.contains("pas pour vous"));
    changes_nothing(&bot, 8).await;
    assert_eq!(bot.app().tables().members.role(UserId(8)).await.unwrap(), Role::Visitor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_over_the_limit_has_one_notice_an_hour_and_every_tap_is_answered() {
    let bot = with(&[("ACCESS_MODE", "open"), ("RATE_LIMIT_PER_MINUTE", "5")]).await;
    let (eve, other) = (bot.user(7), bot.user(8));
    eve.says("une bouilloire");
    eve.sees_new("Valider").await.unwrap();
    for _ in 0..4 {
        eve.says("/aide");
        eve.sees_new("/mesdepots").await.unwrap();
    }
    eve.says("/aide");
    eve.sees_new("Doucement").await.unwrap();
    let before = heard(&eve);
    for _ in 0..10 {
        eve.says("/aide");
    }
    eve.taps("Valider").unwrap();
    assert!(eve.toast().await.unwrap().text.contains("Réessayez"));
    quiet(&bot).await;
    bot.rests(7).await;
    assert_eq!(heard(&eve), before);
    assert!(bot.deposits(7).await.is_empty());
    deposits(&other).await;
    bot.rests(8).await;
    bot.advance(12);
    eve.taps("Valider").unwrap();
    eve.sees_new("enregistré").await.unwrap();
    bot.rests(7).await;
    for _ in 0..3 {
        eve.says("/aide");
    }
    quiet(&bot).await;
    assert_eq!(heard(&eve), before, "the hour is not over");
    bot.advance(3_600);
    for _ in 0..6 {
        eve.says("/aide");
    }
    eve.sees_new("Doucement").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_no_user_is_not_answered() {
    let bot = TestBot::start().await;
    let eve = bot.user(7);
    deposits(&eve).await;
    let said = bot.telegram.calls("sendMessage");
    let person = |id: i64, is_bot: bool| json!({"id": id, "is_bot": is_bot, "first_name": "X"});
    let message = |number: i64, from: serde_json::Value| {
        json!({"message": {"message_id": 900 + number, "date": 1_780_000_000, "from": from, "text": "une chaise",
            "chat": {"id": 7, "type": "private"}}})
    };
    bot.telegram.inject_raw(&message(1, person(55, true)));
    bot.telegram.inject_raw(&message(2, person(ANONYMOUS, true)));
    bot.telegram.inject_raw(&message(3, person(777_000, false)));
    let mut for_a_channel = message(4, person(7, false));
    for_a_channel["message"]["sender_chat"] = json!({"id": -100_700, "type": "channel"});
    bot.telegram.inject_raw(&for_a_channel);
    bot.telegram.inject_raw(&json!({"channel_post": {"message_id": 5, "date": 1_780_000_000,
        "chat": {"id": -100_800, "type": "channel"}, "text": "une chaise"}}));
    quiet(&bot).await;
    assert_eq!(bot.telegram.calls("sendMessage"), said);
    assert_eq!(bot.deposits(7).await.len(), 1);
    for id in [55, ANONYMOUS, 777_000] {
        changes_nothing(&bot, id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_hears_one_sentence_and_the_bot_leaves_also_where_only_anonymous_admins_write() {
    let bot = TestBot::start().await;
    let group = bot.user(7).in_group(-100_500, "Équipe");
    // Telegram does not do what it is asked the first time.
    bot.telegram.faults(|faults| {
        let fault = bot_api_simulator::Fault::ServerError;
        faults.add(bot_api_simulator::Rule::next(1, fault).on("leaveChat"));
    });
    group.adds_bot();
    quiet(&bot).await;
    bot.telegram.inject_raw(&json!({"message": {"message_id": 900, "date": 1_780_000_000,
        "chat": {"id": -100_500, "type": "supergroup", "title": "Équipe"}, "text": "une chaise",
        "sender_chat": {"id": -100_500, "type": "supergroup"},
        "from": {"id": ANONYMOUS, "is_bot": true, "first_name": "Group"}}}));
    group.wait_for("the bot to leave", Chat::bot_has_left).await.unwrap();
    assert_eq!(heard(&group), 1);
    changes_nothing(&bot, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_on_its_way_to_an_admin_when_the_bot_stops_is_there_once_after_the_restart() {
    let mut bot = with(&[("ADMIN_TELEGRAM_IDS", "1")]).await;
    let odile = named(&bot, 1, "Odile");
    odile.starts("");
    odile.sees_new("Bonjour").await.unwrap();
    let slow = Fault::Delay(Duration::from_secs(1));
    bot.telegram.faults(|faults| faults.add(Rule::every_call(slow).on("sendMessage").in_chat(1)));
    asks_for_access(&named(&bot, 70_007, "Ève")).await;
    let is_claimed = async {
        let now = bot.clock.now();
        while bot.app().tables().deliveries.next_due().await.unwrap().is_none_or(|due| due <= now) {
            tokio::time::sleep(crate::process::POLL_EVERY).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_claimed).await.expect("the card is claimed");
    bot.stop().await;
    bot.telegram.faults(Faults::clear);
    bot.resume().await;
    bot.advance(200);
    odile.sees("Demande d'accès").await.unwrap();
    let is_settled = async {
        while bot.app().tables().deliveries.next_due().await.unwrap().is_some() {
            tokio::time::sleep(crate::process::POLL_EVERY).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_settled).await.expect("the card is settled");
    let cards = odile.messages().iter().filter(|message| message.shows("Demande d'accès")).count();
    assert_eq!(cards, 1);
}
