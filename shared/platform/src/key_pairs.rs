//! How IAM spells what belongs to the key pair of a portal: whoever issues one and whoever takes it away mean the
//! same user.

use mapping::identity::PortalId;

/// All users of the feed have this path, so that a function's own rights can name them.
pub const PATH: &str = "/user-feed/";

/// The only policy that a portal's user has.
pub const POLICY: &str = "put-files-under-own-path";

/// A portal's user.
pub fn user_name(stage: &str, portal: PortalId) -> String {
    format!("user-feed-{stage}-{portal}")
}
