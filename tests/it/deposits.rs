//! A volunteer's day, through the front door: the user's chat and the rows of the ledger.

use deposit::Status;

use crate::bot::{Behind, TestBot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_taps_record_a_deposit_on_every_engine() {
    for behind in Behind::ALL {
        let bot = TestBot::with(behind, &[("ACCESS_MODE", "open")]).await;
        let user = bot.user(7);
        user.says("une bouilloire, 1,2 kg");
        let card = user.sees_new("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        let done = user.sees_new("Dépôt n°\u{a0}1 enregistré").await.unwrap();
        assert_eq!(done.id, card.id, "a tap edits the card in place ({behind:?})");
        let deposits = bot.deposits(7).await;
        assert_eq!(deposits.len(), 1);
        assert_eq!(deposits[0].status, Status::Completed);
        assert_eq!(deposits[0].draft.lines[0].weight.unwrap().grams, 1_200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_card_is_corrected_through_groups_and_the_proposal_is_kept() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("/depot");
    user.sees_new("Annuler").await.unwrap();
    user.says("une bouilloire");
    user.sees_new("Corriger").await.unwrap();
    user.taps("Corriger").unwrap();
    user.sees_new("Maison").await.unwrap();
    user.taps("Retour").unwrap();
    user.sees_new("Valider").await.unwrap();
    user.taps("Corriger").unwrap();
    user.sees_new("Maison").await.unwrap();
    user.taps("Maison").unwrap();
    user.sees_new("Meubles").await.unwrap();
    user.taps("Meubles").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let deposits = bot.deposits(7).await;
    let line = &deposits[0].draft.lines[0];
    assert_eq!(line.category().0, "furniture");
    assert!(line.is_corrected(), "the proposal {:?} is kept beside the correction", line.proposal.category);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_note_adds_its_line_and_only_one_keyboard_lives() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    let first = user.sees_new("Valider").await.unwrap();
    user.says("trois chaises en bois");
    let second = user.sees_new("chaises").await.unwrap();
    assert!(second.id > first.id, "a message is answered at the bottom");
    assert_eq!(user.live_keyboards(), [second.id]);
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].draft.lines.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_is_cancelled_by_button_and_by_command() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Annuler").await.unwrap();
    user.taps("Annuler").unwrap();
    user.sees_new("abandonné").await.unwrap();
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    user.says("/annuler");
    user.sees_new("abandonné").await.unwrap();
    user.says("/annuler");
    user.sees_new("rien").await.unwrap();
    let statuses: Vec<_> = bot.deposits(7).await.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [Status::Cancelled, Status::Cancelled]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_warns_on_its_card_expires_once_and_is_resumed() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    let card = user.sees_new("Valider").await.unwrap();
    let messages = user.messages().len();
    bot.rests(7).await;
    bot.advance(241);
    user.wait_for("the warning", |chat| chat.card().is_some_and(|card| card.shows("minute"))).await.unwrap();
    bot.rests(7).await;
    bot.advance(60);
    user.sees("Reprendre").await.unwrap();
    assert_eq!(user.messages().len(), messages, "an expiry is an edit, never a message");
    assert_eq!(bot.deposits(7).await[0].status, Status::Expired);
    user.taps("Reprendre").unwrap();
    let resumed = user.sees_new("Valider").await.unwrap();
    assert_eq!(resumed.id, card.id);
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let deposits = bot.deposits(7).await;
    assert_eq!(deposits.len(), 1);
    assert_eq!((deposits[0].status, deposits[0].draft.revision), (Status::Completed, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_expires_also_when_the_bot_was_down_at_that_moment() {
    let mut bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    bot.stop().await;
    bot.advance(600);
    bot.resume().await;
    user.sees("Reprendre").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].status, Status::Expired);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_expires_whose_answer_waited_in_telegram() {
    let mut bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    bot.stop().await;
    bot.advance(200);
    user.taps("Valider").unwrap();
    bot.advance(140);
    bot.resume().await;
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.completed(7).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_gap_in_which_taps_are_lost_the_question_is_asked_again_once() {
    let mut bot = TestBot::start().await;
    let user = bot.user(7);
    user.says("une bouilloire");
    let card = user.sees_new("Valider").await.unwrap();
    bot.stop().await;
    user.taps("Valider").unwrap();
    bot.advance(160);
    bot.resume().await;
    user.wait_for("the card anew", |chat| chat.card().is_some_and(|anew| anew.id > card.id)).await.unwrap();
    assert_eq!(user.live_keyboards().len(), 1);
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.completed(7).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_deposit_is_undone_within_ten_minutes_and_not_after() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    for _ in 0..2 {
        user.says("une bouilloire");
        user.sees_new("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        user.sees_new("enregistré").await.unwrap();
    }
    user.taps("Annuler ce dépôt").unwrap();
    user.sees_new("Dépôt n°\u{a0}2 annulé").await.unwrap();
    bot.rests(7).await;
    bot.advance(601);
    user.taps("Annuler ce dépôt").unwrap();
    let toast = user.toast().await.unwrap();
    assert!(!toast.text.is_empty());
    // Both were opened in the same millisecond of the clock that stands still: their numbers tell them apart.
    let mut statuses: Vec<_> =
        bot.deposits(7).await.iter().map(|entry| (entry.number, entry.status)).collect();
    statuses.sort_unstable_by_key(|(number, _)| *number);
    assert_eq!(statuses, [(Some(1), Status::Completed), (Some(2), Status::Reversed)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_tap_twice_the_same_update_twice_and_a_tap_under_a_new_id_record_once() {
    let bot = TestBot::start().await;
    bot.telegram.faults(|faults| {
        faults.repeat_every = 1;
        faults.double_taps = 1.0;
    });
    let user = bot.user(7);
    for number in 1..=5 {
        user.says("une bouilloire");
        user.sees_new("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        user.sees_new(&format!("Dépôt n°\u{a0}{number} enregistré")).await.unwrap();
    }
    assert_eq!(bot.completed(7).await, 5);
    let confirmations = user.messages().iter().filter(|message| message.shows("enregistré")).count();
    assert_eq!(confirmations, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_of_4096_characters_with_markup_and_emoji_is_one_card() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    let text: String = "<b>&amp; 🫖é".chars().cycle().take(3_600).collect();
    user.says(&text);
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].draft.said, [text]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voice_photos_and_albums_are_stored_and_asked_about_once() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.sends_voice(4, b"OggS".as_slice());
    user.sees_new("message vocal").await.unwrap();
    for _ in 0..3 {
        user.sends_photo(None, Some("album"));
    }
    user.says("deux lampes, trois kilos");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].draft.attachments.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_other_input_has_one_plain_answer() {
    let bot = TestBot::start().await;
    let user = bot.user(7);
    user.starts("");
    user.sees_new("Bonjour").await.unwrap();
    user.says("/aide");
    user.sees_new("/depot").await.unwrap();
    user.says("/mesdepots");
    user.sees_new("dépôt").await.unwrap();
    user.says("/statut");
    user.sees_new("Aucun").await.unwrap();
    user.sends_sticker();
    user.sees_new("Je ne peux rien en faire pour un dépôt").await.unwrap();
    user.sends_location();
    user.sees_new("Je ne peux rien en faire pour un dépôt").await.unwrap();
    user.says("/danse");
    user.sees_new("Je ne connais pas cette commande").await.unwrap();
    let sent = user.says("/statut").message_id;
    user.sees_new("Aucun").await.unwrap();
    user.edits(sent, "autre chose").unwrap();
    user.sees_new("le dépôt, lui, n'a pas changé").await.unwrap();
    let answers = user.messages().iter().filter(|message| message.from_bot()).count();
    assert_eq!(answers, 9, "one answer to each:\n{}", user.transcript());
    assert!(bot.deposits(7).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_by_another_user_changes_nothing_and_is_answered() {
    let bot = TestBot::start().await;
    let (owner, other) = (bot.user(7), bot.user(8));
    owner.says("une bouilloire");
    let card = owner.sees_new("Valider").await.unwrap();
    let data = card.button("Valider").unwrap().data.clone().unwrap();
    other.says("/aide");
    other.sees_new("/depot").await.unwrap();
    other.taps_data(1, &data);
    assert!(!other.toast().await.unwrap().text.is_empty());
    owner.taps("Valider").unwrap();
    owner.sees_new("enregistré").await.unwrap();
    other.taps_data(1, &data);
    assert!(!other.toast().await.unwrap().text.is_empty());
    assert_eq!((bot.completed(7).await, bot.completed(8).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn english_is_spoken_to_those_who_read_it() {
    let bot = TestBot::start().await;
    let user = bot.person(7, "en-GB");
    user.says("/help");
    user.sees_new("To make a deposit, write what it is").await.unwrap();
    user.says("a kettle, two kilos");
    let card = user.sees_new("Your deposit: is this right?").await.unwrap();
    for button in ["Confirm", "Correct", "Cancel"] {
        assert!(card.button(button).is_some(), "{button}: {card:?}");
    }
    user.taps("Confirm").unwrap();
    let done = user.sees_new("saved").await.unwrap();
    assert!(done.shows("Thank you!"), "{}", done.text());
    assert!(done.button("Undo this deposit").is_some(), "{done:?}");
    user.says("/danse");
    user.sees_new("I don't know this command").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_gets_one_sentence_and_the_bot_leaves() {
    let bot = TestBot::start().await;
    let group = bot.user(7).in_group(-100_500, "Équipe");
    group.adds_bot();
    group.wait_for("the bot to leave", bot_api_simulator::Chat::bot_has_left).await.unwrap();
    let sentences = group.messages().iter().filter(|message| message.from_bot()).count();
    assert_eq!(sentences, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_one_line_deposit_takes_at_most_two_kilobytes_of_redis() {
    let bot = TestBot::with(Behind::SqliteAndRedis, &[("ACCESS_MODE", "open")]).await;
    let redis = bot.redis.as_ref().unwrap();
    for user in 1..=50 {
        let user = bot.user(user);
        user.says("un grille-pain Moulinex, un kilo deux");
        user.sees_new("Valider").await.unwrap();
        user.taps("Valider").unwrap();
        user.sees_new("enregistré").await.unwrap();
    }
    bot.settled().await;
    let keys: Vec<String> = redis.command(&["KEYS", "*"]);
    let sizes = keys.iter().map(|key| redis.command::<u64>(&["MEMORY", "USAGE", key, "SAMPLES", "0"]));
    let bytes: u64 = sizes.sum();
    assert!(keys.len() >= 50, "{keys:?}");
    assert!(bytes / 50 <= 2_048, "{} bytes for each deposit at rest", bytes / 50);
}
