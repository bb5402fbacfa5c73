//! The way to another category: which line, which group, which category.

use crate::deposit::Draft;
use crate::session::Verb;
use crate::telegram::card::{Painter, button, fitting, with_ending};
use crate::telegram::picture::{Button, Picture, Style};

/// How many categories one page shows, in two columns.
const PAGE: usize = 8;

impl Painter<'_> {
    pub(super) fn pick_line(&self, draft: &Draft, ending: Option<&str>) -> Picture {
        let picture = fitting(|limit| {
            let mut picture = self.titled("pick-line-title");
            picture.paragraph(&self.open_lines(draft, limit));
            with_ending(picture, ending)
        });
        let lines = draft.lines.iter().enumerate();
        let picture = lines.fold(picture, |picture, (index, line)| {
            let label = format!("{}. {}", index + 1, self.object(line, usize::MAX));
            picture.with_row(vec![button(&label, draft, Verb::PickLine(index))])
        });
        picture.with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    pub(super) fn groups(&self, draft: &Draft, line: usize, ending: Option<&str>) -> Picture {
        let picture = self.about_line("groups-title", draft, line);
        let groups = self.taxonomy.groups.iter().map(|group| {
            let label = format!("{} {}", group.emoji, group.label.in_language(self.phrases.language));
            button(label.trim(), draft, Verb::OpenGroup(group.key.clone()))
        });
        let picture = in_two_columns(with_ending(picture, ending), groups.collect());
        picture.with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    pub(super) fn categories(
        &self,
        draft: &Draft,
        line: usize,
        group: &str,
        page: u8,
        ending: Option<&str>,
    ) -> Picture {
        let categories: Vec<_> = self.taxonomy.categories_of(group).collect();
        let pages = categories.len().div_ceil(PAGE).max(1);
        // A tap may name any page; the nearest that exists is shown.
        let page = usize::from(page).min(pages - 1);
        let mut picture = self.about_line("categories-title", draft, line);
        if pages > 1 {
            let name = self.taxonomy.group(group).map(|group| group.label.in_language(self.phrases.language));
            let args = [
                ("group", name.unwrap_or(group).into()),
                ("page", (page + 1).into()),
                ("pages", pages.into()),
            ];
            picture.line(&self.phrases.say("categories-page", &args));
        }
        let choices =
            categories.into_iter().skip(page * PAGE).take(PAGE).map(|category| {
                button(&self.category(&category.key), draft, Verb::Choose(category.key.clone()))
            });
        let picture = in_two_columns(with_ending(picture, ending), choices.collect());
        let turn = |key, to: usize| {
            u8::try_from(to).ok().map(|to| self.deposit_button(key, draft, Verb::TurnTo(to)))
        };
        let previous = page.checked_sub(1).and_then(|to| turn("button-previous", to));
        let next = Some(page + 1).filter(|to| *to < pages).and_then(|to| turn("button-next", to));
        let turns: Vec<_> = previous.into_iter().chain(next).collect();
        let picture = if turns.is_empty() { picture } else { picture.with_row(turns) };
        picture.with_row(vec![self.deposit_button("button-back", draft, Verb::Back)])
    }

    /// A question about one line, which is shown with its category as it stands.
    fn about_line(&self, key: &str, draft: &Draft, line: usize) -> Picture {
        const OBJECT_UNITS: usize = 60;
        let mut picture = Picture::default();
        let Some(line) = draft.lines.get(line) else {
            let object = self.phrases.plain("line-unnamed");
            picture.styled(Style::Bold, &self.phrases.say(key, &[("object", object.into())]));
            return picture;
        };
        let object = self.object(line, OBJECT_UNITS);
        picture.styled(Style::Bold, &self.phrases.say(key, &[("object", object.into())]));
        picture.line(&self.category(line.category()));
        picture
    }
}

fn in_two_columns(picture: Picture, buttons: Vec<Button>) -> Picture {
    buttons.chunks(2).fold(picture, |picture, row| picture.with_row(row.to_vec()))
}
