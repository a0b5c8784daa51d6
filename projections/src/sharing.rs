//! How processes share a projection: each says twice a second that it lives, takes its share of the 16 partitions, and gives back what is
//! more. Whoever was silent for three seconds has lost its partitions; a process counts them by its own clock, so clocks need not agree.
//! Reading and writing is left to the projector, which writes only in the epoch it was told.

use crate::{
    partitions::{PARTS, Partitions},
    store::{Member, Sharing, Store, StoreFault},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// How often a process says that it lives.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// How long it may be silent before others take its partitions. Its last beat is heard with the next of another and its silence found too
/// long with one, so that it is replaced within this and two beats: 4 s, of the 5 that are promised.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Within this time every process that lives has heard of a change.
pub(crate) const HEARD_WITHIN: Duration = Duration::from_millis(1_500);
/// How long taking part and leaving may take before the projector goes on without.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often dealing is tried again at once when others deal too.
const TRIES_MAX: usize = 4;

/// What a process may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Assignment {
    /// Its writes count only in this epoch.
    pub epoch: u64,
    /// Its partitions.
    pub owned: Partitions,
    /// Whether an operator stopped the projection.
    pub paused: bool,
}

/// A process that takes part, until it is dropped.
#[derive(Debug)]
pub(crate) struct Membership {
    id: Uuid,
    store: Arc<dyn Store>,
    fault: Arc<Mutex<String>>,
    look: Arc<Notify>,
    pub(crate) assignments: watch::Receiver<Assignment>,
    beating: AbortOnDropHandle<()>,
}

impl Membership {
    /// Takes part; partitions come once it was heard.
    pub(crate) fn join(store: Arc<dyn Store>) -> Self {
        let (id, fault, look) = (Uuid::new_v4(), Arc::new(Mutex::new(String::new())), Arc::new(Notify::new()));
        let (sender, assignments) = watch::channel(Assignment::default());
        let beating = beat(id, Arc::clone(&store), Arc::clone(&fault), Arc::clone(&look), sender);
        Self { id, store, fault, look, assignments, beating: AbortOnDropHandle::new(tokio::spawn(beating)) }
    }

    /// Says what hinders the projector; nothing, when it is empty.
    pub(crate) fn tell(&self, fault: &str) {
        let mut known = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != fault {
            fault.clone_into(&mut known);
            self.look.notify_one();
        }
    }

    /// Asks who may write now, without waiting for the next beat.
    pub(crate) fn look(&self) {
        self.look.notify_one();
    }

    /// Gives everything back.
    pub(crate) async fn leave(self) {
        let Self { id, store, beating, .. } = self;
        beating.abort();
        // Its last beat may be under way.
        let _ = beating.await;
        let leaving = async {
            for _ in 0..TRIES_MAX {
                let Sharing { epoch, holders, .. } = store.sharing().await?;
                let left = holders.map(|holder| holder.filter(|holder| *holder != id));
                if left == holders || store.deal(epoch, left).await? {
                    break;
                }
            }
            store.forget(id, None).await
        };
        if !matches!(timeout(ANSWER_WAIT_MAX, leaving).await, Ok(Ok(()))) {
            tracing::debug!("Left without giving partitions back; others take them in {} s", SILENCE_MAX.as_secs());
        }
    }
}

async fn beat(id: Uuid, store: Arc<dyn Store>, fault: Arc<Mutex<String>>, look: Arc<Notify>, assignments: watch::Sender<Assignment>) {
    let mut heard = Heard::default();
    loop {
        let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match take_part(&*store, id, &fault, &mut heard).await {
            Ok(assignment) => {
                assignments.send_if_modified(|known| std::mem::replace(known, assignment) != assignment);
            }
            Err(error) => tracing::debug!(member = %id, "Could not say that this process lives: {error}"),
        }
        tokio::select! {
            () = sleep(BEAT_EVERY) => {}
            () = look.notified() => {}
        }
    }
}

async fn take_part(store: &dyn Store, id: Uuid, fault: &str, heard: &mut Heard) -> Result<Assignment, StoreFault> {
    let mut sharing = store.beat(id, fault).await?;
    for _ in 0..TRIES_MAX {
        let (mut live, silent) = heard.listen(&sharing.members, Instant::now());
        live.insert(id);
        for (member, beats) in silent {
            store.forget(member, Some(beats)).await?;
        }
        let Some(holders) = deal(&sharing.holders, id, &live) else { break };
        if store.deal(sharing.epoch, holders).await? {
            (sharing.epoch, sharing.holders) = (sharing.epoch + 1, holders);
            break;
        }
        sharing = store.sharing().await?;
    }
    let owned = (0..).zip(sharing.holders).filter(|(_, holder)| *holder == Some(id)).map(|(partition, _)| partition).collect();
    Ok(Assignment { epoch: sharing.epoch, owned, paused: sharing.paused })
}

/// When each member was last heard, by the clock of this process.
#[derive(Debug, Default)]
struct Heard(HashMap<Uuid, (u64, Instant)>);

impl Heard {
    /// The members that live, and those silent for too long with their last beat.
    fn listen(&mut self, members: &[Member], now: Instant) -> (BTreeSet<Uuid>, Vec<(Uuid, u64)>) {
        self.0.retain(|id, _| members.iter().any(|member| member.id == *id));
        let mut live = BTreeSet::new();
        let mut silent = Vec::new();
        for Member { id, beats, .. } in members {
            let (known, at) = self.0.entry(*id).or_insert((*beats, now));
            if known != beats {
                (*known, *at) = (*beats, now);
            }
            if now.duration_since(*at) < SILENCE_MAX {
                live.insert(*id);
            } else {
                silent.push((*id, *beats));
            }
        }
        (live, silent)
    }
}

/// Whether every process among `known` has learned since then what is the case now, or is gone.
pub(crate) async fn heard_by_all(store: &dyn Store, known: &[Member]) -> Result<bool, StoreFault> {
    let members = store.sharing().await?.members;
    // Who beats again has read everything.
    let heard = |member: &Member| known.iter().find(|known| known.id == member.id).is_none_or(|known| known.beats < member.beats);
    Ok(members.iter().all(heard))
}

/// The partitions dealt out so that `id` has its share and no more; `None` when that is so already.
fn deal(holders: &[Option<Uuid>; PARTS], id: Uuid, live: &BTreeSet<Uuid>) -> Option<[Option<Uuid>; PARTS]> {
    let share = PARTS.div_ceil(live.len().max(1));
    let mut dealt = *holders;
    let mut own = dealt.iter().filter(|holder| **holder == Some(id)).count();
    for holder in dealt.iter_mut().rev() {
        let free = holder.is_none_or(|holder| !live.contains(&holder));
        if own > share && *holder == Some(id) {
            *holder = None;
            own -= 1;
        } else if own < share && free {
            *holder = Some(id);
            own += 1;
        }
    }
    (dealt != *holders).then_some(dealt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }
    fn count(holders: &[Option<Uuid>; PARTS], of: u128) -> usize {
        holders.iter().filter(|holder| **holder == Some(id(of))).count()
    }

    #[test]
    fn however_many_come_and_go_everything_is_dealt_out_evenly() {
        let mut holders = [None; PARTS];
        let mut live = BTreeSet::new();
        for members in [1..=1, 1..=2, 1..=3, 1..=16, 1..=20, 5..=7, 6..=6] {
            live.clear();
            live.extend(members.clone().map(id));
            // Two rounds: those with too much give back, then the others take.
            for member in members.clone().chain(members.clone()) {
                holders = deal(&holders, id(member), &live).unwrap_or(holders);
            }
            let share = PARTS.div_ceil(live.len());
            assert!(holders.iter().all(|holder| holder.is_some_and(|holder| live.contains(&holder))), "{members:?}: {holders:?}");
            assert!(members.clone().all(|member| count(&holders, member) <= share), "{members:?}: {holders:?}");
            assert!(members.clone().all(|member| deal(&holders, id(member), &live).is_none()), "{members:?}: nothing more to do");
        }
    }

    #[test]
    fn the_silent_are_known_by_the_listener_s_own_clock() {
        let member = |beats| Member { id: id(1), beats, beat_at: jiff::Timestamp::MIN, fault: String::new() };
        let (mut heard, start) = (Heard::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(heard.listen(&[member(7)], start).1, []);
        assert_eq!(heard.listen(&[member(7)], after(2)).1, []);
        assert_eq!(heard.listen(&[member(8)], after(3)).1, []);
        assert_eq!(heard.listen(&[member(8)], after(6)), (BTreeSet::new(), vec![(id(1), 8)]));
        assert_eq!(heard.listen(&[], after(6)).1, []);
        // Back again: a newcomer like any other.
        assert_eq!(heard.listen(&[member(9)], after(7)).0, BTreeSet::from([id(1)]));
    }
}
