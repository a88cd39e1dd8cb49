//! The edge: a record of an S3 event -> an [`UploadedFile`], or the reason why it is none of ours.

use crate::failure::Failure;
use aws_lambda_events::event::s3::S3EventRecord;
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::order::Sequencer;
use percent_encoding::percent_decode_str;
use platform::feed::ObjectVersion;
use platform::objects::REHEARSAL;

/// A file that has arrived under a portal's path. No `Debug`: its key is the customer's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UploadedFile {
    pub(crate) portal: PortalId,
    pub(crate) bucket: String,
    pub(crate) object: ObjectVersion,
    pub(crate) size_bytes: u64,
    /// When S3 took it.
    pub(crate) received_at: Timestamp,
    /// Its place among the events of the same key.
    pub(crate) sequencer: Option<Sequencer>,
    /// Under `<portal_id>/rehearsal/`: planned and reported, never applied.
    pub(crate) rehearsal: bool,
}

/// What a record is about.
#[derive(PartialEq, Eq)]
pub(crate) enum Arrival {
    File(UploadedFile),
    /// Clients make an empty object whose key ends in `/` for a folder. Nobody sent a file.
    Folder,
    /// Not under a portal's path, so there is no history to put it in.
    NoPortal,
}

impl Arrival {
    pub(crate) fn of(record: S3EventRecord) -> Result<Self, Failure> {
        let object = record.s3.object;
        let bucket = record
            .s3
            .bucket
            .name
            .ok_or(Failure::MalformedEvent("no bucket"))?;
        let key = decode(&object.key.ok_or(Failure::MalformedEvent("no key"))?)?;
        let size_bytes = object
            .size
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or(0);
        let received_at = Timestamp::from_millisecond(record.event_time.timestamp_millis())
            .map_err(|_| Failure::MalformedEvent("its time is out of range"))?;
        let Some((portal, path)) = key.split_once('/') else {
            return Ok(Arrival::NoPortal);
        };
        let Ok(portal) = portal.parse() else {
            return Ok(Arrival::NoPortal);
        };
        if size_bytes == 0 && (path.is_empty() || path.ends_with('/')) {
            return Ok(Arrival::Folder);
        }
        Ok(Arrival::File(UploadedFile {
            portal,
            bucket,
            rehearsal: path.starts_with(REHEARSAL),
            object: ObjectVersion {
                version_id: object.version_id.filter(|version| !version.is_empty()),
                etag: object
                    .e_tag
                    .unwrap_or_default()
                    .trim_matches('"')
                    .to_owned(),
                key,
            },
            size_bytes,
            received_at,
            sequencer: object.sequencer.as_deref().and_then(Sequencer::parse),
        }))
    }
}

/// Keys in events are encoded as forms are: `+` is a space.
fn decode(key: &str) -> Result<String, Failure> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(|key| key.into_owned())
        .map_err(|_| Failure::MalformedEvent("its key is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lambda_events::event::s3::S3Event;

    fn arrival(key: &str, size: i64) -> Arrival {
        let mut event: serde_json::Value =
            serde_json::from_str(include_str!("../../../events/process-upload.json")).unwrap();
        event["Records"][0]["s3"]["object"]["key"] = key.into();
        event["Records"][0]["s3"]["object"]["size"] = size.into();
        let mut event: S3Event = serde_json::from_value(event).unwrap();
        Arrival::of(event.records.remove(0)).unwrap()
    }

    #[test]
    fn keys_are_decoded_and_portals_recognised() {
        for (key, expected, rehearsal) in [
            ("1001/people.csv", "1001/people.csv", false),
            (
                "1001/Happy+Face%2B%20caf%C3%A9.csv",
                "1001/Happy Face+ café.csv",
                false,
            ),
            ("1001/2026/11/a.csv", "1001/2026/11/a.csv", false),
            ("1001/rehearsal/a.csv", "1001/rehearsal/a.csv", true),
            ("1001/rehearsals.csv", "1001/rehearsals.csv", false),
        ] {
            let Arrival::File(file) = arrival(key, 10) else {
                panic!("{key} is no file")
            };
            assert_eq!(
                (file.object.key.as_str(), file.rehearsal),
                (expected, rehearsal)
            );
            assert_eq!(file.portal.to_string(), "1001");
            assert!(file.object.version_id.is_some() && file.sequencer.is_some());
        }
    }

    #[test]
    fn folders_and_what_is_under_no_portal_are_told_apart() {
        assert!(arrival("1001/", 0) == Arrival::Folder);
        assert!(arrival("1001/archive/", 0) == Arrival::Folder);
        for key in [
            "people.csv",
            "0/people.csv",
            "01001/people.csv",
            "x/people.csv",
            "%2F1001/a.csv",
        ] {
            assert!(arrival(key, 10) == Arrival::NoPortal, "{key}");
        }
        assert!(matches!(arrival("1001/empty.csv", 0), Arrival::File(_)));
        assert!(matches!(arrival("1001/odd/", 10), Arrival::File(_)));
    }
}
