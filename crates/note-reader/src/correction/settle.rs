//! From the statements of a note to changes of lines: which line each clause means, and the change it makes.

use crate::correction::parse::{Act, Clause, Parsed, Target};
use crate::correction::{Scene, Value, which};
use crate::lines::Said;
use crate::typical;
use deposit::{Change, Unclear, is_unweighed};
use deposit::{Destination, GRAMS_MAX, Line, QUANTITY_MAX, Weight, WeightSource};

type Changes = Result<Vec<Change>, Unclear>;

/// The changes that a note asks for; `None` where it is a description after all.
pub(super) fn settle(scene: &Scene<'_>, parsed: &Parsed) -> Option<Changes> {
    let is_marked = parsed.denied || parsed.stated || scene.card.is_reply;
    let describes = |clause: &Clause| {
        let has_thing = clause.values.iter().any(|value| matches!(value, Value::Thing(_)));
        has_thing && clause.act == Act::Say && !is_marked && !clause.names_line
    };
    if parsed.clauses.iter().any(describes) {
        return None;
    }
    let says_nothing = |clause: &&Clause| clause.values.is_empty() && clause.act == Act::Say;
    if let Some(empty) = parsed.clauses.iter().find(says_nothing) {
        return (empty.names_line || parsed.denied).then_some(Err(Unclear::What));
    }
    if parsed.clauses.is_empty() {
        return parsed.denied.then_some(Err(Unclear::What));
    }
    let mut changes = Vec::new();
    for clause in &parsed.clauses {
        let settled = match &clause.act {
            Act::Say => said(scene, clause, parsed.denied),
            Act::Remove => removed(scene, clause),
            Act::Add(text) => added(scene, text)?,
        };
        match settled {
            Ok(more) => changes.extend(more),
            Err(unclear) => return Some(Err(unclear)),
        }
    }
    Some(Ok(changes))
}

/// Other lines; `None` where they are more than lines.
fn added(scene: &Scene<'_>, text: &str) -> Option<Changes> {
    let mut understood = scene.classifier.understand(text, scene.language, scene.site);
    typical::suggest(&mut understood);
    if understood.total_weight.is_some() {
        return None;
    }
    let lines: Vec<_> = understood.lines.into_iter().map(Change::Added).collect();
    Some(if lines.is_empty() { Err(Unclear::What) } else { Ok(lines) })
}

fn removed(scene: &Scene<'_>, clause: &Clause) -> Changes {
    if scene.note.trim_end().ends_with('?') {
        return Err(Unclear::What);
    }
    let mut changes = Vec::new();
    for value in &clause.values {
        let Value::Thing(thing) = value else { return Err(Unclear::What) };
        changes.push(taken(scene, clause, thing)?);
    }
    if clause.targets.contains(&Target::All) {
        return Err(Unclear::Everything);
    }
    let targets = if clause.targets.is_empty() && clause.values.is_empty() {
        vec![only(scene).ok_or_else(|| which(scene))?]
    } else {
        lines(scene, clause)?
    };
    changes.extend(targets.into_iter().map(|line| Change::Removed { line }));
    Ok(changes)
}

/// "Enlève deux chaises": so many less, or the line where that is all of them.
fn taken(scene: &Scene<'_>, clause: &Clause, thing: &Said) -> Result<Change, Unclear> {
    let words = clause.thing_words(scene).unwrap_or_default();
    let line = scene.line_of(&words).ok_or(Unclear::NoSuchLine)?;
    let line = line.or(scene.card.line).ok_or_else(|| which(scene))?;
    let there = scene.card.lines.get(line).and_then(|line| line.quantity);
    match (there, thing.quantity) {
        (_, None) => Ok(Change::Removed { line }),
        (Some(there), Some(taken)) if taken < there => {
            Ok(Change::Counted { line, quantity: Some(there - taken) })
        }
        (Some(there), Some(taken)) if taken == there => Ok(Change::Removed { line }),
        (Some(_) | None, Some(_)) => Err(Unclear::What),
    }
}

fn said(scene: &Scene<'_>, clause: &Clause, denied: bool) -> Changes {
    if clause.targets.contains(&Target::All) {
        return said_of_all(scene, clause);
    }
    let named = lines(scene, clause)?;
    let named = if named.is_empty() { meant_by_name(scene, clause)? } else { named };
    let mut changes = Vec::new();
    for value in &clause.values {
        if named.len() > 1 && !matches!(value, Value::Destination(_) | Value::Category(_) | Value::Count(_)) {
            return Err(Unclear::What);
        }
        if let (Value::Weight { grams, each }, []) = (value, named.as_slice()) {
            changes.push(weighed(scene, clause, *grams, *each, denied)?);
            continue;
        }
        let lines = if named.is_empty() { vec![meant(scene, value, clause)?] } else { named.clone() };
        for line in lines {
            changes.extend(change(scene, line, value)?);
        }
    }
    Ok(changes)
}

/// The changes that are stated for all lines together.
fn said_of_all(scene: &Scene<'_>, clause: &Clause) -> Changes {
    let all = 0..scene.card.lines.len();
    let mut changes = Vec::new();
    for value in &clause.values {
        match value {
            Value::Weight { grams, each: false } => changes.extend(total(scene, *grams)?),
            // "Total : 12".
            Value::Count(Some(kilos)) => changes.extend(total(scene, kilos.saturating_mul(1_000))?),
            Value::Destination(_) | Value::Category(_) => {
                for line in all.clone() {
                    changes.extend(change(scene, line, value)?);
                }
            }
            Value::Count(None)
            | Value::Weight { .. }
            | Value::More(_)
            | Value::MoreWeight(_)
            | Value::NoWeight
            | Value::Thing(_) => return Err(Unclear::What),
        }
    }
    Ok(changes)
}

/// The weight of all lines; it has to leave something for those of unknown weight.
fn total(scene: &Scene<'_>, grams: u32) -> Changes {
    let grams = grams.min(GRAMS_MAX);
    let weight = stated(grams);
    let lines = scene.card.lines;
    if lines.len() == 1 {
        return Ok(vec![Change::Weighed { line: 0, weight: Some(weight) }]);
    }
    let known = lines.iter().filter(|line| !is_unweighed(line)).filter_map(|line| line.weight);
    let known = known.fold(0u32, |sum, weight| sum.saturating_add(weight.grams));
    match (lines.iter().any(is_unweighed), grams) {
        (true, grams) if grams > known => Ok(vec![Change::TotalWeighed(weight)]),
        (false, grams) if grams == known => Ok(Vec::new()),
        _contradicts => Err(Unclear::Total),
    }
}

/// The lines that a clause names itself.
fn lines(scene: &Scene<'_>, clause: &Clause) -> Result<Vec<usize>, Unclear> {
    let mut lines = Vec::new();
    for target in &clause.targets {
        match target {
            Target::Line(line) if !lines.contains(line) => lines.push(*line),
            Target::Line(_) | Target::All => {}
            Target::Several => lines.push(scene.card.line.ok_or_else(|| which(scene))?),
            Target::Missing => return Err(Unclear::NoSuchLine),
        }
    }
    Ok(lines)
}

/// "Non, quatre chaises" speaks of the chairs that are there.
fn meant_by_name(scene: &Scene<'_>, clause: &Clause) -> Result<Vec<usize>, Unclear> {
    let Some(words) = clause.thing_words(scene) else { return Ok(Vec::new()) };
    match scene.line_of(&words) {
        None => Ok(Vec::new()),
        Some(Some(line)) => Ok(vec![line]),
        Some(None) => Ok(vec![only(scene).ok_or_else(|| which(scene))?]),
    }
}

/// The line in question, or the only one.
fn only(scene: &Scene<'_>) -> Option<usize> {
    scene.card.line.or((scene.card.lines.len() == 1).then_some(0))
}

/// The line of a value that is said of no line: the one in question, the only one, the one that is as it should not be.
fn meant(scene: &Scene<'_>, value: &Value, clause: &Clause) -> Result<usize, Unclear> {
    if let Some(line) = only(scene) {
        return Ok(line);
    }
    if let Some(line) = denied_line(scene, clause)? {
        return Ok(line);
    }
    match value {
        // The line named last is the one that is corrected.
        Value::Count(_) | Value::More(_) => Ok(scene.card.lines.len() - 1),
        Value::Weight { .. }
        | Value::MoreWeight(_)
        | Value::NoWeight
        | Value::Destination(_)
        | Value::Category(_)
        | Value::Thing(_) => Err(which(scene)),
    }
}

/// The one line that the clause denies.
fn denied_line(scene: &Scene<'_>, clause: &Clause) -> Result<Option<usize>, Unclear> {
    let Some(was) = clause.was.first() else { return Ok(None) };
    let weighs = |line: &Line, grams: u32| {
        !is_unweighed(line) && line.weight.is_some_and(|weight| weight.grams == grams)
    };
    let is_weight = clause.values.iter().any(|value| matches!(value, Value::Weight { .. }));
    let is_so = |line: &Line| match was {
        Value::Count(Some(kilos)) if is_weight => weighs(line, kilos.saturating_mul(1_000)),
        Value::Count(count) => line.quantity == *count,
        Value::Weight { grams, .. } => weighs(line, *grams),
        Value::Destination(destination) => line.destination == *destination,
        Value::Category(category) => line.category() == category,
        Value::Thing(_) | Value::More(_) | Value::MoreWeight(_) | Value::NoWeight => false,
    };
    if let Value::Thing(said) = was {
        let words = super::words_of(&said.object, scene.classifier);
        return scene.line_of(&words).flatten().map(Some).ok_or_else(|| which(scene));
    }
    let mut lines = scene.card.lines.iter().enumerate().filter(|(_, line)| is_so(line));
    match (lines.next(), lines.next()) {
        (Some((line, _)), None) => Ok(Some(line)),
        _none_or_several => Err(which(scene)),
    }
}

/// A weight of no line in particular: from a volunteer who weighs one thing after the other.
fn weighed(
    scene: &Scene<'_>,
    clause: &Clause,
    grams: u32,
    each: bool,
    denied: bool,
) -> Result<Change, Unclear> {
    let of = |line: usize| Change::Weighed { line, weight: Some(each_of(scene, line, grams, each)) };
    let line = match only(scene) {
        Some(line) => Some(line),
        None => denied_line(scene, clause)?,
    };
    if let Some(line) = line {
        return Ok(of(line));
    }
    let all = scene.card.lines.iter().enumerate();
    let (open, known): (Vec<_>, Vec<_>) = all.partition(|(_, line)| is_unweighed(line));
    let has_total = scene.card.total_weight.is_some();
    match (open.as_slice(), known.as_slice()) {
        // The only stated weight is stated again.
        (_, []) if has_total && !each => Ok(Change::TotalWeighed(stated(grams))),
        (_, [(line, _)]) if denied && !has_total => Ok(of(*line)),
        _several if denied => Err(which(scene)),
        ([(line, _)], _) => Ok(of(*line)),
        ([.., (line, _)], [_, ..]) if line + 1 == scene.card.lines.len() => Ok(of(*line)),
        _nobody_can_tell => Err(which(scene)),
    }
}

/// The changes that a value makes to a line.
fn change(scene: &Scene<'_>, at: usize, value: &Value) -> Changes {
    let Some(line) = scene.card.lines.get(at) else { return Err(Unclear::NoSuchLine) };
    let weight = |grams: u32| Change::Weighed { line: at, weight: Some(stated(grams.clamp(1, GRAMS_MAX))) };
    let one = match value {
        Value::Count(quantity) => Change::Counted { line: at, quantity: *quantity },
        Value::More(more) => return more_of(line, at, *more).map(|change| vec![change]),
        Value::Weight { grams, each } => {
            Change::Weighed { line: at, weight: Some(each_of(scene, at, *grams, *each)) }
        }
        Value::MoreWeight(grams) => {
            let before = line.weight.filter(|_| !is_unweighed(line)).map_or(0, |weight| weight.grams);
            weight(before.saturating_add(*grams))
        }
        Value::NoWeight => Change::Weighed { line: at, weight: None },
        Value::Destination(destination) => Change::Sent { line: at, destination: *destination },
        Value::Category(category) => Change::Sorted { line: at, category: category.clone() },
        Value::Thing(said) => return Ok(is_thing(scene, line, at, said)),
    };
    Ok(vec![one])
}

/// It is this thing: another name and category, unless it is called so already; and what else was said of it.
fn is_thing(scene: &Scene<'_>, line: &Line, at: usize, said: &Said) -> Vec<Change> {
    let words = super::words_of(&said.object, scene.classifier);
    let is_called_so =
        scene.names.get(at).is_some_and(|name| words.iter().all(|word| super::named::has(name, word)));
    let mut changes = Vec::new();
    if !is_called_so {
        let proposal = scene.classifier.propose_for(said, scene.site);
        changes.push(Change::Renamed { line: at, object: said.object.clone(), proposal });
    }
    if let Some(quantity) = said.quantity.filter(|quantity| Some(*quantity) != line.quantity) {
        changes.push(Change::Counted { line: at, quantity: Some(quantity.min(QUANTITY_MAX)) });
    }
    if let Some(weight) = said.weight {
        changes.push(Change::Weighed { line: at, weight: Some(weight) });
    }
    if said.destination != Destination::default() {
        changes.push(Change::Sent { line: at, destination: said.destination });
    }
    changes
}

fn more_of(line: &Line, at: usize, more: i64) -> Result<Change, Unclear> {
    let there = line.quantity.ok_or(Unclear::What)?;
    match i64::from(there) + more {
        0 => Ok(Change::Removed { line: at }),
        sum => {
            let quantity = u32::try_from(sum).ok().filter(|sum| *sum <= QUANTITY_MAX).ok_or(Unclear::What)?;
            Ok(Change::Counted { line: at, quantity: Some(quantity) })
        }
    }
}

/// A weight of the whole line, where it was said of each of it.
fn each_of(scene: &Scene<'_>, line: usize, grams: u32, each: bool) -> Weight {
    let many = scene.card.lines.get(line).and_then(|line| line.quantity).filter(|_| each).unwrap_or(1);
    stated(grams.saturating_mul(many).clamp(1, GRAMS_MAX))
}

fn stated(grams: u32) -> Weight {
    Weight { grams, source: WeightSource::Stated }
}
