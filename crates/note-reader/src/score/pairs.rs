//! Which line is which labelled item.

use super::{Item, Labelled, Read};

/// Pairs items with lines, each at most once, as many right as can be; then the others in order. (item, line, right)
pub(super) fn pairs(
    note: &Labelled,
    lines: &[Read],
    right: impl Fn(&Item, &Read) -> bool,
) -> Vec<(usize, usize, bool)> {
    let fits: Vec<Vec<usize>> = note
        .items
        .iter()
        .map(|item| {
            lines.iter().enumerate().filter(|(_, line)| right(item, line)).map(|(place, _)| place).collect()
        })
        .collect();
    let mut taken: Vec<Option<usize>> = vec![None; lines.len()];
    for item in 0..fits.len() {
        place(item, &fits, &mut taken, &mut vec![false; lines.len()]);
    }
    let mut pairs: Vec<_> =
        taken.iter().enumerate().filter_map(|(line, item)| Some(((*item)?, line, true))).collect();
    let free: Vec<_> = (0..fits.len()).filter(|item| !taken.contains(&Some(*item))).collect();
    let idle = taken.iter().enumerate().filter(|(_, item)| item.is_none()).map(|(line, _)| line);
    pairs.extend(free.into_iter().zip(idle).map(|(item, line)| (item, line, false)));
    pairs
}

/// Finds a line for an item, the first free one, or moves others on where that helps.
fn place(item: usize, fits: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    let is_free = |line: &&usize| taken.get(**line).is_some_and(Option::is_none);
    if let Some(free) =
        fits.get(item).into_iter().flatten().find(is_free).and_then(|line| taken.get_mut(*line))
    {
        *free = Some(item);
        return true;
    }
    for line in fits.get(item).into_iter().flatten() {
        let Some(was_seen) = seen.get_mut(*line) else { continue };
        if std::mem::replace(was_seen, true) {
            continue;
        }
        let other = taken.get(*line).copied().flatten();
        if other.is_none_or(|other| place(other, fits, taken, seen)) {
            if let Some(free) = taken.get_mut(*line) {
                *free = Some(item);
            }
            return true;
        }
    }
    false
}
