//! How long an invocation may still run. Close to its end, what was done is saved and the work is handed
//! to an invocation of its own; retries are bounded by the same time.

use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Before the end, enough to let what is under way arrive, save the position and hand over: a fifth of the
/// whole, within these bounds. The shorter one is for functions of a few seconds.
const WIND_UP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The time limit of one invocation, by the monotonic clock.
pub struct TimeLimit {
    ends_at: Instant,
    whole: Duration,
}

impl TimeLimit {
    /// `deadline_ms` is what Lambda says: milliseconds since 1970. `cargo lambda watch` says how many there are
    /// instead, which as a time is long past.
    pub fn new(deadline_ms: u64, now: Timestamp) -> Self {
        let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let left_ms = deadline_ms.checked_sub(now_ms).unwrap_or(deadline_ms);
        let whole = Duration::from_millis(left_ms);
        TimeLimit {
            ends_at: Instant::now() + whole,
            whole,
        }
    }

    /// Whether to save and hand over now.
    pub fn is_near(&self) -> bool {
        self.left() < self.wind_up()
    }

    /// Whether something may be begun that cannot be interrupted: more than half of the time is left.
    pub fn allows_another(&self) -> bool {
        self.left() > self.whole / 2
    }

    /// Resolves when there is just time to hand over, whatever is still under way.
    pub async fn is_up(&self) {
        sleep_until(self.ends_at - self.wind_up() / 2).await;
    }

    /// Resolves when even that is over, and nothing came of the time: later than [`TimeLimit::is_up`], so
    /// that handing over is not cut off by it.
    pub async fn is_over(&self) {
        sleep_until(self.ends_at - self.wind_up() / 8).await;
    }

    fn left(&self) -> Duration {
        self.ends_at.saturating_duration_since(Instant::now())
    }

    fn wind_up(&self) -> Duration {
        (self.whole / 5).clamp(WIND_UP.0, WIND_UP.1).min(self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_a_time_and_from_cargo_lambda_a_duration() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let at = u64::try_from(now.as_millisecond()).unwrap() + 5_000;
        for (deadline_ms, seconds) in [(at, 5), (600_000, 600)] {
            let limit = TimeLimit::new(deadline_ms, now);
            assert_eq!(limit.left(), Duration::from_secs(seconds));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_winds_up_before_its_end_and_begins_nothing_in_the_second_half() {
        for (seconds, begin_until, work_until, up_at) in
            [(900, 450, 870, 885), (100, 50, 80, 90), (4, 2, 3, 3)]
        {
            let limit = TimeLimit::new(seconds * 1_000, Timestamp::UNIX_EPOCH);
            let begun = Instant::now();
            let mut last = (0, 0);
            let up = limit.is_up();
            tokio::pin!(up);
            loop {
                tokio::select! {
                    biased;
                    () = &mut up => break,
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
                let second = begun.elapsed().as_secs();
                if limit.allows_another() {
                    last.0 = second;
                }
                if !limit.is_near() {
                    last.1 = second;
                }
            }
            assert_eq!(last, (begin_until - 1, work_until), "of {seconds}");
            assert_eq!(begun.elapsed().as_secs(), up_at, "of {seconds}");
        }
    }
}
