//! No paid call is made for users without access.

use super::hearing::{NOTE, OGG};
use super::{KEY, Server};
use crate::bot::{Behind, TestBot};

/// A bot that listens and reads by this server.
async fn paying(server: &Server, variables: &[(&str, &str)]) -> TestBot {
    let mut all = vec![
        ("STT_BASE_URL", server.url.as_str()),
        ("STT_API_KEY", KEY),
        ("LLM_BASE_URL", server.url.as_str()),
        ("LLM_API_KEY", KEY),
        ("LLM_MODEL", "small-model"),
        ("LLM_VISION", "true"),
    ];
    all.extend(variables);
    TestBot::with(Behind::Sqlite, &all).await
}

/// How often the server was called: with recordings, and with notes or pictures.
fn calls(server: &Server) -> (usize, usize) {
    (server.uploads(), server.questions())
}

async fn handled(bot: &TestBot) {
    bot.telegram.wait_for("every update to be confirmed", |it| it.pending_updates() == 0).await.unwrap();
    bot.rests(7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_of_a_stranger_is_neither_transcribed_nor_read() {
    let server = Server::start().await;
    server.hears(NOTE);
    let bot = paying(&server, &[("ADMIN_TELEGRAM_IDS", "1")]).await;
    let (stranger, admin) = (bot.user(7), bot.user(1));
    stranger.sends_voice(4, OGG);
    stranger.sees_new("Demander l'accès").await.unwrap();
    stranger.says("le machin en bois de Josette");
    stranger.sends_photo(None, None);
    handled(&bot).await;
    assert_eq!(calls(&server), (0, 0));
    admin.sends_voice(4, OGG);
    admin.sees_new("Valider").await.unwrap();
    assert_eq!(server.uploads(), 1, "the same note of somebody who may is heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_over_the_limit_is_neither_transcribed_nor_read() {
    let server = Server::start().await;
    server.hears(NOTE);
    let bot = paying(&server, &[("ACCESS_MODE", "open"), ("RATE_LIMIT_PER_MINUTE", "1")]).await;
    let user = bot.user(7);
    user.sends_voice(4, OGG);
    user.sees_new("Valider").await.unwrap();
    bot.rests(7).await;
    let before = calls(&server);
    assert_eq!(before.0, 1);
    user.sends_voice(4, [OGG, b"!"].concat());
    user.sees_new("Doucement").await.unwrap();
    user.says("le machin en bois de Josette");
    user.sends_photo(None, None);
    handled(&bot).await;
    assert_eq!(calls(&server), before);
}
