//! Built neither for a browser nor for a server, such as in tests of components: there is nobody to ask.

use super::{Answer, Ask, Reply, unreachable_problem};

pub(super) async fn send(_ask: &Ask) -> Answer<Reply> {
    Err(unreachable_problem())
}

pub(super) async fn refresh() -> bool {
    false
}
