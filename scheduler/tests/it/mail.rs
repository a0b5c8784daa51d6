//! One mail per cause and recipient, over a real SMTP conversation; what is uncertain is not sent again by itself.

use crate::world::{Running, World, eventually, mailer, start, within};
use contract::{operations::NotificationState, page::Listing};
use domain::{launch::Command, policy::Policies, text::Line};
use jiff::SignedDuration;
use scheduler::{Mailbox, Notifications, Scheduler};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

async fn delay(world: &World, launch: domain::id::LaunchId) {
    let departs_at = world.manifest(launch).await.plan.departs_at + SignedDuration::from_hours(48);
    let reason = Line::new("The upper stage <is> late").unwrap();
    let policies = Box::new(Policies::default());
    world.put(launch, Command::Delay { departs_at, reason, neighbours: vec![], policies, now: world.now() }).await;
}

async fn sent(world: &World, count: usize) {
    eventually("all mails are sent", async || {
        let notifications = world.notifications().await;
        let sent = notifications.iter().filter(|notification| notification.state == NotificationState::Sent).count();
        (sent == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn mails_go_out_in_a_rush_that_does_not_end() {
    within(async |world| {
        let _waiting = world.feed.rush().crowd();
        let running = world.start();
        let launch = world.launch(200).await;
        world.book(launch, &["1A"], "4242 4242 4242 4242").await;
        sent(&world, 2).await;
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_mail_goes_out_once_and_none_again_on_replay() {
    within(async |world| {
        let launch = world.launch(200).await;
        let (ada, _) = world.book(launch, &["1A", "1B"], "4242 4242 4242 4242").await;
        world.book(launch, &["2A"], "4242 4242 4242 4242").await;
        delay(&world, launch).await;
        let running = world.start();
        // Each booking: its customer and the supplier. The delay: both customers.
        sent(&world, 6).await;
        // One who books after the delay is told nothing of it, on replay neither.
        world.book(launch, &["3A"], "4242 4242 4242 4242").await;
        sent(&world, 8).await;
        world.settled().await;
        running.end().await;

        let before = world.mails().await;
        assert_eq!(before.len(), 8);
        let to_ada: Vec<_> = before.iter().filter(|mail| mail.to == format!("{ada}@example.org")).collect();
        assert_eq!(to_ada.len(), 2, "nobody else is put into the copy by a name with line breaks");
        let confirmed = to_ada.iter().find(|mail| mail.subject.ends_with("are booked")).unwrap();
        assert!(confirmed.from.ends_with("@astro.example"));
        for part in ["Hello Ada", "1A, 1B", "$2,000,000", "Departs", "EDT", "UTC", "http://localhost:8080/trips/"] {
            assert!(confirmed.text.contains(part), "{part} in {}", confirmed.text);
        }
        let delayed = to_ada.iter().find(|mail| mail.subject.ends_with("departs later than planned")).unwrap();
        assert!(delayed.text.contains("The upper stage <is> late") && delayed.text.contains("full refund until"), "{}", delayed.text);

        sqlx::query("UPDATE scheduler.reactions SET position = 0").execute(&world.pool).await.unwrap();
        let running = world.start();
        world.settled().await;
        running.end().await;
        assert_eq!(world.notifications().await.len(), 8);
        assert_eq!(world.mails().await, before);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_written_about_holds_up_nothing_else() {
    within(async |world| {
        let launch = world.launch(200).await;
        for seat in ["1A", "1B"] {
            world.book(launch, &[seat], "4242 4242 4242 4242").await;
        }
        let mut about: Vec<i64> = eventually("the bookings have their positions", async || {
            let positions = sqlx::query_scalar("SELECT position FROM recorded WHERE event_type = 'booking_confirmed'");
            let positions: Vec<i64> = positions.fetch_all(&world.pool).await.unwrap();
            (positions.len() == 2).then_some(positions)
        })
        .await;
        about.insert(1, 1_000_000);
        let queue = "INSERT INTO scheduler.jobs (kind, key, work, cause, correlation, run_at) \
            SELECT 'write', p::text, json_build_object('do', 'write', 'position', p), gen_random_uuid(), gen_random_uuid(), $2 \
            FROM unnest($1::bigint[]) AS p";
        sqlx::query("INSERT INTO scheduler.reactions SELECT 'scheduler', max(position) FROM log").execute(&world.pool).await.unwrap();
        sqlx::query(queue).bind(&about).bind(nats::Moment(world.now())).execute(&world.pool).await.unwrap();
        let running = world.start();
        sent(&world, 4).await;
        let left: Vec<(i32, String)> = eventually("only that is left", async || {
            let left = sqlx::query_as("SELECT attempts, coalesce(error, '') FROM scheduler.jobs").fetch_all(&world.pool).await.unwrap();
            (left.len() == 1).then_some(left)
        })
        .await;
        assert_eq!(left, [(1, "the log has no position 1000000".to_owned())]);
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn operators_see_find_and_discard_notifications() {
    within(async |world| {
        let launch = world.launch(200).await;
        let (ada, _) = world.book(launch, &["1A"], "4242 4242 4242 4242").await;
        let port = free_port().await;
        let running = start(Scheduler { mailer: mailer(port), ..world.scheduler() });
        let waiting = eventually("the customer's mail waits", async || {
            world.notifications_like(&format!("customer:{ada}")).await.into_iter().find(|notification| !notification.error.is_empty())
        })
        .await;
        assert_eq!(waiting.template, "booking_confirmed");
        assert!(!waiting.error.contains("example.org"), "{}", waiting.error);
        eventually("it waits again", async || {
            let notification = world.notifications_like(&waiting.id).await.pop()?;
            (notification.state == NotificationState::Pending).then_some(())
        })
        .await;
        running.end().await;
        let notifications = Notifications::new(&world.mongo, world.vault.clone());
        assert!(notifications.discard(&waiting.id).await.unwrap());
        assert!(!notifications.retry(&waiting.id, world.now()).await.unwrap());
        assert!(world.notifications_like(&waiting.id).await.is_empty());
        assert!(world.notifications_like(".*").await.is_empty(), "a search is for words, not for a pattern");
    })
    .await;
}

/// A port nothing listens on.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn mailbox_on(world: &World, port: u16) -> CancellationToken {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (mailbox, stop) = (Mailbox::new(&world.mongo, world.vault.clone()), CancellationToken::new());
    let until = stop.clone();
    tokio::spawn(async move { mailbox.serve(listener, None, until).await });
    stop
}

#[tokio::test]
async fn mail_waits_while_the_mail_server_is_down() {
    within(async |world| {
        let launch = world.launch(200).await;
        world.book(launch, &["1A"], "4242 4242 4242 4242").await;
        let port = free_port().await;
        let running: Running = start(Scheduler { mailer: mailer(port), ..world.scheduler() });
        eventually("both mails were tried", async || {
            let notifications = world.notifications().await;
            let waiting =
                |n: &&contract::operations::Notification| n.state == NotificationState::Pending && n.attempts >= 1 && !n.error.is_empty();
            (notifications.iter().filter(waiting).count() == 2).then_some(())
        })
        .await;
        assert!(world.mails().await.is_empty());
        let stop = mailbox_on(&world, port).await;
        world.clock.advance(SignedDuration::from_mins(1));
        sent(&world, 2).await;
        assert_eq!(world.mails().await.len(), 2);
        running.end().await;
        stop.cancel();
    })
    .await;
}

/// A mail server that takes mails and breaks off before it says so.
async fn break_off(listener: TcpListener) {
    let mut conversations = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        conversations.spawn(take_and_break_off(BufReader::new(stream)));
    }
}

async fn take_and_break_off(mut stream: BufReader<TcpStream>) {
    let _ = stream.write_all(b"220 here\r\n").await;
    let (mut line, mut in_mail) = (String::new(), false);
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        let answer: &[u8] = match line.trim_end() {
            "." if in_mail => return,
            _ if in_mail => b"",
            "DATA" => {
                in_mail = true;
                b"354 go on\r\n"
            }
            _ => b"250 ok\r\n",
        };
        let _ = stream.write_all(answer).await;
        line.clear();
    }
}

#[tokio::test]
async fn a_mail_that_was_perhaps_sent_is_flagged_and_not_sent_again() {
    within(async |world| {
        let launch = world.launch(200).await;
        world.book(launch, &["1A"], "4242 4242 4242 4242").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let breaking = tokio::spawn(break_off(listener));
        let running = start(Scheduler { mailer: mailer(port), ..world.scheduler() });
        let uncertain = eventually("both mails are uncertain", async || {
            let notifications = world.notifications().await;
            let uncertain = notifications.iter().all(|n| n.state == NotificationState::Uncertain && n.error.contains("broke"));
            (notifications.len() == 2 && uncertain).then_some(notifications)
        })
        .await;
        breaking.abort();
        let _ = breaking.await;
        let stop = mailbox_on(&world, port).await;
        world.clock.advance(SignedDuration::from_hours(24));
        // An operator sends one of them again; the other stays as it is.
        assert!(Notifications::new(&world.mongo, world.vault.clone()).retry(&uncertain[0].id, world.now()).await.unwrap());
        sent(&world, 1).await;
        running.end().await;
        stop.cancel();
        let mails = world.mails().await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].id, uncertain[0].message_id);
    })
    .await;
}

#[tokio::test]
async fn the_mailbox_keeps_to_its_limits() {
    within(async |world| {
        let port = free_port().await;
        let stop = mailbox_on(&world, port).await;
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        let mut say = async |words: &str| {
            if !words.is_empty() {
                stream.write_all(format!("{words}\r\n").as_bytes()).await.unwrap();
            }
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            line.split(' ').next().unwrap_or_default().to_owned()
        };
        assert_eq!(say("").await, "220");
        assert_eq!(say("HELO test").await, "250");
        assert_eq!(say("DATA").await, "503");
        assert_eq!(say("MAIL FROM:a@example.org").await, "501");
        assert_eq!(say("MAIL FROM:<a@example.org> SIZE=1").await, "250");
        assert_eq!(say("RCPT TO:<b@example.org>").await, "250");
        assert_eq!(say("VRFY b").await, "502");
        assert_eq!(say("DATA").await, "354");
        let line = "x".repeat(998);
        let large = format!("Subject: large\r\n\r\n{}\r\n.", vec![line; 1_001].join("\r\n"));
        assert_eq!(say(&large).await, "552");
        assert_eq!(say("MAIL FROM:<a@example.org>").await, "250");
        assert_eq!(say("RCPT TO:<b@example.org>").await, "250");
        assert_eq!(say("DATA").await, "354");
        assert_eq!(say("Subject: =?utf-8?q?=C3=A9?=\r\nMessage-ID: <1@x>\r\n\r\n..dot\r\n.").await, "250");
        assert_eq!(say("QUIT").await, "221");
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
        let page = Mailbox::new(&world.mongo, world.vault.clone())
            .page(&Listing { search: "É".to_lowercase(), ..Listing::default() })
            .await
            .unwrap();
        assert_eq!((page.total, page.items[0].subject.as_str(), page.items[0].text.trim_end()), (1, "é", ".dot"));
        stop.cancel();
    })
    .await;
}
