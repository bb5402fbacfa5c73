//! Who may: what a stranger, the person who asked and the admins see.

use crate::deposit::UserId;
use crate::i18n::Localizer;
use crate::telegram::picture::{Button, Picture, Press, Style, one_line, shortened};

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
pub fn stranger(localizer: Localizer<'_>, person: UserId, can_ask: bool) -> Picture {
    let mut picture = Picture::plain(localizer.message("access-stranger"));
    picture.paragraph(&localizer.message("access-stranger-id"));
    picture.text.push(' ');
    picture.styled(Style::Code, &person.to_string());
    if can_ask {
        picture.line(&localizer.message("access-stranger-ask"));
        picture.with_row(vec![Button::new(&localizer.message("button-ask-access"), Press::AskAccess)])
    } else {
        picture.line(&localizer.message("access-stranger-show"));
        picture
    }
}

/// What an admin sees of a request: name, id, and the two answers. `request` is what the buttons name.
#[must_use]
pub fn requested(localizer: Localizer<'_>, person: UserId, name: &str, request: u64) -> Picture {
    let mut picture = Picture::default();
    picture.styled(Style::Bold, &localizer.message("access-request-title"));
    add_person(&mut picture, localizer, person, name);
    picture.paragraph(&localizer.message("access-request-more"));
    picture.with_row(vec![
        Button::new(&localizer.message("button-accept"), Press::Accept(request)),
        Button::new(&localizer.message("button-refuse"), Press::Refuse(request)),
    ])
}

/// What the card of a request becomes on every admin's phone once it is decided: no buttons.
#[must_use]
pub fn decided(localizer: Localizer<'_>, person: UserId, name: &str, decision: Decision<'_>) -> Picture {
    let mut picture = Picture::default();
    let key = if decision.accepted { "access-accepted" } else { "access-refused" };
    picture.styled(Style::Bold, &localizer.message(key));
    add_person(&mut picture, localizer, person, name);
    if let Some(admin) = decision.by {
        picture.paragraph(
            &localizer.format("access-decided-by", &[("admin", shown_name(localizer, admin).into())]),
        );
    }
    picture
}

/// Name and id: the name may be anybody's, the id is not.
fn add_person(picture: &mut Picture, localizer: Localizer<'_>, person: UserId, name: &str) {
    picture.paragraph(&shown_name(localizer, name));
    picture.text.push_str(" · ");
    picture.styled(Style::Code, &person.to_string());
}

fn shown_name(localizer: Localizer<'_>, name: &str) -> String {
    let name = one_line(name);
    if name.is_empty() { localizer.message("access-anonymous") } else { shortened(&name, NAME_UNITS_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::I18n;
    use crate::session::Language;

    const EVE: UserId = UserId(7_001);

    fn french(paint: impl Fn(Localizer<'_>) -> Picture) -> String {
        paint(I18n::new().unwrap().localizer(Language::Fr)).sketch()
    }

    #[test]
    fn a_stranger_sees_their_own_id_and_how_to_get_in() {
        insta::assert_snapshot!(french(|localizer| stranger(localizer, EVE, true)), @"
        🔒 Bonjour ! Ce bot est réservé à l'équipe de la ressourcerie.

        Votre numéro Telegram : `7001`
        Vous en faites partie ? Demandez l'accès : un responsable vous répondra.
        [🙋 Demander l'accès]{AskAccess}
        ");
        insta::assert_snapshot!(french(|localizer| stranger(localizer, EVE, false)), @"
        🔒 Bonjour ! Ce bot est réservé à l'équipe de la ressourcerie.

        Votre numéro Telegram : `7001`
        Vous en faites partie ? Donnez ce numéro à un responsable.
        ");
    }

    #[test]
    fn an_admin_sees_name_and_id_and_two_answers() {
        insta::assert_snapshot!(french(|localizer| requested(localizer, EVE, "<b>Ève</b>\u{202e}\n 👩‍🌾", 0xfe)), @"
        *🙋 Demande d'accès*

        <b>Ève</b> 👩‍🌾 · `7001`

        Faut-il l'accepter comme bénévole ?
        [✅ Accepter]{Accept(254)} [❌ Refuser]{Refuse(254)}
        ");
        insta::assert_snapshot!(french(|localizer| requested(localizer, EVE, " \u{200e} ", 0xfe)), @"
        *🙋 Demande d'accès*

        sans nom · `7001`

        Faut-il l'accepter comme bénévole ?
        [✅ Accepter]{Accept(254)} [❌ Refuser]{Refuse(254)}
        ");
        let long = requested(I18n::new().unwrap().localizer(Language::En), EVE, &"é".repeat(500), 1);
        assert!(long.text.contains(&format!("{}… · 7001", "é".repeat(63))), "{}", long.text);
    }

    #[test]
    fn a_decided_request_says_who_decided() {
        let by = Decision { accepted: true, by: Some("Odile") };
        insta::assert_snapshot!(french(|localizer| decided(localizer, EVE, "Ève", by)), @"
        *✅ Accès accepté*

        Ève · `7001`

        Décidé par Odile
        ");
        let by = Decision { accepted: false, by: None };
        insta::assert_snapshot!(french(|localizer| decided(localizer, EVE, "Ève", by)), @"
        *❌ Accès refusé*

        Ève · `7001`
        ");
    }
}
