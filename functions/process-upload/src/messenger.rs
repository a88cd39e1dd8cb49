//! EventBridge and SES: how others are told. What they are told is decided elsewhere, and so is what follows when
//! they cannot be reached: nobody waits for it, so calls are given up after seconds.

use crate::mail::Mail;
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use platform::failure::CallFailed;
use std::sync::OnceLock;
use std::time::Duration;

/// What our events are told by.
const SOURCE: &str = "go1.user-feed";

/// Both services answer within milliseconds.
const ATTEMPT: Duration = Duration::from_secs(3);

/// All attempts of a call together. A minute later it is tried again.
const CALL: Duration = Duration::from_secs(8);

/// Tells others.
pub(crate) struct Messenger {
    /// Made when they are needed first: a cold start does not wait for them.
    clients: OnceLock<Clients>,
    /// `None`: no mails are sent.
    from: Option<String>,
}

struct Clients {
    events: aws_sdk_eventbridge::Client,
    mails: aws_sdk_sesv2::Client,
}

/// Why a mail was not sent.
pub(crate) enum NotSent {
    /// This one is not taken; another may be.
    Refused(CallFailed),
    /// None is at the moment.
    Unreachable(CallFailed),
}

impl Messenger {
    /// `from` is whom mails are from.
    pub(crate) fn new(from: Option<String>) -> Self {
        Messenger {
            clients: OnceLock::new(),
            from,
        }
    }

    async fn clients(&self) -> &Clients {
        if let Some(clients) = self.clients.get() {
            return clients;
        }
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(CALL);
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts.build())
            .load()
            .await;
        self.clients.get_or_init(|| Clients {
            events: aws_sdk_eventbridge::Client::new(&config),
            mails: aws_sdk_sesv2::Client::new(&config),
        })
    }

    /// Whether mails are sent at all.
    pub(crate) fn sends_mails(&self) -> bool {
        self.from.is_some()
    }

    /// Sends an event to the account's default bus.
    pub(crate) async fn send_event(&self, kind: &str, detail: String) -> Result<(), CallFailed> {
        const WHAT: &str = "send an event";
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type(kind)
            .detail(detail);
        let events = &self.clients().await.events;
        let request = events.put_events().entries(entry.build());
        let answer = request.send().await.map_err(CallFailed::sdk(WHAT))?;
        // Refused one by one, in an answer that is no error.
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            Some(code) => Err(CallFailed::new(WHAT, format!("the bus answered {code}"))),
            None => Ok(()),
        }
    }

    /// Sends a mail to one person. Without a sender there is nothing to do.
    pub(crate) async fn send_mail(&self, to: &str, mail: &Mail) -> Result<(), NotSent> {
        const WHAT: &str = "send a mail";
        let Some(from) = &self.from else {
            return Ok(());
        };
        let text = |text: &str| {
            let content = Content::builder().charset("UTF-8").data(text).build();
            content.map_err(|error| NotSent::Refused(CallFailed::new(WHAT, error)))
        };
        let body = Body::builder().text(text(&mail.text)?).build();
        let message = Message::builder().subject(text(&mail.subject)?).body(body);
        let content = EmailContent::builder().simple(message.build()).build();
        let mails = &self.clients().await.mails;
        let request = mails
            .send_email()
            .from_email_address(from)
            .destination(Destination::builder().to_addresses(to).build())
            .content(content);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let about_this_one = error.as_service_error().is_some_and(|error| {
                    matches!(
                        error,
                        SendEmailError::MessageRejected(_) | SendEmailError::BadRequestException(_)
                    )
                });
                let failed = CallFailed::sdk(WHAT)(error);
                Err(match about_this_one {
                    true => NotSent::Refused(failed),
                    false => NotSent::Unreachable(failed),
                })
            }
        }
    }
}
