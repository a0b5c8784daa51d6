//! What suppliers and employees see.

use crate::world::{NOW, blind, booking, customer, launch, plan, rocket, supplier, world};
use contract::{Listing, Money, Status, booking::BookingStatus};
use domain::launch::{self as launches, Launch};
use jiff::SignedDuration;
use projections::{BookingQuery, JournalQuery, LaunchQuery};

fn search(words: &str) -> Listing {
    Listing { search: words.into(), ..Listing::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_desks_show_launches_bookings_and_money() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(12).await;
        world.trade().await;
        world.settle().await;
        let (operations, finance) = (world.operations(), world.finance());

        let own = LaunchQuery { supplier: Some(supplier(0)), ..LaunchQuery::default() };
        let found = operations.launches(&own, NOW).await.unwrap();
        assert_eq!(found.items.iter().map(|card| card.id).collect::<Vec<_>>(), [0, 3, 6, 9].map(launch));
        let aborted = LaunchQuery { status: Some(Status::Aborted), ..own.clone() };
        assert_eq!(operations.launches(&aborted, NOW).await.unwrap().total, 1);
        let atlas = LaunchQuery { listing: search("atl cape"), ..LaunchQuery::default() };
        assert_eq!(operations.launches(&atlas, NOW).await.unwrap().total, 4);
        // Departed ones come last, the latest first.
        let later = operations.launches(&own, plan(3).departs_at).await.unwrap();
        assert_eq!(later.items.iter().map(|card| card.id).collect::<Vec<_>>(), [6, 9, 3, 0].map(launch));
        assert_eq!(operations.departures_of(rocket(0), Some(launch(0))).await.unwrap(), [plan(6).departs_at, plan(9).departs_at]);

        let bookings = async |query: BookingQuery| {
            let page = operations.bookings(&query, &blind, &[]).await.unwrap();
            assert_eq!(page.total as usize, page.items.len());
            let mut ids: Vec<_> = page.items.iter().map(|row| row.booking).collect();
            ids.sort();
            ids
        };
        let all = BookingQuery::default();
        assert_eq!(bookings(all.clone()).await, [1, 2, 3, 4, 5].map(booking));
        assert_eq!(bookings(BookingQuery { supplier: Some(supplier(0)), ..all.clone() }).await, [1, 2].map(booking));
        assert_eq!(bookings(BookingQuery { launch: Some(launch(1)), ..all.clone() }).await, [3, 4].map(booking));
        let status = |status| BookingQuery { status: Some(status), ..BookingQuery::default() };
        assert_eq!(bookings(status(BookingStatus::Held)).await, [4].map(booking));
        assert_eq!(bookings(status(BookingStatus::Cancelled)).await, [2].map(booking));
        assert_eq!(bookings(status(BookingStatus::Flown)).await, []);
        let listed = |words: &str| BookingQuery { listing: search(words), ..BookingQuery::default() };
        assert_eq!(bookings(listed("lovelace ariane")).await, [3].map(booking));
        assert_eq!(bookings(listed("love ariane")).await, [], "names are found whole");
        assert_eq!(bookings(listed("Ada@Example.org")).await.len(), 4, "all but the one who is not named yet");
        assert_eq!(bookings(listed("nobody")).await, []);
        assert_eq!(bookings(listed("~")).await.len(), 5);
        // Whoever is gone is found by the launch and the reference, not by name.
        let mut found = operations.found_by_passengers("lovelace", &blind).await.unwrap();
        found.sort();
        assert_eq!(found, [1, 2, 3, 5].map(customer));
        let without = async |words: &str| operations.bookings(&listed(words), &blind, &[customer(3)]).await.unwrap().total;
        assert_eq!((without("lovelace").await, without("lovelace ariane").await, without("ada@example.org").await), (3, 0, 3));
        assert_eq!((without("ariane").await, without(&booking(3).reference()).await), (2, 1));
        let reference = booking(5).reference();
        assert_eq!(bookings(listed(&reference.to_lowercase())).await, [5].map(booking));

        let hits = operations.streams(&reference).await.unwrap();
        assert_eq!((hits.len(), hits[0].stream_id.clone()), (1, launch(2).to_string()));
        assert_eq!(operations.streams(&booking(5).to_string()).await.unwrap(), hits);
        assert_eq!(operations.streams("falcon").await.unwrap().len(), 4);
        assert_eq!(operations.streams(&supplier(1).to_string()).await.unwrap()[0].title, "Arianespace");
        assert_eq!(operations.streams("'); DROP TABLE launches --").await.unwrap(), []);

        let (two, fee) = (Money::dollars(2_000_000), Money::dollars(1_000));
        let refund = Money::dollars(900_000);
        let revenue = finance.revenue_by_launch(&Listing::default()).await.unwrap();
        let nets: Vec<_> = revenue.items.iter().map(|launch| (launch.launch, launch.net, launch.sold)).collect();
        let first = (launch(0), two.plus(Money::dollars(1_000_000)).minus(refund), 2);
        assert_eq!(nets, [first, (launch(2), Money::dollars(2_040_000), 2), (launch(1), Money::dollars(1_010_000), 1)]);
        assert_eq!(finance.revenue_by_launch(&search("ariane")).await.unwrap().total, 4, "also those without money");
        let suppliers = finance.revenue_by_supplier().await.unwrap();
        assert_eq!(suppliers.iter().map(|supplier| supplier.supplier).collect::<Vec<_>>(), [supplier(0), supplier(2), supplier(1)]);
        assert_eq!((suppliers[0].fees, suppliers[0].refunded, suppliers[0].launches), (fee, refund, 1));

        let journal = finance.journal(&JournalQuery { booking: Some(booking(2)), ..JournalQuery::default() }).await.unwrap();
        assert_eq!((journal.lines.total, journal.sum), (6, Money::ZERO));
        let balances: Vec<(&str, i64)> = journal.balances.iter().map(|balance| (balance.account.as_str(), balance.balance.minor)).collect();
        assert_eq!(balances, [("cash", 10_000_000), ("customer_deposits", -10_000_000), ("refunds_payable", 0)]);
        assert_eq!(finance.journal(&JournalQuery { launch: Some(launch(3)), ..JournalQuery::default() }).await.unwrap().lines.total, 2);

        let summary = operations.supplier_summary(supplier(0), &finance, NOW).await.unwrap().unwrap();
        assert_eq!((summary.open_launches, summary.sold, summary.capacity, summary.next_departure), (3, 2, 60, Some(plan(0).departs_at)));
        assert_eq!(summary.net_revenue, nets[0].1);
        assert!(operations.supplier_summary(supplier(9), &finance, NOW).await.unwrap().is_none());

        let (today, latest) = operations.today(&finance, NOW).await.unwrap();
        assert_eq!((today.bookings, today.seats, today.held, latest.len()), (3, 5, 1, 5));
        assert_eq!(
            (today.captured_today, today.captured, today.refunded),
            (today.captured, finance.totals().await.unwrap().captured, refund)
        );
        assert_eq!((today.by_month.len(), today.by_month[11].month.as_str()), (12, "2026-01"));
        assert_eq!(today.by_month[11].net, today.captured.minus(refund));
        let (tomorrow, _) = operations.today(&finance, NOW + SignedDuration::from_hours(24)).await.unwrap();
        assert_eq!(tomorrow.captured_today, Money::ZERO);

        // A launch that flew flies its bookings.
        world.book(2, 6, "4A").await;
        let flown = launches::Command::MarkLaunched { now: plan(2).departs_at };
        world.execute::<Launch>(&launch(2), flown).await;
        world.settle().await;
        assert_eq!(bookings(status(BookingStatus::Flown)).await, [5, 6].map(booking));
        assert_eq!(bookings(status(BookingStatus::Confirmed)).await, [1, 3].map(booking));
        assert_eq!(operations.trip(booking(6)).await.unwrap().unwrap().shown.booking.status, BookingStatus::Flown);
        assert_eq!(operations.rockets(supplier(1)).await.unwrap().len(), 1);
        assert_eq!((operations.suppliers().await.unwrap().len(), operations.spaceports().await.unwrap().len()), (3, 1));
        for running in running {
            running.stop().await;
        }
    })
    .await;
}
