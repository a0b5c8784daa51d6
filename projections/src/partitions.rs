//! The parts in which the log is dealt out, and how far each is read. Who has which part is left to the sharing.

use nats::PARTITIONS;
use std::fmt;

/// How many parts there are, as a length.
pub(crate) const PARTS: usize = PARTITIONS as usize;

/// The position of a view that has read another log: the last that the stores can hold.
const BEYOND_ANY_LOG: u64 = i64::MAX.unsigned_abs();

/// Some of the 16 partitions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Partitions(u16);

impl Partitions {
    /// Every one.
    pub const ALL: Self = Self(u16::MAX);
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether `partition` is one of them.
    #[must_use]
    pub fn has(self, partition: u8) -> bool {
        1_u16.checked_shl(partition.into()).is_some_and(|bit| self.0 & bit != 0)
    }
    /// How many they are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }
    /// Whether they are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Their numbers, in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..PARTITIONS).filter(move |partition| self.has(*partition))
    }
}

impl FromIterator<u8> for Partitions {
    fn from_iter<I: IntoIterator<Item = u8>>(partitions: I) -> Self {
        Self(partitions.into_iter().fold(0, |set, partition| set | 1_u16.checked_shl(partition.into()).unwrap_or_default()))
    }
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// How far each partition is read: the last position of the log that was looked at for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Positions(pub(crate) [u64; PARTS]);

impl Positions {
    /// All at the same position.
    #[must_use]
    pub fn all(position: u64) -> Self {
        Self([position; PARTS])
    }
    /// How far a partition is read.
    #[must_use]
    pub fn of(&self, partition: u8) -> u64 {
        self.0.get(usize::from(partition)).copied().unwrap_or_default()
    }
    /// Up to where everything is read.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.least_of(Partitions::ALL)
    }
    /// Up to where some of the partitions are all read; 0 for none of them.
    #[must_use]
    pub fn least_of(&self, some: Partitions) -> u64 {
        some.iter().map(|partition| self.of(partition)).min().unwrap_or_default()
    }
    /// How far the furthest is read.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.0.into_iter().max().unwrap_or_default()
    }
    /// Where a view stands that has read another log: beyond what any has.
    pub(crate) fn beyond_any_log() -> Self {
        Self::all(BEYOND_ANY_LOG)
    }
    pub(crate) fn are_beyond_any_log(&self) -> bool {
        self.most() == BEYOND_ANY_LOG
    }
    /// Moves some partitions on to `position`; none ever moves back.
    pub fn advance(&mut self, some: Partitions, position: u64) {
        for (partition, at) in (0..).zip(&mut self.0) {
            if some.has(partition) {
                *at = (*at).max(position);
            }
        }
    }
    /// The same positions for some partitions, and 0 for the rest.
    #[must_use]
    pub fn only(&self, some: Partitions) -> Self {
        let mut kept = Self::default();
        for (partition, at) in (0..).zip(&mut kept.0) {
            if some.has(partition) {
                *at = self.of(partition);
            }
        }
        kept
    }
}

/// Missing ones are at 0.
impl FromIterator<u64> for Positions {
    fn from_iter<I: IntoIterator<Item = u64>>(positions: I) -> Self {
        let mut all = Self::default();
        for (at, position) in all.0.iter_mut().zip(positions) {
            *at = position;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_partitions_move_on_and_the_rest_stay() {
        let some: Partitions = [0, 3, 15].into_iter().collect();
        let mut positions = Positions::all(5);
        positions.advance(some, 9);
        positions.advance(some, 7);
        assert_eq!((positions.of(0), positions.of(1), positions.of(3), positions.of(15)), (9, 5, 9, 9));
        assert_eq!((positions.least(), positions.least_of(some), positions.least_of(Partitions::NONE)), (5, 9, 0));
        assert_eq!(positions.only(some).0.iter().sum::<u64>(), 27);
        assert_eq!((some.len(), Partitions::ALL.len(), some.has(16), some.iter().collect::<Vec<_>>()), (3, 16, false, vec![0, 3, 15]));
    }
}
