//! A projector, or a rebuild, ends at each of its steps, by name, as a crash would end it; who comes after goes on.

use super::{People, differing, each, nothing};
use crate::{
    parking::{append, cure, poison, repriced},
    world::{PRICE, World, launch, until},
};
use contract::Money;
use projections::{Projection, Step, Trial, ViewName, rebuild::Differing};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

fn views(projection: Projection) -> impl Iterator<Item = ViewName> {
    ViewName::all().filter(move |name| name.projection == projection)
}

/// How many streams are set aside in the views of a projection.
pub(super) async fn aside(world: &World, projection: Projection) -> usize {
    let mut count = 0;
    for name in views(projection) {
        count += projections::parked(&world.databases, name).await.unwrap().len();
    }
    count
}

/// As if the silence of those that are gone were over; how long that takes is another test's.
async fn forget_the_dead(world: &World, projection: Projection) {
    let store = world.databases.store(projection);
    for member in store.sharing().await.unwrap().members {
        store.forget(member.id, None).await.unwrap();
    }
}

fn ended_at(step: Step, ended: JoinError) {
    assert_eq!(*ended.into_panic().downcast::<Step>().unwrap(), step);
}

/// Makes the streams of which an event could not be read whole again.
pub(super) async fn take_up(world: &World, projection: Projection, n: u128) {
    cure(world, 700).await;
    for name in views(projection).filter(|name| ["launches", "bookings", "journal"].contains(&name.view)) {
        projections::retry(&world.databases, name, "launch", &launch(n).to_string()).await.unwrap();
    }
}

/// Ends a projector when it comes to `step` for the `nth` time, with a launch `n` of its own.
async fn end_projector(world: &World, people: &mut People, projection: Projection, (step, nth): (Step, u32), n: u128) {
    people.trade(world, 3).await;
    world.schedule(n).await;
    world.hold(n, 10_000 + n, "1A 1B").await;
    let is_of_parking = matches!(step, Step::SetAside | Step::Replayed | Step::TakenUp);
    if is_of_parking {
        poison(world, n, 3).await;
        append(world, n, 4, "repriced", &repriced(600)).await;
    }
    if matches!(step, Step::Replayed | Step::TakenUp) {
        let running = world.project(projection);
        world.settle_in(&[projection]).await;
        running.stop().await;
        take_up(world, projection, n).await;
    }
    // So that the first batch holds all of it.
    world.sequenced().await;
    let (before, aside_before) = (world.positions(projection).await, aside(world, projection).await);
    let ending = world.project_in(projection, &world.databases.on_trial(Trial::default().ending_at(step, nth)));
    let mut price = PRICE;
    until(&format!("it comes to {step:?} {nth} times"), async || {
        if nth > 1 {
            // Seats would run out.
            price = price.plus(Money::dollars(1));
            world.reprice(n, price).await;
        }
        ending.task.is_finished()
    })
    .await;
    ended_at(step, ending.task.await.unwrap_err());
    if nth == 1 {
        let (moved, aside) = (world.positions(projection).await != before, aside(world, projection).await);
        let is_so = match step {
            Step::Written | Step::Told => moved,
            // What is before the bad event may have been a batch of its own.
            Step::SetAside => (aside > 0) == (projection == Projection::Customer),
            Step::Replayed => aside == aside_before && aside > 0,
            Step::TakenUp => aside < aside_before,
            _ => !moved,
        };
        assert!(is_so, "{projection}, {step:?}: moved {moved}, {aside} are aside, {aside_before} were");
    }
    forget_the_dead(world, projection).await;
    let next = world.project(projection);
    world.settle_in(&[projection]).await;
    if is_of_parking {
        take_up(world, projection, n).await;
        until("nothing is aside", async || aside(world, projection).await == 0).await;
    }
    next.stop().await;
}

/// Ends a rebuild at `step` while the view is in use.
async fn end_rebuild(world: &World, people: &mut People, name: ViewName, step: Step) {
    let store = world.databases.store(name.projection);
    let version = async || store.standings().await.unwrap()[name.view].version;
    let running = world.project(name.projection);
    people.trade(world, 2).await;
    world.settle_in(&[name.projection]).await;
    let (before, databases) = (version().await, world.databases.on_trial(Trial::default().ending_at(step, 1)));
    let ending = tokio::spawn(async move {
        let _ = projections::rebuild(&databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await;
    });
    ended_at(step, ending.await.unwrap_err());
    assert_eq!(version().await != before, matches!(step, Step::Switched | Step::SwitchHeard), "{name}, {step:?}");
    // The view goes on, in whichever version.
    people.trade(world, 2).await;
    world.settle_in(&[name.projection]).await;
    running.stop().await;
    // As if its right to rebuild had run out.
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    assert!(store.claim(name.view, None, later, None).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_or_rebuild_that_ends_at_any_of_its_steps_loses_and_doubles_nothing() {
    each(&Projection::ALL, async |world, projection| {
        let (mut people, mut n) = (People::come(world, 13).await, 50);
        for step in Step::OF_PROJECTOR {
            // Those of parking come once for each stream; of the others the second time is amid writing.
            let times = if matches!(step, Step::SetAside | Step::Replayed | Step::TakenUp | Step::Opened) { 1 } else { 2 };
            for nth in 1..=times {
                n += 1;
                end_projector(world, &mut people, projection, (step, nth), n).await;
                nothing(differing(world, projection).await);
            }
        }
        let name = views(projection).next().unwrap();
        for step in Step::OF_REBUILD {
            end_rebuild(world, &mut people, name, step).await;
            nothing(differing(world, projection).await);
        }
        // A projector that ends when it opens the version that was switched to.
        let ending = world.project_in(projection, &world.databases.on_trial(Trial::default().ending_at(Step::Opened, 2)));
        let mut position = ending.position.clone();
        position.wait_for(|position| *position > 0).await.unwrap();
        let rebuilt = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert!(rebuilt.switched);
        ended_at(Step::Opened, ending.task.await.unwrap_err());
        forget_the_dead(world, projection).await;
        people.trade(world, 3).await;
        let last = world.project(projection);
        world.settle_in(&[projection]).await;
        last.stop().await;
        nothing(differing(world, projection).await);
    })
    .await;
}
