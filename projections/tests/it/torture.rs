//! What may go wrong on the way from the log to the views goes wrong here, by a seed. After each run every view is made anew from the log and
//! must equal the live one. Each guard is then turned off, and the same run must show a difference. `ASTRO_TORTURE=N` runs N times as long.

mod steps;

use crate::{
    faults::{Drowsy, Line, Random, Sleep},
    parking::{cure, poison},
    world::{Running, World, launch, until, variable, world},
};
use contract::launch::LaunchPage;
use futures::future::join_all;
use mongodb::bson::{Document, doc};
use nats::{Envelope, Feed};
use projections::{CustomerViews, Databases, Guards, OperationsViews, Projection, Trial, ViewName, rebuild::Differing};
use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A process that is gone is replaced within this time; by its limits within 4 s.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);

/// How many times as long as usual to go on.
fn rounds() -> u128 {
    std::env::var("ASTRO_TORTURE").map_or(1, |rounds| rounds.parse().unwrap())
}

/// Enough launches for everyone.
fn launches() -> u128 {
    6 * rounds()
}

/// People who hold, book and cancel seats at random.
struct People {
    random: Random,
    taken: HashSet<(u128, String)>,
    next: u128,
}

impl People {
    async fn come(world: &World, seed: u64) -> Self {
        world.catalogue(launches()).await;
        Self { random: Random(seed), taken: HashSet::new(), next: 100 }
    }
    async fn trade(&mut self, world: &World, deals: u128) {
        for person in self.next..self.next + deals * rounds() {
            let on = u128::from(self.random.below(launches() as u64));
            let seat = format!("{}{}", 1 + self.random.below(5), ["A", "B", "C", "D"][self.random.below(4) as usize]);
            if !self.taken.insert((on, seat.clone())) {
                continue;
            }
            match self.random.below(3) {
                0 => drop(world.hold(on, person, &seat).await),
                1 => drop(world.book(on, person, &seat).await),
                _ => {
                    world.book(on, person, &seat).await;
                    world.cancel(on, person).await;
                }
            }
        }
        self.next += deals * rounds();
    }
}

/// The views that differ from what the log says, or cannot be compared with it. Nobody keeps them up to date meanwhile.
async fn differing(world: &World, projection: Projection) -> Vec<String> {
    let mut found = Vec::new();
    for name in ViewName::all().filter(|name| name.projection == projection) {
        let rebuilt = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!(rebuilt.moving, 0, "{name} was kept up to its end");
        if rebuilt.differing > 0 {
            found.push(format!("{name}: {:?}", rebuilt.some_differing));
        }
    }
    found
}

fn nothing(differing: Vec<String>) {
    assert_eq!(differing, Vec::<String>::new());
}
fn something(differing: Vec<String>) {
    assert!(!differing.is_empty(), "the guard was off, and nothing happened");
}

/// The same for some projections at once, each in a world of its own.
async fn each(projections: &[Projection], test: impl AsyncFn(&World, Projection)) {
    let test = &test;
    join_all(projections.iter().map(|projection| world(async move |world| test(world, *projection).await))).await;
}

async fn stop_all(running: Vec<Running>) {
    for running in running {
        running.stop().await;
    }
}

// Every event comes twice, old ones come again, and streams overtake each other.

async fn twice_and_out_of_order(world: &World, guards: Guards, projection: Projection) -> Vec<String> {
    let mut people = People::come(world, 1).await;
    people.trade(world, 25).await;
    let chaos = Mutex::new((Random(2), Vec::<Envelope>::new()));
    let trial = Trial::default().guards(guards).deliver(move |batch| {
        let mut chaos = chaos.lock().unwrap();
        let (random, old) = &mut *chaos;
        let mut streams: Vec<(String, VecDeque<Envelope>)> = Vec::new();
        for event in old.iter().chain(&batch).flat_map(|event| [event.clone(), event.clone()]) {
            match streams.iter_mut().find(|(id, _)| *id == event.stream_id) {
                Some((_, events)) => events.push_back(event),
                None => streams.push((event.stream_id.clone(), VecDeque::from([event]))),
            }
        }
        *old = batch;
        let mut mixed = Vec::new();
        while !streams.is_empty() {
            let n = random.below(streams.len() as u64) as usize;
            mixed.extend(streams[n].1.pop_front());
            if streams[n].1.is_empty() {
                streams.swap_remove(n);
            }
        }
        mixed
    });
    let running = world.project_in(projection, &world.databases.on_trial(trial));
    world.settle_in(&[projection]).await;
    people.trade(world, 5).await;
    world.settle_in(&[projection]).await;
    running.stop().await;
    differing(world, projection).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_twice_and_out_of_order_change_nothing() {
    each(&Projection::ALL, async |world, projection| nothing(twice_and_out_of_order(world, Guards::default(), projection).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folding_each_event_once_is_what_keeps_them_right() {
    world(async |world| {
        something(twice_and_out_of_order(world, Guards::default().without_once(), Projection::Customer).await);
    })
    .await;
}

// A process ends between writing documents and saying how far they are, again and again.

async fn ends_within_writes(world: &World, guards: Guards, projection: Projection) -> Vec<String> {
    let mut people = People::come(world, 3).await;
    let (random, failures) = (Mutex::new(Random(4)), Arc::new(AtomicU64::new(0)));
    let failed = Arc::clone(&failures);
    let trial = Trial::default().guards(guards).fail_between(move || {
        let fails = random.lock().unwrap().below(2) == 0;
        failed.fetch_add(u64::from(fails), Ordering::Relaxed);
        fails
    });
    let running = world.project_in(projection, &world.databases.on_trial(trial));
    people.trade(world, 12).await;
    world.settle_in(&[projection]).await;
    running.stop().await;
    assert!(failures.load(Ordering::Relaxed) > 0);
    differing(world, projection).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_within_a_write_loses_and_doubles_nothing() {
    each(&Projection::ALL, async |world, projection| nothing(ends_within_writes(world, Guards::default(), projection).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saying_how_far_documents_are_before_writing_them_loses_some() {
    world(async |world| {
        something(ends_within_writes(world, Guards::default().without_positions_last(), Projection::Customer).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_nothing_half_done() {
    world(async |world| {
        let mut people = People::come(world, 5).await;
        let mut random = Random(6);
        for _ in 0..2 * rounds() {
            let running = world.project_all();
            let heads = Duration::from_millis(random.below(400));
            let killed = async {
                // At whatever step it is then.
                tokio::time::sleep(heads).await;
                for running in running {
                    running.kill().await;
                }
            };
            tokio::join!(killed, people.trade(world, 6));
        }
        let running = world.project_all();
        world.settle().await;
        stop_all(running).await;
        for projection in Projection::ALL {
            nothing(differing(world, projection).await);
        }
    })
    .await;
}

// A process falls asleep with a batch in hand, loses its partitions, and wakes up.

async fn wakes_up_late(world: &World, guards: Guards, projection: Projection) -> Vec<String> {
    let mut people = People::come(world, 7).await;
    people.trade(world, 8).await;
    // Its first batch has launches in it, however busy the machine is.
    world.sequenced().await;
    let sleep = Sleep::before_a_write();
    let drowsy = sleep.clone();
    let trial = Trial::default().guards(guards).store(move |store| Arc::new(Drowsy { store, sleep: drowsy.clone() }));
    let sleeper = world.project_in(projection, &world.databases.on_trial(trial));
    sleep.begin().await;
    let other = world.project(projection);
    // The same launches go on, so that what the sleeper has in hand is old when it wakes up.
    people.trade(world, 8).await;
    world.settle_in(&[projection]).await;
    other.stop().await;
    let positions = world.positions(projection).await;
    // It writes what it has, and ends.
    let ending = tokio::spawn(sleeper.stop());
    sleep.end();
    ending.await.unwrap();
    for (was, is) in positions.into_iter().zip(world.positions(projection).await) {
        assert!(was <= is, "no position moves back");
    }
    differing(world, projection).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_wakes_up_late_changes_nothing() {
    each(&Projection::ALL, async |world, projection| nothing(wakes_up_late(world, Guards::default(), projection).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fence_alone_keeps_an_old_batch_out_of_postgres() {
    let in_postgres = [Projection::Operations, Projection::Finance];
    let guards = Guards::default().without_newer_only();
    let fenced = each(&in_postgres, async |world, projection| nothing(wakes_up_late(world, guards, projection).await));
    let open = each(&in_postgres, async |world, projection| something(wakes_up_late(world, guards.without_fence(), projection).await));
    tokio::join!(fenced, open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_only_what_is_newer_keeps_an_old_batch_out_of_mongo() {
    let (fenced_only, newer_only) = (Guards::default().without_newer_only(), Guards::default().without_fence());
    tokio::join!(
        world(async |world| nothing(wakes_up_late(world, newer_only, Projection::Customer).await)),
        world(async |world| something(wakes_up_late(world, fenced_only, Projection::Customer).await)),
    );
}

/// A process wakes up with a stream to set aside that was cured meanwhile, `early` before another process could set it aside.
async fn sets_aside_late(world: &World, guards: Guards, projection: Projection, early: bool) -> Vec<String> {
    world.catalogue(2).await;
    poison(world, 1, 2).await;
    world.sequenced().await;
    let sleep = Sleep::before_a_write();
    let drowsy = sleep.clone();
    // One that may fail in between writes step by step.
    let trial =
        Trial::default().guards(guards).fail_between(|| false).store(move |store| Arc::new(Drowsy { store, sleep: drowsy.clone() }));
    let sleeper = world.project_in(projection, &world.databases.on_trial(trial));
    sleep.begin().await;
    if early {
        cure(world, 700).await;
    }
    let other = world.project(projection);
    world.settle_in(&[projection]).await;
    assert_eq!(steps::aside(world, projection).await == 0, early);
    steps::take_up(world, projection, 1).await;
    until("nothing is aside", async || steps::aside(world, projection).await == 0).await;
    other.stop().await;
    let ending = tokio::spawn(sleeper.stop());
    sleep.end();
    ending.await.unwrap();
    // Who opens a view passes over the streams that are set aside.
    world.book(1, 7, "2B").await;
    let last = world.project(projection);
    world.settle_in(&[projection]).await;
    last.stop().await;
    differing(world, projection).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fence_keeps_a_deposed_process_from_setting_a_cured_stream_aside() {
    let (on, off) = (Guards::default(), Guards::default().without_fence());
    let fenced = each(&Projection::ALL, async |world, projection| nothing(sets_aside_late(world, on, projection, false).await));
    let open = each(&Projection::ALL, async |world, projection| something(sets_aside_late(world, off, projection, false).await));
    // In MongoDB what is set aside is noted by itself, be there another note or not.
    let in_mongo = [Projection::Customer];
    let alone = each(&in_mongo, async |world, projection| nothing(sets_aside_late(world, on, projection, true).await));
    let open_alone = each(&in_mongo, async |world, projection| something(sets_aside_late(world, off, projection, true).await));
    tokio::join!(fenced, open, alone, open_alone);
}

// An event is missing from what is delivered.

async fn an_event_is_missing(world: &World, guards: Guards) -> Vec<String> {
    let mut people = People::come(world, 8).await;
    let (random, lost) = (Mutex::new(Random(9)), Arc::new(AtomicU64::new(0)));
    let losing = Arc::clone(&lost);
    let seen = Mutex::new(HashSet::new());
    let trial = Trial::default().guards(guards).deliver(move |mut batch| {
        let mut seen = seen.lock().unwrap();
        // The last one is never missed by itself: the next one shows the hole.
        for n in (0..batch.len().saturating_sub(1)).rev() {
            if seen.insert(batch[n].position) && random.lock().unwrap().below(4) == 0 {
                batch.remove(n);
                losing.fetch_add(1, Ordering::Relaxed);
            }
        }
        batch
    });
    people.trade(world, 10).await;
    let running = world.project_in(Projection::Customer, &world.databases.on_trial(trial));
    world.settle_in(&[Projection::Customer]).await;
    running.stop().await;
    assert!(lost.load(Ordering::Relaxed) > 0);
    differing(world, Projection::Customer).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_is_seen_and_read_again() {
    world(async |world| nothing(an_event_is_missing(world, Guards::default()).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_looking_for_holes_events_are_lost() {
    world(async |world| something(an_event_is_missing(world, Guards::default().without_holes()).await)).await;
}

// The store is put back under a projector, as a crash does that takes its last writes.

async fn put_back(world: &World, guards: Guards, projection: Projection) -> Vec<String> {
    let mut people = People::come(world, 14).await;
    let running = world.project_in(projection, &world.databases.on_trial(Trial::default().guards(guards)));
    people.trade(world, 6).await;
    world.settle_in(&[projection]).await;
    for table in ["operations.launches_v1", "operations.bookings_v1", "finance.journal_v1"] {
        sqlx::query(&format!("TRUNCATE {table}")).execute(&world.pool).await.unwrap();
    }
    let customer = world.mongo.database(&format!("{}_customer", world.name));
    customer.collection::<Document>("launches_v1").delete_many(doc! {}).await.unwrap();
    world.set_positions(0).await;
    people.trade(world, 6).await;
    world.settle_in(&[projection]).await;
    running.stop().await;
    differing(world, projection).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_notices_that_its_store_was_put_back_and_writes_all_of_it_again() {
    let (on, off) = (Guards::default(), Guards::default().without_in_turn());
    let noticed = each(&Projection::ALL, async |world, projection| nothing(put_back(world, on, projection).await));
    let not_noticed = each(&Projection::ALL, async |world, projection| something(put_back(world, off, projection).await));
    tokio::join!(noticed, not_noticed);
}

// Processes share a projection.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_projection_and_replace_each_other() {
    world(async |world| {
        let projection = Projection::Customer;
        let mut people = People::come(world, 10).await;
        let shares = async || {
            let mut shares: Vec<usize> = world.holders(projection).await.into_values().collect();
            shares.sort_unstable();
            shares
        };
        let one = world.project(projection);
        until("one has everything", async || shares().await == [16]).await;
        let two = world.project(projection);
        until("two share", async || shares().await == [8, 8]).await;
        let three = world.project(projection);
        until("three share", async || shares().await == [4, 6, 6]).await;
        people.trade(world, 8).await;
        world.settle_in(&[projection]).await;

        // Who stops gives back at once.
        three.stop().await;
        let given_back = world.holders(projection).await.into_values().sum::<usize>();
        assert!(given_back < 16);
        until("two share again", async || shares().await == [8, 8]).await;

        one.kill().await;
        let killed = Instant::now();
        people.trade(world, 1).await;
        until("the other has everything", async || shares().await == [16]).await;
        assert!(killed.elapsed() < TAKEOVER_MAX, "{:?}", killed.elapsed());
        people.trade(world, 4).await;
        world.settle_in(&[projection]).await;
        two.stop().await;
        assert!(world.holders(projection).await.is_empty());
        nothing(differing(world, projection).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_written_once_however_often_processes_come_and_go() {
    world(async |world| {
        let mut people = People::come(world, 11).await;
        let mut running = vec![world.project(Projection::Finance)];
        for _ in 0..4 * rounds() {
            running.push(world.project(Projection::Finance));
            people.trade(world, 5).await;
            running.remove(0).stop().await;
        }
        world.settle_in(&[Projection::Finance]).await;
        stop_all(running).await;
        assert!(!world.lines().await.is_empty());
        nothing(differing(world, Projection::Finance).await);
    })
    .await;
}

// People read what they have written, whatever the projectors do.

/// What somebody did and did not see, without being told that it does not show yet.
async fn unseen(world: &World, readers: &Databases) -> Vec<String> {
    let launches = launches();
    world.catalogue(launches).await;
    let (customer_views, operations_views) = (CustomerViews::new(readers), OperationsViews::new(readers));
    let stop = CancellationToken::new();
    let (mut fresh, mut stale, mut unseen) = (0, 0, Vec::new());
    let reading = async {
        for n in 0..20 * launches {
            let (on, seat) = (n % launches, n / launches);
            let seat = format!("{}{}", 1 + seat % 5, ["A", "B", "C", "D"][(seat / 5) as usize]);
            let done = world.hold(on, 1_000 + n, &seat).await.at.sequence;
            let id = launch(on).to_string();
            let shows = |page: LaunchPage| page.taken.iter().any(|taken| taken.seat.to_string() == seat);
            let (customer, operations) = tokio::join!(
                async {
                    let freshness = customer_views.wait_for("launch", &id, done).await.unwrap();
                    (freshness, customer_views.launch(&id).await.unwrap())
                },
                async {
                    let freshness = operations_views.wait_for("launch", &id, done).await.unwrap();
                    (freshness, operations_views.launch(&id).await.unwrap())
                }
            );
            for (freshness, page) in [customer, operations] {
                if freshness.is_stale() {
                    stale += 1;
                } else {
                    fresh += 1;
                    if !page.is_some_and(shows) {
                        unseen.push(format!("seat {seat} of launch {on}"));
                    }
                }
            }
        }
        stop.cancel();
    };
    let meddling = async {
        let mut running = world.project_all();
        world.settle().await;
        let mut versions = Vec::new();
        while versions.is_empty() || !stop.is_cancelled() {
            let more = world.project_all();
            for name in ["customer.launches", "operations.launches"] {
                let name: ViewName = name.parse().unwrap();
                let rebuilt = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await;
                versions.push(rebuilt.unwrap().switched);
            }
            stop_all(std::mem::replace(&mut running, more)).await;
        }
        assert!(versions.into_iter().all(|switched| switched));
        stop_all(running).await;
    };
    tokio::join!(reading, meddling);
    assert!(fresh > 100, "{fresh} fresh, {stale} stale");
    unseen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_sees_what_they_did_or_is_told_that_it_does_not_show_yet() {
    world(async |world| nothing(unseen(world, &world.databases).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_somebody_does_not_see_what_they_did() {
    let trial = Trial::default().guards(Guards::default().without_wait());
    world(async |world| something(unseen(world, &world.databases.on_trial(trial.clone())).await)).await;
}

// A rebuild falls asleep before it switches, and the view in use goes on.

/// Whether readers lost by the switch what they had seen.
async fn goes_back(world: &World, guards: Guards, projection: Projection) -> bool {
    let name = ViewName::all().find(|name| name.projection == projection).unwrap();
    let running = world.project(projection);
    world.catalogue(2).await;
    world.settle_in(&[projection]).await;
    let sleep = Sleep::before_a_switch();
    let drowsy = sleep.clone();
    let trial = Trial::default().guards(guards).store(move |store| Arc::new(Drowsy { store, sleep: drowsy.clone() }));
    let databases = world.databases.on_trial(trial);
    let rebuilding =
        tokio::spawn(
            async move { projections::rebuild(&databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap() },
        );
    sleep.has_a_switch().await;
    world.book(1, 7, "2B").await;
    world.settle_in(&[projection]).await;
    // Nobody but the rebuild can go on with the new version.
    running.stop().await;
    sleep.end();
    assert!(rebuilding.await.unwrap().switched);
    sleep.went_back()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_behind_does_not_replace_the_one_in_use() {
    let (on, off) = (Guards::default(), Guards::default().without_behind());
    let kept = each(&Projection::ALL, async |world, projection| {
        assert!(!goes_back(world, on, projection).await);
        nothing(differing(world, projection).await);
    });
    let lost = each(&Projection::ALL, async |world, projection| assert!(goes_back(world, off, projection).await));
    tokio::join!(kept, lost);
}

// An operator pauses; a server goes away.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_projection_stands_still_in_every_process_and_goes_on() {
    world(async |world| {
        let running = [world.project(Projection::Customer), world.project(Projection::Customer)];
        world.catalogue(2).await;
        world.settle_in(&[Projection::Customer]).await;
        projections::pause(&world.databases, Projection::Customer).await.unwrap();
        let before = world.positions(Projection::Customer).await;
        let done = world.hold(0, 1, "1A").await;
        world.sequenced().await;
        // Waited for as long as readers wait.
        let fresh = world.customer().wait_for("launch", &launch(0).to_string(), done.at.sequence).await.unwrap();
        assert!(fresh.is_stale());
        assert_eq!(world.customer().launch(&launch(0).to_string()).await.unwrap().unwrap().card.held, 0);
        assert_eq!(world.positions(Projection::Customer).await, before);
        let status = world.status().await;
        let view = status.iter().find(|view| view.view == "customer.launches").unwrap();
        assert!(view.paused && view.state == "paused" && view.lag_events == 1 && view.lag_ms > 0, "{view:?}");
        projections::resume(&world.databases, Projection::Customer).await.unwrap();
        until("it goes on", async || world.customer().launch(&launch(0).to_string()).await.unwrap().unwrap().card.held == 1).await;
        stop_all(running.into()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mongo_that_goes_away_makes_its_views_wait_and_nothing_is_set_aside() {
    world(async |world| {
        let url = variable("ASTRO_TEST_MONGO_URL");
        let line = Line::to(url.trim_start_matches("mongodb://").trim_end_matches('/').to_owned()).await;
        let through = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverSelectionTimeoutMS=500", line.port);
        let mongo = mongodb::Client::with_uri_str(through).await.unwrap();
        let databases = Databases::new(world.pool.clone(), &mongo, &world.name, Feed::new(world.pool.clone(), Some(world.bus.clone())));
        let running = [world.project_in(Projection::Customer, &databases), world.project(Projection::Operations)];
        let mut people = People::come(world, 12).await;
        world.settle_in(&[Projection::Customer]).await;
        line.cut();
        people.trade(world, 6).await;
        // What is in Postgres goes on meanwhile, and what cannot be asked is said so.
        world.settle_in(&[Projection::Operations]).await;
        let status = projections::status(&databases, jiff::Timestamp::now()).await.unwrap();
        let state = |name: &str| status.views.iter().find(|view| view.view == name).unwrap().state.clone();
        assert_eq!(state("operations.launches"), "live");
        assert!(state("customer.launches").starts_with("unreachable: "), "{}", state("customer.launches"));
        line.mend();
        world.settle_in(&[Projection::Customer]).await;
        stop_all(running.into()).await;
        let parked = projections::parked(&world.databases, "customer.launches".parse().unwrap()).await.unwrap();
        assert_eq!(parked, []);
        nothing(differing(world, Projection::Customer).await);
    })
    .await;
}
