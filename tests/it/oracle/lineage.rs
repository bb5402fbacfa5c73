//! The commits of a conversation as a family tree: each has the one that it was made from as its parent. What is stored
//! at the end is the last of one line; whatever else was applied was lost, which only a failover may
//! cause, and never to an acknowledged one (P3, P5).

use std::collections::{HashMap, HashSet};

use crate::oracle::Report;
use crate::oracle::evidence::{Evidence, Sent};
use crate::oracle::updates::{Update, updates};

/// The line of one conversation, the newest first.
struct Line<'e> {
    commit_ids: Vec<&'e str>,
}

impl<'e> Line<'e> {
    fn of(evidence: &'e Evidence, newest: &'e str) -> Self {
        let mut commit_ids = Vec::new();
        let mut next = newest;
        while let Some(sent) = evidence.sent.get(next) {
            commit_ids.push(next);
            next = &sent.parent;
        }
        Self { commit_ids }
    }
}

pub(super) fn judge(evidence: &Evidence, report: &mut Report) {
    let mut on_line: HashSet<&str> = HashSet::new();
    let mut by_user: HashMap<i64, Vec<&Sent>> = HashMap::new();
    // Redis has what SQL has, or it is not the primary.
    for (user, head) in &evidence.documents {
        let in_redis = evidence.in_redis.get(user);
        if evidence.redis_is_primary && evidence.redis_answers && in_redis != Some(head) {
            let sent = in_redis.and_then(|head| evidence.sent.get(&head.commit_id));
            report.broken(
                "P5",
                format!(
                    "person {user}: Redis as the primary has {in_redis:?}, SQL has {head:?}; the first is {sent:?}"
                ),
            );
        }
        let newest = in_redis.filter(|_| evidence.redis_is_primary).unwrap_or(head);
        if newest.version > 0 && !evidence.sent.contains_key(&newest.commit_id) {
            report.broken("P5", format!("person {user}: nobody committed what is stored: {newest:?}"));
        }
        let line = Line::of(evidence, &newest.commit_id);
        grows(evidence, *user, &line, report);
        by_user.insert(*user, line.commit_ids.iter().map(|commit_id| &evidence.sent[*commit_id]).collect());
        on_line.extend(line.commit_ids);
    }
    let applied = applied(evidence, &on_line);
    report.commits = applied.len();
    for commit_id in &applied {
        if !on_line.contains(commit_id) {
            report.lost += 1;
            is_lost_with_reason(evidence, commit_id, &by_user, report);
        }
    }
    for commit_id in &evidence.replicated {
        if evidence.sent.contains_key(commit_id) && !on_line.contains(commit_id.as_str()) {
            let sent = &evidence.sent[commit_id];
            report
                .broken("P3", format!("a commit was lost after its update could be acknowledged: {sent:?}"));
        }
    }
    for commit_id in evidence.recorded.iter().filter(|commit_id| !on_line.contains(commit_id.as_str())) {
        let sent = evidence.sent.get(commit_id);
        report
            .broken("P2", format!("a deposit was recorded that the conversation knows nothing of: {sent:?}"));
    }
    acknowledged(evidence, &by_user, report);
    holders(evidence, report);
    thawed(evidence, report);
}

/// Along a line versions grow by one, and epochs do not go back.
fn grows(evidence: &Evidence, user: i64, line: &Line<'_>, report: &mut Report) {
    for pair in line.commit_ids.windows(2) {
        let (child, parent) = (&evidence.sent[pair[0]], &evidence.sent[pair[1]]);
        if child.version != parent.version + 1 || child.epoch < parent.epoch {
            report.broken("P5", format!("person {user} went from {parent:?} to {child:?}"));
        }
    }
}

/// The applied commits: a store said so, or a later commit descends from it. The process may have died before it noted that.
fn applied<'e>(evidence: &'e Evidence, on_line: &HashSet<&'e str>) -> HashSet<&'e str> {
    let mut applied: HashSet<&str> = on_line.clone();
    applied.extend(
        evidence.sent.keys().filter(|commit_id| evidence.applied.contains(*commit_id)).map(String::as_str),
    );
    applied.extend(
        evidence.sent.keys().filter(|commit_id| evidence.conflicts.contains(*commit_id)).map(String::as_str),
    );
    let parents: Vec<&str> = evidence.sent.values().map(|sent| sent.parent.as_str()).collect();
    applied.extend(parents.into_iter().filter(|parent| evidence.sent.contains_key(*parent)));
    applied
}

/// A commit may be lost when another store became the primary that had not got it: the line went on from an earlier version
/// under a later epoch.
fn is_lost_with_reason(
    evidence: &Evidence,
    commit_id: &str,
    lines: &HashMap<i64, Vec<&Sent>>,
    report: &mut Report,
) {
    let lost = &evidence.sent[commit_id];
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
            None if evidence.unchanged.contains(&update.id) || evidence.dead_letters.contains(&update.id) => {
            }
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
    for (commit_id, lane, counted, token) in &evidence.outcomes {
        let ran = evidence.ran.get(&(commit_id.clone(), lane.clone()));
        if *counted && ran.is_some_and(|ran| ran != token) {
            report.broken(
                "P12",
                format!("an outcome of a late holder of the {lane} lane was counted: {commit_id}"),
            );
        }
    }
}

/// Nothing that was sent to a Redis that stood still is executed once it goes on.
fn thawed(evidence: &Evidence, report: &mut Report) {
    let there = evidence.in_redis.values().map(|head| &head.commit_id).chain(&evidence.conflicts);
    for commit_id in there {
        // Writes to SQL meanwhile were copied to Redis since.
        let Some(sent) = evidence.sent.get(commit_id).filter(|sent| sent.store == "redis") else { continue };
        let late = evidence.frozen.iter().any(|(from, to)| {
            *from < sent.at && to.since(sent.at) > std::time::Duration::from_millis(700) && sent.at < *to
        });
        if late {
            report.broken("P7", format!("a Redis that was thawed executed what had been given up: {sent:?}"));
        }
    }
}
