//! The views of access: for a stranger, for the admins who decide a request, and for its sender.

use crate::i18n::Localizer;
use crate::telegram::views::view::{Button, ButtonAction, Style, View, one_line, shortened};
use deposit::UserId;

/// The longest name that is shown to another user, in UTF-16 units.
const NAME_UNITS_MAX: usize = 64;

/// The outcome of an access request, as its card shows it.
#[derive(Clone, Copy, Debug)]
pub struct RequestOutcome<'a> {
    /// Whether the sender has access now.
    pub accepted: bool,
    /// The name of the admin who decided; `None` if the decision was automatic.
    pub by: Option<&'a str>,
}

/// The view for a stranger: their own id, and the button that requests access where requests are taken.
#[must_use]
pub fn stranger(localizer: Localizer<'_>, person: UserId, can_ask: bool) -> View {
    let mut view = View::plain(localizer.message("access-stranger"));
    view.paragraph(&localizer.message("access-stranger-id"));
    view.text.push(' ');
    view.styled(Style::Code, &person.to_string());
    if can_ask {
        view.line(&localizer.message("access-stranger-ask"));
        view.with_row(vec![Button::new(&localizer.message("button-ask-access"), ButtonAction::AskAccess)])
    } else {
        view.line(&localizer.message("access-stranger-show"));
        view
    }
}

/// The view of a request for an admin: name, id, and the two buttons, which name `request`.
#[must_use]
pub fn requested(localizer: Localizer<'_>, person: UserId, name: &str, request: u64) -> View {
    let mut view = View::default();
    view.styled(Style::Bold, &localizer.message("access-request-title"));
    add_person(&mut view, localizer, person, name);
    view.paragraph(&localizer.message("access-request-more"));
    view.with_row(vec![
        Button::new(&localizer.message("button-accept"), ButtonAction::Accept(request)),
        Button::new(&localizer.message("button-refuse"), ButtonAction::Refuse(request)),
    ])
}

/// The view that replaces a decided request on every admin's phone: no buttons.
#[must_use]
pub fn decided(localizer: Localizer<'_>, person: UserId, name: &str, decision: RequestOutcome<'_>) -> View {
    let mut view = View::default();
    let key = if decision.accepted { "access-accepted" } else { "access-refused" };
    view.styled(Style::Bold, &localizer.message(key));
    add_person(&mut view, localizer, person, name);
    if let Some(admin) = decision.by {
        view.paragraph(
            &localizer.format("access-decided-by", &[("admin", shown_name(localizer, admin).into())]),
        );
    }
    view
}

/// Name and id: a name can be chosen to look like another user's, the id cannot.
fn add_person(view: &mut View, localizer: Localizer<'_>, person: UserId, name: &str) {
    view.paragraph(&shown_name(localizer, name));
    view.text.push_str(" · ");
    view.styled(Style::Code, &person.to_string());
}

fn shown_name(localizer: Localizer<'_>, name: &str) -> String {
    let name = one_line(name);
    if name.is_empty() { localizer.message("access-anonymous") } else { shortened(&name, NAME_UNITS_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::I18n;
    use session::Language;

    const EVE: UserId = UserId(7_001);

    fn french(render: impl Fn(Localizer<'_>) -> View) -> String {
        render(I18n::new().unwrap().localizer(Language::Fr)).sketch()
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
        let by = RequestOutcome { accepted: true, by: Some("Odile") };
        insta::assert_snapshot!(french(|localizer| decided(localizer, EVE, "Ève", by)), @"
        *✅ Accès accepté*

        Ève · `7001`

        Décidé par Odile
        ");
        let by = RequestOutcome { accepted: false, by: None };
        insta::assert_snapshot!(french(|localizer| decided(localizer, EVE, "Ève", by)), @"
        *❌ Accès refusé*

        Ève · `7001`
        ");
    }
}
