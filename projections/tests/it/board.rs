//! The board finds what a visitor asks for, and nothing else.

use crate::world::{NOW, launch, plan, supplier, world};
use contract::{
    Destination, LaunchId,
    launch::{BoardQuery, BoardSort, LaunchCard},
};
use jiff::{SignedDuration, tz::TimeZone};

const LAUNCHES: u128 = 30;

fn ids(cards: &[LaunchCard]) -> Vec<LaunchId> {
    cards.iter().map(|card| card.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_shows_what_was_asked_for() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(LAUNCHES).await;
        world.trade().await;
        world.settle().await;
        let views = world.customer();
        let board = async |query: BoardQuery| views.board(&query, NOW).await.unwrap();
        let all: Vec<u128> = (0..LAUNCHES).filter(|n| *n != 3).collect();
        let expected = |keep: &dyn Fn(u128) -> bool| all.iter().copied().filter(|n| keep(*n)).map(launch).collect::<Vec<_>>();
        let everything = BoardQuery { per_page: 100, ..BoardQuery::default() };

        let found = board(everything.clone()).await;
        assert_eq!(ids(&found.launches.items), expected(&|_| true), "the aborted one is gone, soonest first");
        assert_eq!(found.launches.total, 29);
        assert_eq!(found.next.map(|card| card.id), Some(launch(0)));
        assert_eq!(found.destinations.iter().map(|count| count.launches).collect::<Vec<_>>(), [6, 6, 6, 5, 6]);

        let mars = board(BoardQuery { destination: Some(Destination::Mars), ..everything.clone() }).await;
        assert_eq!(ids(&mars.launches.items), expected(&|n| n % 5 == 4));
        assert_eq!((mars.launches.total, mars.destinations[0].launches), (6, 6));

        let spacex = board(BoardQuery { supplier: Some(supplier(0)), ..everything.clone() }).await;
        assert_eq!(ids(&spacex.launches.items), expected(&|n| n % 3 == 0));

        for (search, keep) in [
            ("falcon", (|n| n % 3 == 0) as fn(u128) -> bool),
            ("FALC heav", |n| n % 3 == 0),
            ("étoile", |n| n % 4 == 0),
            ("etoi atlas", |n| n % 4 == 0 && n % 3 == 2),
            ("united 551", |n| n % 3 == 2),
            ("low earth", |n| n % 5 == 1),
            ("alcon", |_| false),
            ("falcon ariane", |_| false),
            ("  ", |_| true),
            (".*", |_| true),
        ] {
            let found = board(BoardQuery { search: search.into(), ..everything.clone() }).await;
            assert_eq!(ids(&found.launches.items), expected(&keep), "{search:?}");
            assert_eq!(found.launches.total as usize, expected(&keep).len(), "{search:?}");
        }

        let (from, until) = (plan(5).departs_at, plan(9).departs_at);
        let day = |at: jiff::Timestamp| Some(at.to_zoned(TimeZone::UTC).date());
        let days = board(BoardQuery { from: day(from), until: day(until), ..everything.clone() }).await;
        assert_eq!(ids(&days.launches.items), expected(&|n| (5..=9).contains(&n)));
        let days = board(BoardQuery { from: day(from), until: day(until), search: "ariane".into(), ..everything.clone() }).await;
        assert_eq!(ids(&days.launches.items), expected(&|n| n == 7));

        let cheap = board(BoardQuery { price_max: Some(1_020_000), ..everything.clone() }).await;
        assert_eq!(ids(&cheap.launches.items), expected(&|n| n % 7 <= 2));
        let cheap = board(BoardQuery { sort: BoardSort::Price, ..everything.clone() }).await.launches.items;
        assert!(cheap.is_sorted_by_key(|card| (card.price, card.departure.at)));
        let roomy = board(BoardQuery { seats: Some(20), ..everything.clone() }).await;
        assert_eq!(ids(&roomy.launches.items), expected(&|n| n > 2));
        let roomy = board(BoardQuery { sort: BoardSort::Seats, ..everything.clone() }).await.launches.items;
        assert!(roomy.is_sorted_by_key(|card| (std::cmp::Reverse(card.left()), card.departure.at)));

        let second = board(BoardQuery { page: 2, per_page: 10, ..BoardQuery::default() }).await.launches;
        assert_eq!(ids(&second.items), &expected(&|_| true)[10..20]);
        assert_eq!((second.total, second.page, second.per_page, second.pages()), (29, 2, 10, 3));
        let beyond = board(BoardQuery { page: u32::MAX, per_page: 0, price_max: Some(u64::MAX), ..BoardQuery::default() }).await.launches;
        assert_eq!((beyond.items.len(), beyond.total, beyond.per_page), (0, 29, 1));

        // Once departed, a launch is not on the board.
        let later = views.board(&everything, plan(10).departs_at + SignedDuration::from_secs(1)).await.unwrap();
        assert_eq!(ids(&later.launches.items), expected(&|n| n > 10));

        let by_slug = views.launch(plan(7).slug.as_str()).await.unwrap().unwrap();
        assert_eq!(Some(&by_slug), views.launch(&launch(7).to_string()).await.unwrap().as_ref());
        assert_eq!((by_slug.card.id, views.launch("no-such-launch").await.unwrap()), (launch(7), None));
        let some = views.launches_by_ids(&[launch(1), launch(2), launch(99)]).await.unwrap();
        assert_eq!(some.len(), 2);
        let names: Vec<String> = views.suppliers().await.unwrap().into_iter().map(|supplier| supplier.name).collect();
        assert_eq!(names, ["Arianespace", "SpaceX", "United Launch Alliance"]);
        assert_eq!(
            (views.spaceports().await.unwrap().len(), views.rocket(crate::world::rocket(1)).await.unwrap().unwrap().capacity),
            (1, 20)
        );
        for running in running {
            running.stop().await;
        }
    })
    .await;
}
