//! Puts the commands of the import, with ids that are the same each time, so that a run that broke off can be run again.

use super::{ImportError, NAMESPACE, row::Flight};
use commands::{Ask, Executor, Failure, ask::digest};
use domain::{
    Actor, Decider,
    id::{LaunchId, RocketId, SpaceportId, SupplierId},
    launch::{self, Launch, Plan},
    policy::Policies,
    rocket::{self, Build, Rocket},
    slug::{self, Slug, SlugClaim},
    spaceport::{self, Place, Spaceport},
    supplier::{self, Profile, Supplier},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many commands are on their way at once.
pub(super) const IN_FLIGHT_MAX: usize = 256;
/// How many launches may share a day, vehicle, spaceport and destination.
const SLUGS_MAX: u32 = 200;
/// How long one command is tried while the store is busy or away.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a launch.
pub(super) enum Outcome {
    Scheduled,
    AlreadyThere,
    Refused(String),
}

/// Puts commands, with ids that are the same each time.
pub(super) struct Put<'a> {
    pub(super) executor: &'a Executor,
    pub(super) policies: Policies,
    pub(super) now: Timestamp,
}

impl Put<'_> {
    pub(super) async fn all(&self, puts: impl Iterator<Item = impl Future<Output = Result<(), ImportError>>>) -> Result<(), ImportError> {
        let outcomes: Vec<Result<(), ImportError>> = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX).collect().await;
        outcomes.into_iter().collect()
    }

    /// Executes, waiting while the store is busy or away. The outer failure is the store's, the inner the rules'.
    async fn execute<D: Decider>(&self, id: &D::Id, command: D::Command, name: &str) -> Result<Result<(), D::Refusal>, ImportError> {
        let command_id = Uuid::new_v5(&NAMESPACE, format!("{}:{id}:{name}", D::NAME).as_bytes());
        let ask = Ask::new(command_id, Actor::Import, digest(&[b"import", D::NAME.as_bytes(), name.as_bytes()]));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (wait, why) = match self.executor.execute::<D>(id, command.clone(), &ask).await {
                Ok(_) => return Ok(Ok(())),
                Err(Failure::Refused(refusal)) => return Ok(Err(refusal)),
                Err(Failure::KeyReused) => {
                    return Err(ImportError::Store(format!("the command {name} of {} {id} was used for something else", D::NAME)));
                }
                Err(Failure::Busy { retry_after }) => (retry_after, "busy".to_owned()),
                Err(Failure::Unavailable(why)) => (Duration::from_millis(500), why),
            };
            if Instant::now() + wait > deadline {
                return Err(ImportError::Store(why));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// What is there already stays as it is: people may have changed it since.
    pub(super) async fn supplier(&self, id: SupplierId, profile: &Profile) -> Result<(), ImportError> {
        let command = supplier::Command::Register { profile: profile.clone(), now: self.now };
        match self.execute::<Supplier>(&id, command, "register").await? {
            Ok(()) | Err(supplier::Refusal::AlreadyRegistered) => Ok(()),
            Err(refusal) => Err(ImportError::Store(format!("supplier {}: {refusal}", profile.display_name))),
        }
    }

    pub(super) async fn spaceport(&self, id: SpaceportId, place: &Place) -> Result<(), ImportError> {
        let command = spaceport::Command::Add { place: place.clone(), now: self.now };
        match self.execute::<Spaceport>(&id, command, "add").await? {
            Ok(()) | Err(spaceport::Refusal::AlreadyAdded) => Ok(()),
            Err(refusal) => Err(ImportError::Store(format!("spaceport {}: {refusal}", place.name))),
        }
    }

    pub(super) async fn rocket(&self, id: RocketId, supplier: SupplierId, build: &Build) -> Result<(), ImportError> {
        let command = rocket::Command::Add { supplier, build: build.clone(), now: self.now };
        match self.execute::<Rocket>(&id, command, "add").await? {
            Ok(()) | Err(rocket::Refusal::AlreadyAdded) => Ok(()),
            Err(refusal) => Err(ImportError::Store(format!("rocket {}: {refusal}", build.name))),
        }
    }

    pub(super) async fn flight(&self, flight: &Flight) -> Result<Outcome, ImportError> {
        let mut plan = flight.plan.clone();
        let id = flight.launch;
        let known = self.executor.load::<Launch>(&id).await.map_err(|error| ImportError::Store(error.to_string()))?;
        if known.state.status().is_some() {
            return Ok(Outcome::AlreadyThere);
        }
        match self.claim(id, flight).await? {
            Some(slug) => plan.slug = slug,
            None => return Ok(Outcome::Refused(format!("{SLUGS_MAX} launches share the address {}", plan.slug))),
        }
        // The day is part of the command's name: what was refused on one day may be right on another.
        let name = format!("schedule:{}", plan.departs_at);
        let command = launch::Command::Schedule {
            plan: Box::new(plan),
            retired: false,
            neighbours: vec![],
            policies: Box::new(self.policies.clone()),
            now: self.now,
        };
        Ok(match self.execute::<Launch>(&id, command, &name).await? {
            Ok(()) => Outcome::Scheduled,
            Err(launch::Refusal::AlreadyScheduled) => Outcome::AlreadyThere,
            Err(refusal) => Outcome::Refused(refusal.to_string()),
        })
    }

    /// The first free slug, counted up from the launch's place among those of the file that would share it.
    async fn claim(&self, launch: LaunchId, flight: &Flight) -> Result<Option<Slug>, ImportError> {
        let Plan { rocket_name, spaceport_name, destination, .. } = &flight.plan;
        for n in flight.nth..flight.nth + SLUGS_MAX {
            let slug = Slug::of_launch(rocket_name.as_str(), spaceport_name.as_str(), *destination, flight.day, n);
            match self.execute::<SlugClaim>(&slug, slug::Command::Claim { launch }, &format!("claim:{launch}")).await? {
                Ok(()) => return Ok(Some(slug)),
                Err(slug::Refusal::Taken { .. }) => {}
            }
        }
        Ok(None)
    }
}
