//! The menus of a correction: the line, the part of it, and the new category, quantity, weight or destination.

use crate::telegram::views::card::{Renderer, button, fitting, with_ending};
use crate::telegram::views::view::{Button, Style, View};
use deposit::{Destination, Draft};
use session::{Part, QUANTITIES, Verb, WEIGHTS};

/// How many categories one page shows, in two columns.
const PAGE: usize = 8;

impl Renderer<'_> {
    pub(super) fn pick_line(&self, draft: &Draft, ending: Option<&str>) -> View {
        let view = fitting(|limit| {
            let mut view = self.titled("pick-line-title");
            view.paragraph(&self.open_lines(draft, limit));
            with_ending(view, ending)
        });
        let lines = draft.lines.iter().enumerate();
        let view = lines.fold(view, |view, (index, line)| {
            let label = format!("{}. {}", index + 1, self.object(line, usize::MAX));
            view.with_row(vec![button(&label, draft, Verb::PickLine(index))])
        });
        view.with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    /// The menu of a line. The groups are in it, since the category is corrected most often.
    pub(super) fn groups(&self, draft: &Draft, line: usize, ending: Option<&str>) -> View {
        let mut view = self.about_line("groups-title", draft, line);
        view.line(&self.localizer.message("groups-more"));
        let groups = self.taxonomy.groups.iter().map(|group| {
            let label = format!("{} {}", group.emoji, group.label.in_language(self.localizer.language));
            button(label.trim(), draft, Verb::OpenGroup(group.key.clone()))
        });
        let part = |key, part| self.deposit_button(key, draft, Verb::OpenPart(part));
        in_columns(2, with_ending(view, ending), groups.collect())
            .with_row(vec![part("button-quantity", Part::Quantity), part("button-weight", Part::Weight)])
            .with_row(vec![
                part("button-destination", Part::Destination),
                self.deposit_button("button-remove", draft, Verb::Remove),
            ])
            .with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    pub(super) fn quantities(&self, draft: &Draft, line: usize, ending: Option<&str>) -> View {
        let view = with_ending(self.about_line("quantities-title", draft, line), ending);
        let counts = QUANTITIES
            .map(|quantity| button(&quantity.to_string(), draft, Verb::Count(Some(quantity))))
            .to_vec();
        in_columns(4, view, counts)
            .with_row(vec![self.deposit_button("button-lot", draft, Verb::Count(None))])
            .with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    pub(super) fn weights(&self, draft: &Draft, line: usize, ending: Option<&str>) -> View {
        let view = with_ending(self.about_line("weights-title", draft, line), ending);
        let weights = WEIGHTS
            .map(|grams| button(&self.localizer.weight(grams.into()), draft, Verb::Weigh(Some(grams))))
            .to_vec();
        in_columns(3, view, weights)
            .with_row(vec![
                self.deposit_button("button-other-weight", draft, Verb::WriteWeight),
                self.deposit_button("button-no-weight", draft, Verb::Weigh(None)),
            ])
            .with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    pub(super) fn weight_asked(&self, draft: &Draft, line: usize, ending: Option<&str>) -> View {
        let mut view = self.about_line("weight-asked-title", draft, line);
        view.paragraph(&self.localizer.message("weight-asked"));
        with_ending(view, ending).with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    pub(super) fn destinations(&self, draft: &Draft, line: usize, ending: Option<&str>) -> View {
        let view = with_ending(self.about_line("destinations-title", draft, line), ending);
        let all = [Destination::Magasin, Destination::Recyclage, Destination::Dechetterie];
        let places = all.map(|place| button(&self.destination(place), draft, Verb::Send(place)));
        in_columns(1, view, places.to_vec()).with_row(vec![self.deposit_button(
            "button-back",
            draft,
            Verb::Back,
        )])
    }

    pub(super) fn categories(
        &self,
        draft: &Draft,
        line: usize,
        group: &str,
        page: u8,
        ending: Option<&str>,
    ) -> View {
        let categories: Vec<_> = self.taxonomy.categories_of(group).collect();
        let pages = categories.len().div_ceil(PAGE).max(1);
        // A tap may name any page; the nearest that exists is shown.
        let page = usize::from(page).min(pages - 1);
        let mut view = self.about_line("categories-title", draft, line);
        if pages > 1 {
            let name =
                self.taxonomy.group(group).map(|group| group.label.in_language(self.localizer.language));
            let args = [
                ("group", name.unwrap_or(group).into()),
                ("page", (page + 1).into()),
                ("pages", pages.into()),
            ];
            view.line(&self.localizer.format("categories-page", &args));
        }
        let choices =
            categories.into_iter().skip(page * PAGE).take(PAGE).map(|category| {
                button(&self.category(&category.key), draft, Verb::Choose(category.key.clone()))
            });
        let view = in_columns(2, with_ending(view, ending), choices.collect());
        let turn = |key, to: usize| {
            u8::try_from(to).ok().map(|to| self.deposit_button(key, draft, Verb::TurnTo(to)))
        };
        let previous = page.checked_sub(1).and_then(|to| turn("button-previous", to));
        let next = Some(page + 1).filter(|to| *to < pages).and_then(|to| turn("button-next", to));
        let turns: Vec<_> = previous.into_iter().chain(next).collect();
        let view = if turns.is_empty() { view } else { view.with_row(turns) };
        view.with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    /// A question about one line, which is shown as it stands.
    fn about_line(&self, key: &str, draft: &Draft, line: usize) -> View {
        const OBJECT_UNITS: usize = 60;
        let mut view = View::default();
        let Some(line) = draft.lines.get(line) else {
            let object = self.localizer.message("line-unnamed");
            view.styled(Style::Bold, &self.localizer.format(key, &[("object", object.into())]));
            return view;
        };
        let object = self.object(line, OBJECT_UNITS);
        view.styled(Style::Bold, &self.localizer.format(key, &[("object", object.into())]));
        view.line(&self.category(line.category()));
        let measures = self.measures(line, draft.total_weight.is_some());
        view.line(&format!("{measures} · {}", self.destination(line.destination)));
        view
    }
}

fn in_columns(columns: usize, view: View, buttons: Vec<Button>) -> View {
    buttons.chunks(columns).fold(view, |view, row| view.with_row(row.to_vec()))
}
