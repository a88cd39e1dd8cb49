//! Somebody who listens: to a portal's events on the bus, through a rule and a queue of the test's own, and to the
//! mails of one domain.

use crate::portal::Portal;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A debug build on a shared machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Listens to one portal.
pub struct Listener<'p> {
    portal: &'p Portal,
    queue: String,
    heard: Vec<Value>,
}

/// A mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Everybody whom it went to.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

impl<'p> Listener<'p> {
    /// Hears every event about this portal from now on.
    pub async fn to(portal: &'p Portal) -> Self {
        let name = format!("listener-{}", portal.id);
        let sqs = portal.stack.sqs();
        let created = sqs.create_queue().queue_name(&name).send().await.unwrap();
        let queue = created.queue_url.unwrap();
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&queue)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .unwrap();
        let arn = attributes.attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        let pattern = json!({
            "source": ["go1.user-feed"], "detail": {"portal_id": [portal.id]},
        });
        let events = portal.stack.events();
        let rule = events.put_rule().name(&name);
        rule.event_pattern(pattern.to_string())
            .send()
            .await
            .unwrap();
        let target = Target::builder().id("queue").arn(arn).build().unwrap();
        let targets = events.put_targets().rule(&name).targets(target);
        targets.send().await.unwrap();
        Listener {
            portal,
            queue,
            heard: Vec::new(),
        }
    }

    /// Everything that was heard, in the order of arrival, once it is so much.
    pub async fn events(&mut self, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            self.hear().await;
            if self.heard.len() >= count {
                return self.heard.clone();
            }
            let heard = &self.heard;
            assert!(begun.elapsed() < PATIENCE, "not heard: {heard:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn hear(&mut self) {
        let sqs = self.portal.stack.sqs();
        let request = sqs.receive_message().queue_url(&self.queue);
        let answer = request.max_number_of_messages(10).send().await.unwrap();
        for message in answer.messages.unwrap_or_default() {
            let event = serde_json::from_str(message.body().unwrap()).unwrap();
            self.heard.push(event);
            let request = sqs.delete_message().queue_url(&self.queue);
            let handle = message.receipt_handle.unwrap();
            request.receipt_handle(handle).send().await.unwrap();
        }
    }

    /// The mails to addresses of this domain, oldest first.
    pub async fn mails(&self, domain: &str) -> Vec<Mail> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mails = self.portal.stack.mails().await.into_iter().map(|mail| {
            let everybody = ["To", "CC", "BCC"].map(|name| mail[name].as_array().unwrap().clone());
            Mail {
                to: everybody.concat().iter().map(text).collect(),
                subject: text(&mail["Subject"]),
                text: text(&mail["BodyText"]),
            }
        });
        let end = format!("@{domain}");
        mails
            .filter(|mail| mail.to.iter().any(|to| to.ends_with(&end)))
            .collect()
    }

    /// The same, once nothing is left to be told: the outbox is empty.
    pub async fn all_mails(&self, domain: &str) -> Vec<Mail> {
        let begun = Instant::now();
        while !self.portal.outbox().await.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "not everything was told");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.mails(domain).await
    }
}
