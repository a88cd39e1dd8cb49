//! Which handlers there are. Which request goes to each, the handler says itself.

use crate::context::Context;
use crate::credentials;

// Under `/portals/{portal_id}/feed/credentials`.
platform::routes! {
    Context;
    credentials::show,
    credentials::regenerate,
}
