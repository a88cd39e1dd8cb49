//! One line for each invocation, from which CloudWatch makes metrics (Embedded Metric Format). The only
//! dimension is the service: a dimension for each portal would be a paid metric for each portal, so
//! portals and uploads are properties, which can be searched and cost nothing.

use crate::clock::Clock;
use jiff::Timestamp;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Map, Value, json};

/// The namespace of our metrics.
const NAMESPACE: &str = "UserFeed";

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
    /// Memory.
    Bytes,
}

/// The measures of one invocation, from its beginning on.
pub struct Invocation {
    service: &'static str,
    clock: Clock,
    started: Timestamp,
    started_cpu_ms: Option<i64>,
    metrics: Vec<(&'static str, Unit, u64)>,
    properties: Map<String, Value>,
}

impl Invocation {
    /// An invocation of `service` that begins now.
    pub fn begin(service: &'static str, clock: Clock) -> Self {
        let started_cpu_ms = getrusage(UsageWho::RUSAGE_SELF).ok().as_ref().map(cpu_ms);
        Invocation {
            service,
            clock,
            started: clock(),
            started_cpu_ms,
            metrics: Vec::new(),
            properties: Map::new(),
        }
    }

    /// A number to be summed and graphed.
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.metrics.push((name, Unit::Count, value));
    }

    /// Something to search by. Never an address, a name, a key of an object or a value of a file.
    pub fn property(&mut self, name: &'static str, value: impl Into<Value>) {
        self.properties.insert(name.to_owned(), value.into());
    }

    /// Ends the invocation and prints its line.
    #[expect(
        clippy::print_stdout,
        reason = "CloudWatch reads metrics from the standard output"
    )]
    pub fn end(mut self) {
        let now = (self.clock)();
        let duration = now.duration_since(self.started).as_millis();
        self.metrics.push((
            "duration_ms",
            Unit::Milliseconds,
            u64::try_from(duration).unwrap_or(0),
        ));
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let cpu = cpu_ms(&usage) - self.started_cpu_ms.unwrap_or(0);
            self.metrics.push((
                "cpu_ms",
                Unit::Milliseconds,
                u64::try_from(cpu).unwrap_or(0),
            ));
        }
        if let Some(peak) = std::fs::read_to_string("/proc/self/status")
            .ok()
            .as_deref()
            .and_then(peak_bytes)
        {
            self.metrics.push(("peak_memory_bytes", Unit::Bytes, peak));
        }
        println!("{}", self.line(now));
    }

    fn line(self, now: Timestamp) -> Value {
        let unit = |unit| match unit {
            Unit::Count => "Count",
            Unit::Milliseconds => "Milliseconds",
            Unit::Bytes => "Bytes",
        };
        let described: Vec<Value> = self
            .metrics
            .iter()
            .map(|(name, of, _)| json!({"Name": name, "Unit": unit(*of)}))
            .collect();
        let mut line = self.properties;
        line.insert("service".to_owned(), self.service.into());
        line.extend(
            self.metrics
                .into_iter()
                .map(|(name, _, value)| (name.to_owned(), value.into())),
        );
        let directive =
            json!({"Namespace": NAMESPACE, "Dimensions": [["service"]], "Metrics": described});
        line.insert(
            "_aws".to_owned(),
            json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]}),
        );
        Value::Object(line)
    }
}

fn cpu_ms(usage: &Usage) -> i64 {
    usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds()
}

/// The most memory that the process has had at once; Lambda keeps it between invocations. Not from
/// `getrusage`: there it includes what the process was before it became this program.
fn peak_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_memory_is_read_as_linux_writes_it() {
        assert_eq!(
            peak_bytes("Name:\tbootstrap\nVmHWM:\t   36912 kB\nVmRSS:\t   36000 kB\n"),
            Some(36_912 * 1024)
        );
        assert_eq!(peak_bytes("Name:\tbootstrap\n"), None);
    }

    #[test]
    fn the_line_is_what_cloudwatch_reads() {
        let mut invocation = Invocation::begin("process-upload", || Timestamp::UNIX_EPOCH);
        invocation.count("rows_created", 3);
        invocation.property("portal_id", "1001");
        assert_eq!(
            invocation.line(Timestamp::UNIX_EPOCH),
            json!({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{
                    "Namespace": "UserFeed", "Dimensions": [["service"]],
                    "Metrics": [{"Name": "rows_created", "Unit": "Count"}],
                }]},
                "service": "process-upload", "portal_id": "1001", "rows_created": 3,
            })
        );
    }
}
