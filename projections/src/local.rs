//! How far the projectors of this process are, and whether views are late, so that a reader need not ask the store again and again.

use crate::{
    Projection,
    partitions::{Partitions, Positions},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// Known positions by projection. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Local(Arc<[watch::Sender<Known>; 3]>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    owned: Partitions,
    positions: Positions,
    late: Option<(bool, Instant)>,
}

impl Default for Local {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| watch::channel(Known::default()).0)))
    }
}

impl Local {
    fn of(&self, projection: Projection) -> &watch::Sender<Known> {
        let [customer, operations, finance] = &*self.0;
        match projection {
            Projection::Customer => customer,
            Projection::Operations => operations,
            Projection::Finance => finance,
        }
    }

    /// A projector here has read its partitions up to `position`, or has none any more.
    pub(crate) fn tell(&self, projection: Projection, owned: Partitions, position: u64) {
        self.of(projection).send_modify(|known| {
            known.owned = owned;
            known.positions.advance(owned, position);
        });
    }

    /// Whether a projector here reads these partitions and is not as far.
    pub(crate) fn is_behind(&self, projection: Projection, some: Partitions, position: u64) -> bool {
        self.of(projection).borrow().is_behind(some, position)
    }

    /// Whether the views are late, if that was found a moment ago.
    pub(crate) fn believed_late(&self, projection: Projection) -> Option<bool> {
        let (late, until) = self.of(projection).borrow().late?;
        (Instant::now() < until).then_some(late)
    }

    /// Whether the views are late was found, and is believed for a while.
    pub(crate) fn believe_late(&self, projection: Projection, late: bool, so_long: Duration) {
        self.of(projection).send_if_modified(|known| {
            known.late = Some((late, Instant::now() + so_long));
            false
        });
    }

    /// Returns once a projector here that was behind has read some partitions up to `position`, or after `pause` when none here is;
    /// at the latest at `deadline`.
    pub(crate) async fn news(&self, projection: Projection, some: Partitions, position: u64, pause: Duration, deadline: Instant) {
        let mut known = self.of(projection).subscribe();
        if self.is_behind(projection, some, position) {
            let _ = timeout_at(deadline, known.wait_for(|known| !known.is_behind(some, position))).await;
        } else {
            // One that begins to read here may be waited for.
            let _ = timeout_at(deadline.min(Instant::now() + pause), known.wait_for(|known| known.is_behind(some, position))).await;
        }
    }
}

impl Known {
    fn is_behind(&self, some: Partitions, position: u64) -> bool {
        some.iter().all(|partition| self.owned.has(partition)) && self.positions.least_of(some) < position
    }
}
