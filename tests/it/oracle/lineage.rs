//! The commits of a conversation as a family tree: each has the one that it was made from as its parent. What is stored
//! at the end is the last of one line; whatever else was applied was lost, which only a failover may
//! cause, and never to an acknowledged one (P3, P5).

use std::collections::{HashMap, HashSet};

use crate::oracle::Report;
use crate::oracle::evidence::{Evidence, Sent};
use crate::oracle::updates::{Update, updates};

/// The line of one conversation, the newest first.
struct Line<'e> {
    marks: Vec<&'e str>,
}

impl<'e> Line<'e> {
    fn of(evidence: &'e Evidence, newest: &'e str) -> Self {
        let mut marks = Vec::new();
        let mut next = newest;
        while let Some(sent) = evidence.sent.get(next) {
            marks.push(next);
            next = &sent.parent;
        }
        Self { marks }
    }
}

pub(super) fn judge(evidence: &Evidence, report: &mut Report) {
    let mut on_line: HashSet<&str> = HashSet::new();
    let mut by_user: HashMap<i64, Vec<&Sent>> = HashMap::new();
    // Redis has what SQL has, or it is not the primary.
    for (user, head) in &evidence.documents {
        let in_redis = evidence.in_redis.get(user);
        if evidence.redis_is_primary && evidence.redis_answers && in_redis != Some(head) {
            let sent = in_redis.and_then(|head| evidence.sent.get(&head.mark));
            report.broken(
                "P5",
                format!(
                    "person {user}: Redis as the primary has {in_redis:?}, SQL has {head:?}; the first is {sent:?}"
                ),
            );
        }
        let newest = in_redis.filter(|_| evidence.redis_is_primary).unwrap_or(head);
        if newest.version > 0 && !evidence.sent.contains_key(&newest.mark) {
            report.broken("P5", format!("person {user}: nobody committed what is stored: {newest:?}"));
        }
        let line = Line::of(evidence, &newest.mark);
        grows(evidence, *user, &line, report);
        by_user.insert(*user, line.marks.iter().map(|mark| &evidence.sent[*mark]).collect());
        on_line.extend(line.marks);
    }
    let applied = applied(evidence, &on_line);
    report.commits = applied.len();
    for mark in &applied {
        if !on_line.contains(mark) {
            report.lost += 1;
            is_lost_with_reason(evidence, mark, &by_user, report);
        }
    }
    for mark in &evidence.kept {
        if evidence.sent.contains_key(mark) && !on_line.contains(mark.as_str()) {
            let sent = &evidence.sent[mark];
            report
                .broken("P3", format!("a commit was lost after its update could be acknowledged: {sent:?}"));
        }
    }
    for mark in evidence.recorded.iter().filter(|mark| !on_line.contains(mark.as_str())) {
        let sent = evidence.sent.get(mark);
        report
            .broken("P2", format!("a deposit was recorded that the conversation knows nothing of: {sent:?}"));
    }
    acknowledged(evidence, &by_user, report);
    holders(evidence, report);
    thawed(evidence, report);
}

/// Along a line versions grow by one, and epochs do not go back.
fn grows(evidence: &Evidence, user: i64, line: &Line<'_>, report: &mut Report) {
    for pair in line.marks.windows(2) {
        let (child, parent) = (&evidence.sent[pair[0]], &evidence.sent[pair[1]]);
        if child.version != parent.version + 1 || child.epoch < parent.epoch {
            report.broken("P5", format!("person {user} went from {parent:?} to {child:?}"));
        }
    }
}

/// The applied commits: a store said so, or a later commit descends from it. The process may have died before it noted that.
fn applied<'e>(evidence: &'e Evidence, on_line: &HashSet<&'e str>) -> HashSet<&'e str> {
    let mut applied: HashSet<&str> = on_line.clone();
    applied.extend(evidence.sent.keys().filter(|mark| evidence.applied.contains(*mark)).map(String::as_str));
    applied
        .extend(evidence.sent.keys().filter(|mark| evidence.conflicts.contains(*mark)).map(String::as_str));
    let parents: Vec<&str> = evidence.sent.values().map(|sent| sent.parent.as_str()).collect();
    applied.extend(parents.into_iter().filter(|parent| evidence.sent.contains_key(*parent)));
    applied
}

/// A commit may be lost when another store became the primary that had not got it: the line went on from an earlier version
/// under a later epoch.
fn is_lost_with_reason(
    evidence: &Evidence,
    mark: &str,
    lines: &HashMap<i64, Vec<&Sent>>,
    report: &mut Report,
) {
    let lost = &evidence.sent[mark];
    let line = lines.get(&lost.user).map(Vec::as_slice).unwrap_or_default();
    let overtaken = line.iter().any(|it| it.version <= lost.version && it.epoch > lost.epoch);
    let not_repeated = evidence.epoch > lost.epoch && line.first().is_none_or(|it| it.version < lost.version);
    if !overtaken && !not_repeated {
        report.broken("P5", format!("a commit was applied, and another took its place: {lost:?}"));
    }
}

/// An acknowledged update was handled: once, and before its acknowledgement.
fn acknowledged(evidence: &Evidence, lines: &HashMap<i64, Vec<&Sent>>, report: &mut Report) {
    let mut committed: HashMap<i64, &Sent> = HashMap::new();
    for sent in lines.values().flatten() {
        for id in &sent.updates {
            if committed.insert(*id, sent).is_some() {
                report.broken("P2", format!("update {id} of person {} was committed twice", sent.user));
            }
        }
    }
    let all = updates(&evidence.telegram);
    for update in &all {
        let Some((_, at)) = update.acknowledged else { continue };
        if evidence.is_stranger(update.chat) || !matches!(update.kind, "message" | "callback_query") {
            continue;
        }
        match committed.get(&update.id) {
            Some(sent) if sent.at > at => {
                report.broken("P3", format!("{update:?} was acknowledged before it was committed: {sent:?}"));
            }
            Some(_) => {}
            None if evidence.still.contains(&update.id) || evidence.dead_letters.contains(&update.id) => {}
            None => report.broken("P3", format!("{update:?} was acknowledged and left no trace")),
        }
    }
    remembered(evidence, &committed, &all, report);
}

/// The document remembers the last updates that made it.
fn remembered(evidence: &Evidence, committed: &HashMap<i64, &Sent>, all: &[Update], report: &mut Report) {
    for (user, head) in &evidence.documents {
        let mut mine: Vec<(u64, i64)> = all
            .iter()
            .filter(|update| update.chat == *user && update.acknowledged.is_some())
            .filter_map(|update| Some((committed.get(&update.id)?.version, update.id)))
            .collect();
        mine.sort_unstable();
        for (version, id) in mine.iter().rev().take(head.seen.len().min(16)) {
            if *version <= head.version && !head.seen.contains(id) {
                report.broken("P3", format!("the document of person {user} does not remember update {id}"));
            }
        }
    }
}

/// An outcome counts only for the holder of the lane: that of another is repaired.
fn holders(evidence: &Evidence, report: &mut Report) {
    for (mark, lane, counted, token) in &evidence.outcomes {
        let ran = evidence.ran.get(&(mark.clone(), lane.clone()));
        if *counted && ran.is_some_and(|ran| ran != token) {
            report
                .broken("P12", format!("an outcome of a late holder of the {lane} lane was counted: {mark}"));
        }
    }
}

/// Nothing that was sent to a Redis that stood still is executed once it goes on.
fn thawed(evidence: &Evidence, report: &mut Report) {
    let there = evidence.in_redis.values().map(|head| &head.mark).chain(&evidence.conflicts);
    for mark in there {
        // Writes to SQL meanwhile were copied to Redis since.
        let Some(sent) = evidence.sent.get(mark).filter(|sent| sent.store == "redis") else { continue };
        let late = evidence.frozen.iter().any(|(from, to)| {
            *from < sent.at && to.since(sent.at) > std::time::Duration::from_millis(700) && sent.at < *to
        });
        if late {
            report.broken("P7", format!("a Redis that was thawed executed what had been given up: {sent:?}"));
        }
    }
}
