//! Voice notes, from the microphone to the ledger.

use std::time::Duration;

use deposit::{Media, Status, UserId};
use session::Lane;

use super::{Behaviour, KEY, Server};
use crate::bot::{Behind, TestBot};

pub(super) const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0 OpusHead and a little more";
pub(super) const NOTE: &str =
    "trois lampes deux kilos et un lot de vaisselle six kilos, la vaisselle au recyclage";

/// A bot that listens by this server.
pub(super) async fn listening(server: &Server, behind: Behind) -> TestBot {
    let variables = [
        ("ACCESS_MODE", "open"),
        ("STT_BASE_URL", server.url.as_str()),
        ("STT_API_KEY", KEY),
        ("STT_MODEL", "whisper-small"),
    ];
    TestBot::with(behind, &variables).await
}

/// A text with ordinary spaces where the French ones do not break.
fn plain(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_note_is_uploaded_and_ends_as_two_lines_in_two_taps() {
    let server = Server::start().await;
    server.hears(NOTE);
    let bot = listening(&server, Behind::Sqlite).await;
    let user = bot.user(7);
    user.sends_voice(4, OGG);
    let card = user.sees_new("Valider").await.unwrap();
    assert!(plain(card.text()).contains(&format!("entendu : « {NOTE} »")), "{}", card.text());
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let deposits = bot.deposits(7).await;
    let [lamps, dishes] = deposits[0].draft.lines.as_slice() else { panic!("{deposits:?}") };
    assert_eq!((lamps.quantity, lamps.weight.unwrap().grams), (Some(3), 2_000));
    assert_eq!((dishes.destination.as_str(), dishes.weight.unwrap().grams), ("recyclage", 6_000));
    assert_eq!(deposits[0].draft.said, [NOTE]);
    assert_eq!(deposits[0].draft.attachments[0].media, Media::Voice);

    let uploads = server.inside().uploads.clone();
    let [upload] = uploads.as_slice() else { panic!("{} uploads", uploads.len()) };
    assert_eq!((upload.path.as_str(), upload.key.as_deref()), ("/v1/audio/transcriptions", Some(KEY)));
    assert_eq!((upload.file.as_slice(), upload.file_name.as_str()), (OGG, "note.ogg"));
    assert_eq!(upload.file_type, "audio/ogg");
    let field = |name: &str| upload.fields[name].as_str();
    assert_eq!((field("model"), field("language"), field("temperature")), ("whisper-small", "fr", "0"));
    assert_eq!(field("response_format"), "verbose_json");
    assert!(
        field("prompt").contains("déchetterie") && field("prompt").contains("meubles"),
        "{}",
        field("prompt")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_transcript_is_on_the_card_and_a_server_without_segments_is_asked_for_less() {
    let server = Server::start().await;
    server.hears(NOTE);
    server.behaves(Behaviour::PlainOnly);
    let bot = listening(&server, Behind::Sqlite).await;
    let user = bot.person(7, "en");
    user.sends_audio(4, b"ID3\x04 and music".as_slice());
    let card = user.sees_new("heard").await.unwrap();
    assert!(card.shows("trois lampes deux kilos"), "{card:?}");
    user.says("and a chair, 3 kg");
    user.sees_new("chair").await.unwrap();
    user.sends_video_note(4, b"\0\0\0\x20ftypisom and pictures".as_slice());
    user.wait_for("a third note", |chat| chat.card().is_some_and(|card| card.shows("5."))).await.unwrap();
    let uploads = server.inside().uploads.clone();
    let formats: Vec<&str> = uploads.iter().map(|upload| upload.fields["response_format"].as_str()).collect();
    assert_eq!(formats, ["verbose_json", "json", "json"]);
    let names: Vec<&str> = uploads.iter().map(|upload| upload.file_name.as_str()).collect();
    assert_eq!(names, ["note.mp3", "note.mp3", "note.mp4"]);
    assert_eq!(uploads[0].fields["language"], "en");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_recording_is_paid_for_once() {
    for behind in [Behind::Sqlite, Behind::SqliteAndRedis, Behind::Postgres] {
        let server = Server::start().await;
        server.hears(NOTE);
        let mut bot = listening(&server, behind).await;
        for user in [7, 8] {
            let user = bot.user(user);
            user.sends_voice(4, OGG);
            user.sees_new("Valider").await.unwrap();
        }
        assert_eq!(server.uploads(), 1, "{behind:?}");
        bot.stop().await;
        bot.resume().await;
        bot.user(9).sends_voice(4, OGG);
        bot.user(9).sees("Valider").await.unwrap();
        assert_eq!(server.uploads(), 1, "{behind:?}: it survives a restart");
        bot.user(10).sends_voice(4, [OGG, b"!"].concat());
        bot.user(10).sees("Valider").await.unwrap();
        assert_eq!(server.uploads(), 2, "{behind:?}: another recording is another one");
        bot.advance(25 * 3600);
        bot.user(11).sends_voice(4, OGG);
        bot.user(11).sees("Valider").await.unwrap();
        if behind != Behind::SqliteAndRedis {
            assert_eq!(server.uploads(), 3, "what was heard is kept for a day");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_answered_during_a_transcription_and_the_call_ends_with_the_deposit() {
    let server = Server::start().await;
    server.behaves(Behaviour::Slow);
    let bot = listening(&server, Behind::Sqlite).await;
    let user = bot.user(7);
    user.sends_voice(4, OGG);
    server.until("the upload", |inside| inside.waiting == 1).await;
    user.says("/statut");
    user.sees_new("Je lis votre message").await.unwrap();
    user.says("/annuler");
    user.sees_new("abandonné").await.unwrap();
    server.until("the end of the call", |inside| inside.waiting == 0).await;
    // The lane is free for the next note at once.
    user.says("une bouilloire");
    user.sees_new("Valider").await.unwrap();
    assert_eq!(bot.deposits(7).await[0].status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transcription_outlasts_its_lease_which_is_renewed() {
    let server = Server::start().await;
    server.hears(NOTE);
    server.behaves(Behaviour::Slow);
    let bot = listening(&server, Behind::Sqlite).await;
    let user = bot.user(7);
    user.sends_voice(4, OGG);
    server.until("the upload", |inside| inside.waiting == 1).await;
    let service = bot.app().service();
    let lease = async || {
        let session = service.get(service.key(UserId(7))).await.unwrap().unwrap();
        session.lease(Lane::Compute).expect("the lane is held")
    };
    let first = lease().await;
    // Ten times four seconds: twice as long as the lease, and well within the deadline of the server.
    for _ in 0..10 {
        let before = lease().await.until;
        bot.advance(4);
        while lease().await.until == before {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(lease().await.token, first.token, "nobody has taken the lane over");
    server.release();
    user.sees_new("Valider").await.unwrap();
    assert_eq!(server.uploads(), 1, "it was paid for once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_the_server_and_the_next_start_listens_again() {
    let server = Server::start().await;
    server.hears(NOTE);
    server.behaves(Behaviour::Slow);
    let mut bot = listening(&server, Behind::Sqlite).await;
    bot.user(7).sends_voice(4, OGG);
    server.until("the upload", |inside| inside.waiting == 1).await;
    tokio::time::timeout(Duration::from_secs(60), bot.stop()).await.expect("it stops");
    server.until("the end of the call", |inside| inside.waiting == 0).await;
    server.release();
    bot.resume().await;
    bot.user(7).sees("Valider").await.unwrap();
    assert_eq!(server.uploads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoken_correction_of_an_open_card_changes_its_lines() {
    let server = Server::start().await;
    let bot = listening(&server, Behind::Sqlite).await;
    let user = bot.user(7);
    user.says("une bouilloire et trois chaises");
    user.sees_new("Valider").await.unwrap();
    for (at, (heard, told)) in [
        ("Quatre, pas trois.", "4 au lieu de 3"),
        ("Euh non, la première, c'est une imprimante.", "1. imprimante au lieu de"),
        ("Enlève la deuxième.", "chaises : ligne enlevée"),
    ]
    .into_iter()
    .enumerate()
    {
        server.hears(heard);
        user.sends_voice(2, [OGG, at.to_string().as_bytes()].concat());
        let card = user.sees_new("Valider").await.unwrap();
        assert!(plain(card.text()).lines().next().unwrap().contains(told), "{heard}: {}", card.text());
    }
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();
    let recorded = bot.deposits(7).await.remove(0);
    let [printer] = recorded.draft.lines.as_slice() else { panic!("{recorded:?}") };
    assert_eq!((printer.object.as_str(), printer.quantity), ("imprimante", Some(1)));
    assert_eq!(recorded.draft.said.len(), 4, "every word is kept");
}
