//! Which handlers there are. Which request goes to each, the handler says itself.

use crate::context::Context;
use crate::{change, erase, list, user};

// Under `/portals/{portal_id}/users`.
platform::routes! {
    Context;
    list::list,
    user::show,
    change::change,
    erase::erase,
}
