//! What must hold, whatever happens.

use crate::Scenario;
use crate::store::{Decision, Outcome, Person, Status, Store, Upload};
use crate::worker::{Call, Run};
use crate::world::{Action, World};

/// The first rule that does not hold after this action.
pub(crate) fn broken(
    s: &Scenario,
    before: &World,
    action: Action,
    after: &World,
) -> Option<&'static str> {
    let (old, new) = (&before.store, &after.store);
    of_the_lease(before, after)
        .or_else(|| of_a_later_run(before, action, new))
        .or_else(|| of_holds(s, old, new))
        .or_else(|| of_uploads(s, old, new))
        .or_else(|| of_a_call(before, action, new))
}

fn of_the_lease(before: &World, after: &World) -> Option<&'static str> {
    let (now, lease) = (after.store.now, &after.store.lease);
    if lease.token < before.store.lease.token {
        return Some("the token only grows");
    }
    let works_under = after.workers.iter().filter_map(|it| it.works_under());
    let may_send: Vec<_> = works_under.filter(|grip| grip.holds(now)).collect();
    let alone = may_send.len() <= 1 && may_send.iter().all(|grip| grip.token == lease.token);
    if !alone {
        return Some("who may send has the lease, alone");
    }
    let too_long = may_send.iter().any(|grip| lease.until < Some(grip.until));
    too_long.then_some("nobody takes a lease to last longer than it does")
}

fn of_uploads(s: &Scenario, old: &Store, new: &Store) -> Option<&'static str> {
    for (upload, (was, is)) in old.uploads.iter().zip(&new.uploads).enumerate() {
        let (Some(was), Some(is)) = (was, is) else {
            continue;
        };
        let decided = was.record.status == Status::Held && is.record.decision.is_some();
        if was.has_ended() && was != is && !decided {
            return Some("an upload that has ended stays as it ended");
        }
        let planned = was.saved.plan_by.is_some() && was.record.status == Status::Applying;
        if planned && is.record.status < Status::Applying {
            return Some("what is planned is not planned once more");
        }
        let given_up = is.record.status == Status::Failed && !was.has_ended();
        if given_up && was.attempts <= s.takeovers {
            return Some("an upload is given up for one reason only");
        }
        if !is.has_ended() && !new.queue.contains_key(&upload) {
            return Some("an upload that has not ended is in the queue");
        }
    }
    for (was, is) in old.reports.iter().zip(&new.reports) {
        let run = |report: &Option<_>| report.map_or(0, |(run, _)| run);
        if was.is_some() && was != is && run(was) >= run(is) {
            return Some("whoever writes a report writes the same");
        }
    }
    for (key, was) in &old.newest_of_key {
        let order = |upload: usize| &s.files[upload].order;
        if order(*was) > order(new.newest_of_key[key]) {
            return Some("the newest planned file of a key is never an older one");
        }
    }
    None
}

fn of_a_later_run(before: &World, action: Action, new: &Store) -> Option<&'static str> {
    let run = before.caller(action)?.run.as_ref()?;
    let was = before.store.uploads[run.upload].as_ref()?;
    let touched = new.uploads[run.upload].as_ref() != Some(was);
    (was.run > run.number && touched).then_some("nobody touches an upload in a later run")
}

fn of_holds(s: &Scenario, old: &Store, new: &Store) -> Option<&'static str> {
    for (upload, (was, is)) in old.uploads.iter().zip(&new.uploads).enumerate() {
        let Some(is) = is else {
            continue;
        };
        let is_open = new.hold.is_some_and(|hold| hold.upload == upload);
        if is_open != (is.record.status == Status::Held) {
            return Some("the portal's hold is the upload that is held");
        }
        let counting = if is.run > 1 { is.first } else { is.saved };
        let plan = counting
            .plan_by
            .map(|token| &new.plans[&(upload, 1, token)]);
        let holds = plan.is_some_and(|plan| !plan.held.is_empty());
        let decided = is.record.decision.is_some();
        if holds && is.record.status == Status::Completed && !decided {
            return Some("whatever is held ends with a decision");
        }
        let Some(was) = was else {
            continue;
        };
        let begins = is.run > 1 && is.saved.plan_by.is_some() && was.saved.plan_by.is_none();
        let undecided = was.record.decision.is_none();
        let undone = was.record.decision == Some(Decision::Approve)
            && is.record.decision == Some(Decision::Superseded)
            && was.saved.plan_by.is_none();
        if was.record.decision != is.record.decision && !undecided && !undone {
            return Some("a hold is decided once");
        }
        let newest = new.newest_planned.map(|newest| &s.files[newest].order);
        if begins && newest > Some(&s.files[upload].order) {
            return Some("nothing that was held is done after a newer file");
        }
        let goes_on = was.run > 1 && was.record.status == Status::Applying && !is.has_ended();
        if goes_on && old.newest_planned != new.newest_planned {
            return Some("no file is planned while what was approved is done");
        }
    }
    None
}

fn of_a_call(before: &World, action: Action, new: &Store) -> Option<&'static str> {
    let (old, worker) = (&before.store, before.caller(action)?);
    if let Some(grip) = worker.grip {
        if grip.token < old.lease.token && old.lease != new.lease {
            return Some("nobody touches a later lease");
        }
        let mut uploads = old.uploads.iter().zip(&new.uploads);
        let fenced = |was: &Upload| was.fence > grip.token;
        let ends_hold = matches!(worker.call, Call::EndHold { .. });
        if !ends_hold && uploads.any(|(was, is)| was != is && was.as_ref().is_some_and(fenced)) {
            return Some("nobody touches an upload that a later lease has");
        }
    }
    if matches!(worker.call, Call::Move { .. })
        && old.people != new.people
        && old.queue.values().any(|entry| entry.planned)
    {
        return Some("nobody moves between a file's plan and its end");
    }
    of_a_run(old, worker.run.as_ref()?, new)
}

fn of_a_run(old: &Store, run: &Run, new: &Store) -> Option<&'static str> {
    let (was, upload) = (
        old.uploads[run.upload].as_ref()?,
        new.uploads[run.upload].as_ref()?,
    );
    if run.comes_too_late && was.saved.plan_by != upload.saved.plan_by {
        return Some("what was superseded before its turn is not done");
    }
    let approved = was.record.decision == Some(Decision::Approve);
    let by_run = |person: &&Person| person.last_upload == Some((run.upload, run.number));
    for (who, (was, is)) in old.people.iter().zip(&new.people).enumerate() {
        let (Some(was), Some(is)) = (was, is) else {
            continue;
        };
        if !was.inactive && is.inactive {
            let mut held = run.first_plan.held.iter();
            let changed = held.any(|held| held.who == who && held.other != was.other);
            if !approved || run.number == 1 {
                return Some("nobody becomes inactive without an approval");
            }
            if changed {
                return Some("nobody becomes inactive who was changed since that was planned");
            }
        }
        if by_run(&was) && was.version != is.version {
            return Some("nobody is written twice by one upload");
        }
        if was.other > is.other || was.moved && !is.moved {
            return Some("what somebody changed beside the file is kept");
        }
    }
    let by_run_created = |person: &Option<Person>| {
        let created = |it: &&Person| it.last_outcome == Some(Outcome::Created);
        person.as_ref().filter(by_run).filter(created).is_some()
    };
    let mut ids = new.people.iter().zip(&new.next_people);
    if ids.any(|(first, next)| by_run_created(first) && by_run_created(next)) {
        return Some("a row creates one person");
    }
    let rows = upload.record.rows.filter(|_| upload.has_ended())?;
    for (person, row) in new.people.iter().zip(rows) {
        let by_upload = |by: (usize, u8)| by.0 == run.upload;
        let written = person
            .as_ref()
            .filter(|it| it.last_upload.is_some_and(by_upload));
        // Whom the first run wrote may have been changed before the second.
        let left_alone = upload.run > 1 && row == Some(Outcome::ChangedMeanwhile);
        let counts = |it: &Person| {
            it.last_outcome == row || left_alone && it.last_upload == Some((run.upload, 1))
        };
        if written.is_some_and(|it| !counts(it)) {
            return Some("a person who was written counts as what was written");
        }
    }
    None
}
