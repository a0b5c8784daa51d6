//! The partitions of a projection as a row of bars: how far each is behind, and which process works on it.

use crate::format;
use contract::operations::{PartitionStatus, ProjectionStatus};
use dioxus::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The height of a bar, in units of its picture.
const HEIGHT: u64 = 28;
/// A bar without lag, in the same.
const LEAST: u64 = 3;
/// A bar is full when it is so many events behind; the bars grow with the logarithm.
const FULL_EVENTS: u64 = 100_000;

/// The partitions of all views together: each as far as the view that is furthest behind.
pub(super) fn furthest_behind(views: &[ProjectionStatus]) -> Vec<PartitionStatus> {
    let mut all: BTreeMap<u8, PartitionStatus> = BTreeMap::new();
    for part in views.iter().flat_map(|view| &view.partitions) {
        let known = all.entry(part.partition).or_insert_with(|| part.clone());
        known.position = known.position.min(part.position);
    }
    all.into_values().collect()
}

fn height(lag: u64) -> u64 {
    let share = ((1 + lag) as f64).ln() / ((1 + FULL_EVENTS) as f64).ln();
    LEAST + (share.min(1.0) * (HEIGHT - LEAST) as f64).round() as u64
}

/// The first letters of a process' id: enough to tell a few apart.
fn short(holder: Uuid) -> String {
    holder.simple().to_string().chars().take(8).collect()
}

/// `2 processes share them`.
fn shared(partitions: &[PartitionStatus]) -> String {
    let mut holders: BTreeMap<Uuid, u64> = BTreeMap::new();
    for holder in partitions.iter().filter_map(|part| part.holder) {
        *holders.entry(holder).or_default() += 1;
    }
    let free = partitions.iter().filter(|part| part.holder.is_none()).count();
    let by = match holders.len() {
        0 => "nobody works on them".to_owned(),
        1 => "one process works on them".to_owned(),
        several => format!("{several} processes share them"),
    };
    if free == 0 || holders.is_empty() { by } else { format!("{by}, {free} without one") }
}

/// The bars, and in words who works on them.
#[component]
pub(super) fn Partitions(partitions: Vec<PartitionStatus>, head: u64, paused: bool) -> Element {
    if partitions.is_empty() {
        return rsx! {};
    }
    rsx! {
        div { class: "partitions",
            ul { "aria-label": "Partitions",
                for part in partitions.iter() {
                    Part { key: "{part.partition}", part: part.clone(), head, paused }
                }
            }
            p { class: "muted small",
                "{partitions.len()} partitions, "
                if paused { "waiting to be resumed" } else { {shared(&partitions)} }
            }
        }
    }
}

#[component]
fn Part(part: PartitionStatus, head: u64, paused: bool) -> Element {
    let lag = head.saturating_sub(part.position);
    let tall = height(lag);
    let holder = part.holder.map_or_else(|| "nobody works on it".to_owned(), |holder| format!("process {} works on it", short(holder)));
    let words = format!("Partition {}: {} behind, {holder}", part.partition, format::plural(lag, "event", "events"));
    let state = match (part.holder, lag) {
        _ if paused => "idle",
        (None, _) => "free",
        (Some(_), 0) => "good",
        (Some(_), _) => "behind",
    };
    rsx! {
        li { "data-state": state, title: "{words}",
            svg { view_box: "0 0 10 {HEIGHT}", "preserveAspectRatio": "none", "aria-hidden": "true",
                rect { x: "0", width: "10", rx: "2", y: "{HEIGHT - tall}", height: "{tall}" }
            }
            span { class: "visually-hidden", "{words}" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(partition: u8, position: u64, holder: u128) -> PartitionStatus {
        PartitionStatus { partition, position, holder: (holder > 0).then(|| Uuid::from_u128(holder)) }
    }

    #[test]
    fn each_partition_says_how_far_it_is_and_who_works_on_it() {
        let partitions = vec![part(0, 100, 1), part(1, 58, 2), part(2, 100, 0)];
        let html = dioxus_ssr::render_element(rsx! { Partitions { partitions, head: 100, paused: false } });
        assert!(html.contains("Partition 1: 42 events behind, process 00000000 works on it"), "{html}");
        assert!(html.contains("Partition 2: 0 events behind, nobody works on it"), "{html}");
        assert!(html.contains("3 partitions, 2 processes share them, 1 without one"), "{html}");
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn bars_grow_with_the_lag_up_to_their_height() {
        assert_eq!((height(0), height(u64::MAX - 1)), (LEAST, HEIGHT));
        assert!(height(10) < height(1_000));
    }
}
