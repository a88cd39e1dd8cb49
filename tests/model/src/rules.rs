//! What must hold, whatever happens.

use crate::Scenario;
use crate::store::{Outcome, Person, Status, Store, Upload};
use crate::worker::Call;
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
        if was.has_ended() && was != is {
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
        if was.is_some() && was != is {
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

fn of_a_call(before: &World, action: Action, new: &Store) -> Option<&'static str> {
    let (old, worker) = (&before.store, before.caller(action)?);
    if let Some(grip) = worker.grip {
        if grip.token < old.lease.token && old.lease != new.lease {
            return Some("nobody touches a later lease");
        }
        let mut uploads = old.uploads.iter().zip(&new.uploads);
        let fenced = |was: &Upload| was.fence > grip.token;
        if uploads.any(|(was, is)| was != is && was.as_ref().is_some_and(fenced)) {
            return Some("nobody touches an upload that a later lease has");
        }
    }
    if matches!(worker.call, Call::Move { .. })
        && old.people != new.people
        && old.queue.values().any(|planned| *planned)
    {
        return Some("nobody moves between a file's plan and its end");
    }
    let run = worker.run.as_ref()?;
    let by_run = |person: &&Person| person.last_upload == Some(run.upload);
    for (was, is) in old.people.iter().zip(&new.people) {
        let (Some(was), Some(is)) = (was, is) else {
            continue;
        };
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
    let upload = new.uploads[run.upload].as_ref()?;
    let rows = upload.record.rows.filter(|_| upload.has_ended())?;
    for (person, row) in new.people.iter().zip(rows) {
        let written = person.as_ref().filter(by_run);
        if written.is_some_and(|it| it.last_outcome != row) {
            return Some("a person who was written counts as what was written");
        }
    }
    None
}
