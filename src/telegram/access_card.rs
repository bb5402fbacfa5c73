//! Who may: what a stranger, the person who asked and the admins see.

use crate::deposit::UserId;
use crate::telegram::picture::{Button, Picture, Press, Style, one_line, shortened};
use crate::words::Phrases;

/// The longest name that is shown to somebody else, in UTF-16 units.
const NAME_UNITS_MAX: usize = 64;

/// What became of a request for access.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Whether the person has access now.
    pub accepted: bool,
    /// The name of the admin who decided; `None` where nobody did by hand.
    pub by: Option<&'a str>,
}

/// What somebody sees who is not allowed: their own id, and the way to ask where asking is possible.
#[must_use]
pub fn stranger(phrases: Phrases<'_>, person: UserId, can_ask: bool) -> Picture {
    let mut picture = Picture::plain(phrases.plain("access-stranger"));
    picture.paragraph(&phrases.plain("access-stranger-id"));
    picture.text.push(' ');
    picture.styled(Style::Code, &person.to_string());
    if can_ask {
        picture.line(&phrases.plain("access-stranger-ask"));
        picture.with_row(vec![Button::new(&phrases.plain("button-ask-access"), Press::AskAccess)])
    } else {
        picture.line(&phrases.plain("access-stranger-show"));
        picture
    }
}

/// What an admin sees of a request: name, id, and the two answers. `request` is what the buttons name.
#[must_use]
pub fn requested(phrases: Phrases<'_>, person: UserId, name: &str, request: u64) -> Picture {
    let mut picture = Picture::default();
    picture.styled(Style::Bold, &phrases.plain("access-request-title"));
    add_person(&mut picture, phrases, person, name);
    picture.paragraph(&phrases.plain("access-request-more"));
    picture.with_row(vec![
        Button::new(&phrases.plain("button-accept"), Press::Accept(request)),
        Button::new(&phrases.plain("button-refuse"), Press::Refuse(request)),
    ])
}

/// What the card of a request becomes on every admin's phone once it is decided: no buttons.
#[must_use]
pub fn decided(phrases: Phrases<'_>, person: UserId, name: &str, decision: Decision<'_>) -> Picture {
    let mut picture = Picture::default();
    let key = if decision.accepted { "access-accepted" } else { "access-refused" };
    picture.styled(Style::Bold, &phrases.plain(key));
    add_person(&mut picture, phrases, person, name);
    if let Some(admin) = decision.by {
        picture.paragraph(&phrases.say("access-decided-by", &[("admin", shown_name(phrases, admin).into())]));
    }
    picture
}

/// Name and id: the name may be anybody's, the id is not.
fn add_person(picture: &mut Picture, phrases: Phrases<'_>, person: UserId, name: &str) {
    picture.paragraph(&shown_name(phrases, name));
    picture.text.push_str(" · ");
    picture.styled(Style::Code, &person.to_string());
}

fn shown_name(phrases: Phrases<'_>, name: &str) -> String {
    let name = one_line(name);
    if name.is_empty() { phrases.plain("access-anonymous") } else { shortened(&name, NAME_UNITS_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Language;
    use crate::words::Words;

    const EVE: UserId = UserId(7_001);

    fn french(paint: impl Fn(Phrases<'_>) -> Picture) -> String {
        paint(Words::new().unwrap().phrases(Language::Fr)).sketch()
    }

    #[test]
    fn a_stranger_sees_their_own_id_and_how_to_get_in() {
        insta::assert_snapshot!(french(|phrases| stranger(phrases, EVE, true)), @"
        🔒 Bonjour ! Ce bot est réservé à l'équipe de la ressourcerie.

        Votre numéro Telegram : `7001`
        Vous en faites partie ? Demandez l'accès : un responsable vous répondra.
        [🙋 Demander l'accès]{AskAccess}
        ");
        insta::assert_snapshot!(french(|phrases| stranger(phrases, EVE, false)), @"
        🔒 Bonjour ! Ce bot est réservé à l'équipe de la ressourcerie.

        Votre numéro Telegram : `7001`
        Vous en faites partie ? Donnez ce numéro à un responsable.
        ");
    }

    #[test]
    fn an_admin_sees_name_and_id_and_two_answers() {
        insta::assert_snapshot!(french(|phrases| requested(phrases, EVE, "<b>Ève</b>\u{202e}\n 👩‍🌾", 0xfe)), @"
        *🙋 Demande d'accès*

        <b>Ève</b> 👩‍🌾 · `7001`

        Faut-il l'accepter comme bénévole ?
        [✅ Accepter]{Accept(254)} [❌ Refuser]{Refuse(254)}
        ");
        insta::assert_snapshot!(french(|phrases| requested(phrases, EVE, " \u{200e} ", 0xfe)), @"
        *🙋 Demande d'accès*

        sans nom · `7001`

        Faut-il l'accepter comme bénévole ?
        [✅ Accepter]{Accept(254)} [❌ Refuser]{Refuse(254)}
        ");
        let long = requested(Words::new().unwrap().phrases(Language::En), EVE, &"é".repeat(500), 1);
        assert!(long.text.contains(&format!("{}… · 7001", "é".repeat(63))), "{}", long.text);
    }

    #[test]
    fn a_decided_request_says_who_decided() {
        let by = Decision { accepted: true, by: Some("Odile") };
        insta::assert_snapshot!(french(|phrases| decided(phrases, EVE, "Ève", by)), @"
        *✅ Accès accepté*

        Ève · `7001`

        Décidé par Odile
        ");
        let by = Decision { accepted: false, by: None };
        insta::assert_snapshot!(french(|phrases| decided(phrases, EVE, "Ève", by)), @"
        *❌ Accès refusé*

        Ève · `7001`
        ");
    }
}
