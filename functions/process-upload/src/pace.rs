//! How many requests are under way at once: as many as DynamoDB takes. Pure; `apply.rs` asks and tells.

/// More cost memory and gain nothing: 8 batches of 25 keep 16 partitions busy.
const MOST: f32 = 8.0;

/// Additive increase, multiplicative decrease, as TCP does it.
pub(crate) struct Pace {
    limit: f32,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Pace { limit: MOST }
    }

    /// Whether one more may be begun beside so many.
    pub(crate) fn allows(&self, in_flight: usize) -> bool {
        in_flight == 0 || (in_flight + 1) as f32 <= self.limit
    }

    /// A request was refused for want of capacity: half as many from now on.
    pub(crate) fn throttled(&mut self) {
        self.limit = (self.limit / 2.0).max(1.0);
    }

    /// A request went through: one more at a time, once as many went through.
    pub(crate) fn went_through(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(pace: &Pace) -> usize {
        (0..100)
            .take_while(|in_flight| pace.allows(*in_flight))
            .count()
    }

    #[test]
    fn throttling_slows_down_to_one_and_success_speeds_up_again() {
        let mut pace = Pace::new();
        let slower: Vec<usize> = (0..5)
            .map(|_| {
                pace.throttled();
                allowed(&pace)
            })
            .collect();
        assert_eq!(slower, [4, 2, 1, 1, 1]);
        let mut requests = 0;
        while allowed(&pace) < 8 {
            pace.went_through();
            requests += 1;
        }
        // About 1 + 2 + 3 + .. + 7.
        assert!((25..40).contains(&requests), "{requests}");
        (0..100).for_each(|_| pace.went_through());
        assert_eq!(allowed(&pace), 8);
    }
}
