//! One call: what is waited for, and what is repeated.

use super::app::Xero;
use super::failure::{Cause, XeroFailure};
use jiff::SignedDuration;
use oauth2::AccessToken;
use platform::pause::Pause;
use reqwest::header::{ACCEPT, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Somebody sits before the screen: longer than this we do not wait for a limit, but say from when to try again.
const LONGEST_WAIT_SECONDS: u64 = 10;

/// How often we wait for a limit in one call.
const WAITS: usize = 2;

/// If a limit does not say how long it lasts: most are counted by the minute.
const UNSAID_SECONDS: u64 = 60;

/// Xero's longest limit is that of a day. Whatever claims to last longer is taken to end then.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Whether a call that had no answer, or a 5xx, may be made once more.
#[derive(Clone, Copy)]
pub(super) enum Repeat {
    /// It changes nothing.
    Once,
    /// It may have happened all the same: a code and a refresh token are used up by it.
    Never,
}

/// What Xero said: neither a 5xx nor 429.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Only a success.
    pub(super) fn success(self) -> Result<Self, XeroFailure> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(XeroFailure::of(self.status, &self.body))
        }
    }

    /// What a success says; `what` names it.
    pub(super) fn read<T: DeserializeOwned>(self, what: &'static str) -> Result<T, XeroFailure> {
        let answer = self.success()?;
        serde_json::from_slice(&answer.body).map_err(|_| XeroFailure::Malformed(what))
    }
}

/// How a single attempt ended.
enum Attempt {
    Answered(Answer),
    Limited(Limit),
    Failed(XeroFailure),
}

/// 429: how long no more calls are taken, and whether it is the day's limit.
#[derive(Debug, PartialEq, Eq)]
struct Limit {
    seconds: u64,
    of_the_day: bool,
}

impl Limit {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let seconds = text(RETRY_AFTER.as_str()).and_then(|value| value.trim().parse().ok());
        Limit {
            seconds: seconds.unwrap_or(UNSAID_SECONDS).min(DAY_SECONDS),
            of_the_day: text("X-Rate-Limit-Problem")
                .is_some_and(|problem| problem.trim().eq_ignore_ascii_case("day")),
        }
    }

    fn is_worth_waiting_for(&self) -> bool {
        !self.of_the_day && self.seconds <= LONGEST_WAIT_SECONDS
    }
}

impl Xero {
    /// Sends what `request` makes, once or as often as it takes.
    pub(super) async fn call(
        &self,
        repeat: Repeat,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, XeroFailure> {
        let mut waits = WAITS;
        let mut repeats = match repeat {
            Repeat::Once => 1,
            Repeat::Never => 0,
        };
        let mut pause = Pause::default();
        loop {
            match attempt(request()).await {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Limited(limit) if limit.is_worth_waiting_for() && waits > 0 => {
                    waits -= 1;
                    tracing::info!(
                        wait_seconds = limit.seconds,
                        "waiting for a limit of Xero's"
                    );
                    let wait = Duration::from_secs(limit.seconds) + self.jitter();
                    tokio::time::sleep(wait).await;
                }
                Attempt::Limited(limit) => {
                    let wait = SignedDuration::from_secs(limit.seconds.cast_signed());
                    return Err(XeroFailure::Busy {
                        until: (self.clock)() + wait,
                    });
                }
                Attempt::Failed(_) if repeats > 0 => {
                    repeats -= 1;
                    pause.wait().await;
                }
                Attempt::Failed(failure) => return Err(failure),
            }
        }
    }

    /// A `GET` for a token's owner; `what` names the answer.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        access: &AccessToken,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T, XeroFailure> {
        let request = || {
            // Without it payroll answers in XML.
            request()
                .header(ACCEPT, "application/json")
                .bearer_auth(access.secret())
        };
        self.call(Repeat::Once, request).await?.read(what)
    }

    /// Less than a second. Those who wait for the same limit did not come in the same millisecond.
    fn jitter(&self) -> Duration {
        let part = (self.clock)().subsec_nanosecond().unsigned_abs();
        Duration::from_nanos(part.into())
    }
}

async fn attempt(request: RequestBuilder) -> Attempt {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Attempt::Failed(XeroFailure::no_answer(error)),
    };
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Attempt::Limited(Limit::of(response.headers()));
    }
    if status.is_server_error() {
        return Attempt::Failed(XeroFailure::Unavailable(Cause::Status(status)));
    }
    match response.bytes().await {
        Ok(body) => Attempt::Answered(Answer {
            status,
            body: body.into(),
        }),
        Err(error) => Attempt::Failed(XeroFailure::no_answer(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(headers: &[(&'static str, &'static str)]) -> Limit {
        let headers = headers.iter().map(|(name, value)| {
            let name = name.parse::<reqwest::header::HeaderName>().unwrap();
            (name, value.parse().unwrap())
        });
        Limit::of(&headers.collect())
    }

    #[test]
    fn requirement_7_a_limit_is_waited_for_if_it_is_short_and_not_the_day_s() {
        let minute = ("x-rate-limit-problem", "minute");
        let day = ("X-Rate-Limit-Problem", "Day");
        let cases: [(&[_], u64, bool); 9] = [
            (&[minute, ("retry-after", "0")], 0, true),
            (&[minute, ("Retry-After", "10")], 10, true),
            (&[minute, ("Retry-After", "11")], 11, false),
            (&[("Retry-After", " 3 ")], 3, true),
            (&[minute], 60, false),
            (
                &[("Retry-After", "Mon, 23 Nov 2026 07:00:00 GMT")],
                60,
                false,
            ),
            (&[("Retry-After", "-1")], 60, false),
            (&[day, ("Retry-After", "5")], 5, false),
            (
                &[day, ("Retry-After", "18446744073709551615")],
                86_400,
                false,
            ),
        ];
        for (headers, seconds, waited_for) in cases {
            let limit = limit(headers);
            assert_eq!(limit.seconds, seconds, "{headers:?}");
            assert_eq!(limit.is_worth_waiting_for(), waited_for, "{headers:?}");
        }
    }
}
