//! Others are told what came of a portal's uploads, once those have ended and nobody waits for it: an event on
//! EventBridge and, where somebody has to do something, a mail to each who is to be told. What cannot be told now
//! stays in the table, and is tried again when the sweep finds it due; after a day it is given up. None of it
//! fails an invocation (`docs/reliability.md`, "Telling others").

use crate::feed::Feed;
use crate::mail::mail;
use crate::messenger::NotSent;
use mapping::identity::PortalId;
use platform::failure::CallFailed;
use platform::feed::{News, Notice, Portal};
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use serde::Serialize;

/// The event's detail: what happened, and by what a receiver tells a repetition.
#[derive(Serialize)]
struct Detail<'n, N> {
    notice_id: String,
    #[serde(flatten)]
    news: &'n N,
}

/// What became of the notices.
#[derive(Default)]
struct Told {
    events: u64,
    mails: u64,
    left: u64,
    given_up: u64,
}

/// Tells what is due, as far as the time and the services allow.
pub(crate) async fn tell(feed: &Feed, portal: PortalId, limit: &TimeLimit) {
    if limit.is_near() {
        return;
    }
    let told = tokio::select! {
        biased;
        () = limit.is_up() => return,
        told = tell_all(feed, portal) => told,
    };
    if let Err(error) = told {
        tracing::warn!(portal_id = %portal, ?error, "others are told later");
    }
}

async fn tell_all(feed: &Feed, portal_id: PortalId) -> Result<(), CallFailed> {
    let due = feed.table.due_notices(portal_id, (feed.clock)()).await?;
    if due.is_empty() {
        return Ok(());
    }
    let mut line = Invocation::begin("notices", feed.clock);
    line.property("portal_id", portal_id.to_string());
    let mails = feed.messenger.sends_mails() && due.iter().any(|it| it.news.needs_somebody());
    let portal = match mails {
        true => feed.table.portal(portal_id).await?,
        false => None,
    };
    let mut told = Told::default();
    let mut outcome = Ok(());
    for mut notice in due {
        outcome = tell_one(feed, portal.as_ref(), &mut notice, &mut told).await;
        if outcome.is_err() {
            break;
        }
    }
    line.count("events_sent", told.events);
    line.count("mails_sent", told.mails);
    line.count("notices_left", told.left);
    line.count("notices_given_up", told.given_up);
    line.end();
    outcome
}

async fn tell_one(
    feed: &Feed,
    portal: Option<&Portal>,
    notice: &mut Notice,
    told: &mut Told,
) -> Result<(), CallFailed> {
    let table = &feed.table;
    if !table.claim_notice(notice, (feed.clock)()).await? {
        return Ok(());
    }
    let failed = send(feed, portal, notice, told).await;
    let Some(error) = failed else {
        return table.remove_notice(notice).await;
    };
    let (portal_id, notice_id) = (notice.news.portal_id(), notice.id());
    if notice.is_hopeless((feed.clock)()) {
        told.given_up += 1;
        tracing::error!(%portal_id, %notice_id, ?error, "somebody was not told, and will not be");
        return table.remove_notice(notice).await;
    }
    told.left += 1;
    tracing::warn!(%portal_id, %notice_id, ?error, "somebody was not told yet");
    table.put_told(notice).await
}

/// Sends what was not sent yet. What went wrong last; `None`: everybody was told.
async fn send(
    feed: &Feed,
    portal: Option<&Portal>,
    notice: &mut Notice,
    told: &mut Told,
) -> Option<CallFailed> {
    let mut failed = None;
    if !notice.event_sent {
        match send_event(feed, notice).await {
            Ok(()) => {
                notice.event_sent = true;
                told.events += 1;
            }
            Err(error) => failed = Some(error),
        }
    }
    // Nobody, if the portal has gone meanwhile.
    let Some(portal) = portal.filter(|_| notice.news.needs_somebody()) else {
        return failed;
    };
    let mail = mail(
        &portal.settings.name,
        feed.portal_url.as_deref(),
        &notice.news,
    );
    let emails = portal.feed_settings.notify_emails.as_slice();
    let untold: Vec<String> = notice.untold(emails).into_iter().cloned().collect();
    for email in untold {
        // To each one alone, so that nobody learns who else is told.
        match feed.messenger.send_mail(&email, &mail).await {
            Ok(()) => {
                notice.was_told(&email);
                told.mails += 1;
            }
            Err(NotSent::Refused(error)) => failed = Some(error),
            Err(NotSent::Unreachable(error)) => return Some(error),
        }
    }
    failed
}

async fn send_event(feed: &Feed, notice: &Notice) -> Result<(), CallFailed> {
    let (kind, detail) = match &notice.news {
        News::UploadFinished(news) => ("UploadFinished", detail(notice, news)?),
        News::FileOverdue(news) => ("FileOverdue", detail(notice, news)?),
    };
    feed.messenger.send_event(kind, detail).await
}

fn detail<N: Serialize>(notice: &Notice, news: &N) -> Result<String, CallFailed> {
    let notice_id = notice.id();
    let detail = Detail { notice_id, news };
    serde_json::to_string(&detail).map_err(CallFailed::to("write an event"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::feed::{FileOverdue, UploadFinished};
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    /// What receivers are shown is what they get.
    fn sample<N: Serialize + DeserializeOwned>(event: &str) -> (Value, Value) {
        let event: Value = serde_json::from_str(event).unwrap();
        let news: N = serde_json::from_value(event["detail"].clone()).unwrap();
        let notice_id = event["detail"]["notice_id"].as_str().unwrap().to_owned();
        let detail = Detail {
            notice_id,
            news: &news,
        };
        (
            serde_json::to_value(&detail).unwrap(),
            event["detail"].clone(),
        )
    }

    #[test]
    fn the_sample_events_are_what_receivers_get() {
        let finished = include_str!("../../../events/upload-finished.json");
        let (written, shown) = sample::<UploadFinished>(finished);
        assert_eq!(written, shown);
        let overdue = include_str!("../../../events/file-overdue.json");
        let (written, shown) = sample::<FileOverdue>(overdue);
        assert_eq!(written, shown);
    }
}
