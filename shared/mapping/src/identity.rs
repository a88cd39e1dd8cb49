//! The names of what crosses a border or could be swapped by mistake. Each has one constructor, and
//! serde uses it. Free text (a first name, a label) stays a `String` and does not belong here.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// A company's own site on Go1: `[1-9][0-9]{0,11}`. It enters table keys, S3 prefixes and IAM
/// policies, so nothing else gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortalId(u64);

/// The text is no portal id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a portal id is a number of 1 to 12 digits that does not begin with 0")]
pub struct NotAPortalId;

impl FromStr for PortalId {
    type Err = NotAPortalId;

    fn from_str(text: &str) -> Result<Self, NotAPortalId> {
        let plain = matches!(text.as_bytes(), [b'1'..=b'9', rest @ ..]
            if rest.len() < 12 && rest.iter().all(u8::is_ascii_digit));
        if !plain {
            return Err(NotAPortalId);
        }
        text.parse().map(PortalId).map_err(|_| NotAPortalId)
    }
}

impl TryFrom<String> for PortalId {
    type Error = NotAPortalId;

    fn try_from(text: String) -> Result<Self, NotAPortalId> {
        text.parse()
    }
}

impl From<PortalId> for String {
    fn from(portal: PortalId) -> String {
        portal.to_string()
    }
}

impl fmt::Display for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A person in a portal. Deterministic, so that creating twice, after a crash or by two writers, hits
/// the same key (`docs/rules.md`, "User ids").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Uuid);

/// The namespace of our UUIDv5 ids. Changing it would give every person a second account.
const USER_ID_NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_3a52_9d0e_4b7b_8a61_2e5d_c0f4_7b19);

impl UserId {
    /// The `n`th person of `portal` who was created with this e-mail key.
    pub fn by_email(portal: PortalId, email_key: &EmailKey, n: u32) -> Self {
        let mut name = Vec::with_capacity(96);
        // Each part carries its length, so that no two lists of parts run together.
        for part in [
            portal.to_string().as_str(),
            "email",
            email_key.as_str(),
            &n.to_string(),
        ] {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part.as_bytes());
        }
        UserId(Uuid::new_v5(&USER_ID_NAMESPACE, &name))
    }

    /// The id that comes after this one in the row of ids that `email_key` can have; the first if this is
    /// none of them.
    pub fn next_by_email(self, portal: PortalId, email_key: &EmailKey) -> Self {
        // Addresses pass from hand to hand a few times, never a thousand.
        let n = (0..1_000).find(|n| Self::by_email(portal, email_key, *n) == self);
        Self::by_email(portal, email_key, n.map_or(0, |n| n + 1))
    }

    /// The shard of the users table, `0` to `f`: the id's first hexadecimal digit.
    pub fn shard(self) -> char {
        char::from_digit(u32::from(self.0.as_bytes()[0] >> 4), 16).unwrap_or('0')
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(UserId)
    }
}

/// One e-mail address (RFC 5321, internationalised by RFC 6531), as it was sent, trimmed.
///
/// Has no `Debug` that shows the address: errors and logs print `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// The text is not one e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not one e-mail address")]
pub struct NotAnEmail;

impl Email {
    /// `text` must be trimmed already.
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        check_email(text)?;
        Ok(Email(text.to_owned()))
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What addresses are compared by.
    pub fn key(&self) -> EmailKey {
        EmailKey(email_key(&self.0).into_owned())
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

/// Whether `text` is one e-mail address, without keeping it: the first pass asks this of every row.
pub fn check_email(text: &str) -> Result<(), NotAnEmail> {
    use email_address::{EmailAddress, Options};
    // An address book's `Ann <ann@x.example>` is not an address.
    let options = Options::default().without_display_text();
    EmailAddress::parse_with_options(text, options).map_err(|_| NotAnEmail)?;
    Ok(())
}

/// An address as it is compared: trimmed, NFC, lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailKey(String);

impl EmailKey {
    /// The key of an address that was accepted once, as the users table keeps it.
    pub fn of(address: &str) -> Self {
        EmailKey(email_key(address.trim()).into_owned())
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailKey(..)")
    }
}

/// Lower case, then NFC. Most addresses are plain ASCII, and most of those lower case already.
fn email_key(trimmed: &str) -> Cow<'_, str> {
    if trimmed.is_ascii() {
        return if trimmed.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(trimmed.to_ascii_lowercase())
        } else {
            Cow::Borrowed(trimmed)
        };
    }
    let lower = trimmed.to_lowercase();
    match is_nfc_quick(lower.chars()) {
        IsNormalized::Yes => Cow::Owned(lower),
        _ => Cow::Owned(lower.nfc().collect()),
    }
}

/// What a row and a person are joined by: 128 bits of the identity's key, so that a million of them
/// fit into memory. 128 bits do not collide by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityHash([u8; 16]);

impl IdentityHash {
    /// Of an e-mail address, trimmed but otherwise as it was sent.
    pub fn of_email(trimmed: &str) -> Self {
        IdentityHash(xxh3_128(email_key(trimmed).as_bytes()).to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_portal_id_is_one_to_twelve_digits_without_a_leading_zero() {
        for good in ["1", "1001", "999999999999"] {
            assert_eq!(good.parse::<PortalId>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "0",
            "01",
            "1*",
            "a",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1/2",
            "1000000000000",
            "١",
        ] {
            assert!(bad.parse::<PortalId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_accepted_or_not() {
        let good = [
            "ann@x.example",
            "Ann.O'Neil+hr@Sub.X.example",
            "a@x.co",
            "josé@bücher.example",
            "用户@例え.example",
            "\"john doe\"@x.example",
            "a_b-c@x-y.example",
        ];
        for address in good {
            assert!(Email::parse(address).is_ok(), "{address:?}");
        }
        let bad = [
            "",
            "ann",
            "ann@",
            "@x.example",
            "ann@@x.example",
            "ann@x..example",
            ".ann@x.example",
            "ann.@x.example",
            "ann@x.example;bob@x.example",
            "ann@x.example, bob@x.example",
            "ann@x.example bob@x.example",
            "Ann <ann@x.example>",
            "<ann@x.example>",
            "mailto:ann@x.example@y.example",
            "ann @x.example",
            "ann@x .example",
            "ann@-x.example",
            "ann@x.example.",
            "ann@x.example\n",
            "a\0b@x.example",
        ];
        for address in bad {
            assert!(Email::parse(address).is_err(), "{address:?}");
        }
        assert!(Email::parse(&format!("{}@x.example", "a".repeat(64))).is_ok());
        assert!(Email::parse(&format!("{}@x.example", "a".repeat(65))).is_err());
    }

    #[test]
    fn addresses_are_compared_without_case_and_in_one_normal_form() {
        let key = |text: &str| EmailKey::of(text);
        assert_eq!(key(" Ann@X.Example "), key("ann@x.example"));
        assert_eq!(key("JOSÉ@x.example"), key("jose\u{301}@x.example"));
        assert_ne!(key("ann@x.example"), key("anne@x.example"));
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        let email = Email::parse("ann@x.example").unwrap();
        assert!(!format!("{email:?} {:?}", email.key()).contains("ann"));
    }

    #[test]
    fn a_user_id_is_pinned_for_ever() {
        // Were this to change, every customer's next file would create everybody a second time.
        let id = UserId::by_email("1001".parse().unwrap(), &EmailKey::of("ann@x.example"), 0);
        assert_eq!(id.to_string(), "2c197f14-4af6-57d5-b546-c0cffa29e230");
    }

    #[test]
    fn user_ids_differ_by_portal_address_and_number() {
        let id = |portal: &str, email: &str, n| {
            UserId::by_email(portal.parse().unwrap(), &EmailKey::of(email), n)
        };
        let first = id("1", "a@x.example", 0);
        assert_eq!(first, id("1", "A@x.example", 0));
        for other in [
            id("2", "a@x.example", 0),
            id("1", "b@x.example", 0),
            id("1", "a@x.example", 1),
            id("11", "a@x.example", 0),
        ] {
            assert_ne!(first, other);
        }
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(text in "\\PC{0,24}") {
            let once = EmailKey::of(&text);
            prop_assert_eq!(EmailKey::of(once.as_str()), once);
        }

        #[test]
        fn the_hash_follows_the_key(a in "[aAbBéÉ]{1,4}", b in "[aAbBéÉ]{1,4}") {
            let same = EmailKey::of(&a) == EmailKey::of(&b);
            prop_assert_eq!(IdentityHash::of_email(&a) == IdentityHash::of_email(&b), same);
        }
    }
}
