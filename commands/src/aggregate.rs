//! Lets cqrs-es run any [`domain::Decider`], so that the domain needs no async and no framework. The only file that names it:
//! its test framework and repository read our deciders and our table; its stores and snapshots are not used.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use domain::{Decider, Named};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// The state of a decider, as cqrs-es knows it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decided<D>(pub D);

/// An event of a decider, as cqrs-es knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recorded<E>(pub E);

impl<E> DomainEvent for Recorded<E>
where
    E: Named + Serialize + DeserializeOwned + Clone + PartialEq + Debug + Send + Sync,
{
    fn event_type(&self) -> String {
        self.0.name().to_owned()
    }
    fn event_version(&self) -> String {
        self.0.version().to_string()
    }
}

impl<D: Decider> Aggregate for Decided<D> {
    const TYPE: &'static str = D::NAME;
    type Command = D::Command;
    type Event = Recorded<D::Event>;
    type Error = D::Refusal;
    type Services = ();

    async fn handle(&mut self, command: D::Command, (): &(), sink: &EventSink<Self>) -> Result<(), D::Refusal> {
        for event in self.0.decide(&command)? {
            sink.write(Recorded(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, Recorded(event): Recorded<D::Event>) {
        self.0 = std::mem::take(&mut self.0).evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cqrs_es::{CqrsFramework, EventStore, mem_store::MemStore, test::TestFramework};
    use domain::{id::LaunchId, slug};
    use uuid::Uuid;

    fn launch(n: u128) -> LaunchId {
        LaunchId(Uuid::from_u128(n))
    }

    #[test]
    fn the_test_framework_gives_whens_and_thens_a_decider() {
        let claimed = Recorded(slug::Event::Claimed { launch: launch(1) });
        TestFramework::<Decided<slug::SlugClaim>>::with(())
            .given_no_previous_events()
            .when(slug::Command::Claim { launch: launch(1) })
            .then_expect_events(vec![claimed.clone()]);
        TestFramework::<Decided<slug::SlugClaim>>::with(())
            .given(vec![claimed])
            .when(slug::Command::Claim { launch: launch(2) })
            .then_expect_error(slug::Refusal::Taken { by: launch(1) });
    }

    #[tokio::test]
    async fn the_framework_runs_a_decider() {
        let store = MemStore::<Decided<slug::SlugClaim>>::default();
        let cqrs = CqrsFramework::new(store.clone(), vec![], ());
        cqrs.execute("s", slug::Command::Claim { launch: launch(1) }).await.unwrap();
        let stored = store.load_events("s").await.unwrap();
        assert_eq!(stored.len(), 1);
        assert_eq!((stored[0].payload.event_type(), stored[0].payload.event_version()), ("claimed".to_owned(), "1".to_owned()));
        let again = cqrs.execute("s", slug::Command::Claim { launch: launch(2) }).await;
        assert!(matches!(again, Err(cqrs_es::AggregateError::UserError(slug::Refusal::Taken { .. }))));
    }
}
