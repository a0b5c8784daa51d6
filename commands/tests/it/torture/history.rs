//! Is a history of holds and cancellations linearizable: is there one order of all operations, each between its call and its answer, in
//! which every answer is right? Seats are independent, so each is asked for on its own.

use std::collections::{BTreeMap, HashSet};

/// What was asked of one seat, and whether it was done or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Right when the seat was free.
    Held(u32),
    /// Right when the seat was not free.
    Refused,
    /// Right when the seat was held under this booking.
    Cancelled(u32),
}

/// One operation, with the moments of its call and its answer on a clock all share.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    pub seat: usize,
    pub what: What,
    pub called: u64,
    pub answered: u64,
}

/// The most operations on one seat.
const OPERATIONS_MAX: usize = 128;

/// The seats of which no order explains the answers.
pub fn violations(history: &[Operation]) -> Vec<usize> {
    let mut seats: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for operation in history {
        seats.entry(operation.seat).or_default().push(*operation);
    }
    seats.into_iter().filter(|(_, operations)| !is_linearizable(operations)).map(|(seat, _)| seat).collect()
}

/// Wing and Gong's search: whatever was called before every open answer may come next. What was tried once is not tried again.
fn is_linearizable(operations: &[Operation]) -> bool {
    assert!(operations.len() <= OPERATIONS_MAX, "{} operations on one seat", operations.len());
    let all = if operations.len() == OPERATIONS_MAX { u128::MAX } else { (1 << operations.len()) - 1 };
    let mut tried: HashSet<(u128, Option<u32>)> = HashSet::new();
    let mut open: Vec<(u128, Option<u32>)> = vec![(0, None)];
    while let Some((done, holder)) = open.pop() {
        if done == all {
            return true;
        }
        if !tried.insert((done, holder)) {
            continue;
        }
        let left = || operations.iter().enumerate().filter(|(n, _)| done & (1 << n) == 0);
        let first_answer = left().map(|(_, operation)| operation.answered).min().unwrap_or_default();
        for (n, operation) in left().filter(|(_, operation)| operation.called <= first_answer) {
            let next = match (operation.what, holder) {
                (What::Held(by), None) => Some(by),
                (What::Refused, Some(by)) => Some(by),
                (What::Cancelled(by), Some(holder)) if by == holder => None,
                _ => continue,
            };
            open.push((done | 1 << n, next));
        }
    }
    false
}

fn at(what: What, called: u64, answered: u64) -> Operation {
    Operation { seat: 0, what, called, answered }
}

#[test]
fn what_one_order_explains_is_right() {
    use What::{Cancelled, Held, Refused};
    for history in [
        vec![at(Held(1), 0, 1), at(Refused, 2, 3), at(Cancelled(1), 4, 5), at(Held(2), 6, 7)],
        // At the same time: whichever was first.
        vec![at(Held(1), 0, 3), at(Refused, 1, 2)],
        vec![at(Held(1), 0, 1), at(Cancelled(1), 2, 9), at(Held(2), 3, 4), at(Refused, 5, 6), at(Cancelled(2), 7, 8)],
    ] {
        assert_eq!(violations(&history), Vec::<usize>::new(), "{history:?}");
    }
}

#[test]
fn a_planted_stale_read_is_caught() {
    use What::{Cancelled, Held, Refused};
    for history in [
        // Refused for a seat that had been given back before it was asked for.
        vec![at(Held(1), 0, 1), at(Cancelled(1), 2, 3), at(Refused, 4, 5)],
        // Sold twice.
        vec![at(Held(1), 0, 1), at(Held(2), 2, 3)],
        vec![at(Held(1), 0, 5), at(Held(2), 1, 4)],
        // Refused before anybody asked for the seat.
        vec![at(Refused, 0, 1), at(Held(1), 2, 3)],
        vec![at(Held(1), 0, 1), at(Cancelled(2), 2, 3)],
    ] {
        assert_eq!(violations(&history), [0], "{history:?}");
    }
}
