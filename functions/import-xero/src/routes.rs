//! Which handlers there are. Which request goes to each, the handler says itself.

use crate::context::Context;
use crate::{callback, connect, disconnect, import, organisations, overview, preview, sign_up};

// Under `/portals/{portal_id}/xero`, and two under `/xero` that take no sign-in.
platform::routes! {
    Context;
    overview::show,
    connect::connect,
    disconnect::disconnect,
    organisations::list,
    organisations::choose,
    preview::show,
    import::import,
    sign_up::sign_up,
    callback::come_back,
}
