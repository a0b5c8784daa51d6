//! Puts a launch on sale: gathers what the rocket, the supplier and the spaceport say, takes a slug, then asks the launch.
//! Whether the launch may be scheduled is its own to decide.

use crate::{
    app::App,
    problem::{Answer, ApiError, Fields},
};
use commands::{Ask, Done, Failure, StoreError, StreamVersion};
use contract::{
    Destination, LaunchId, Line, Money, Slug, SupplierId,
    fleet::{ScheduleLaunch, Scheduled},
};
use domain::{
    Decider,
    launch::{Command, Event, Launch, Plan},
    rocket::Rocket,
    slug::{self, SlugClaim},
    spaceport::Spaceport,
    supplier::Supplier,
};
use futures::future::try_join_all;
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

/// Launches of one rocket from one place to one destination on one day that can be told apart.
const SAME_DAY_MAX: u32 = 500;
/// How many of their slugs are looked at together.
const LOOKED_AT: u32 = 50;

/// Schedules the launch. Asking again with the same command id gives the same answer.
pub async fn schedule(app: &App, supplier: SupplierId, form: ScheduleLaunch, ask: &Ask) -> Answer<(Scheduled, StreamVersion)> {
    let launch = LaunchId::derived(ask.command_id, "launch");
    let (plan, retired, day) = plan(app, supplier, form).await?;
    let policies = app.policies.now().await?;
    let neighbours = app.departures_of(plan.rocket, launch, &policies).await?;
    let now = app.clock.now();
    let name = |slug: Slug| Command::Schedule {
        plan: Box::new(Plan { slug, ..plan.clone() }),
        retired,
        neighbours: neighbours.clone(),
        policies: Box::new((*policies).clone()),
        now,
    };
    let slug = |n| Slug::of_launch(plan.rocket_name.as_str(), plan.spaceport_name.as_str(), plan.destination, day, n);
    // A launch that would be refused takes no slug; asked anyway, so that the refusal is recorded, or an earlier answer repeated.
    let slug = match Launch::default().decide(&name(slug(1))) {
        Err(_) => slug(1),
        Ok(_) => claim(app, launch, ask, slug).await?,
    };
    let Done { events, at, .. } = app.executor.execute::<Launch>(&launch, name(slug), ask).await?;
    let scheduled = events.into_iter().find_map(|event| match event {
        Event::Scheduled { plan, .. } => Some(Scheduled { id: launch, slug: plan.slug }),
        _ => None,
    });
    Ok((scheduled.ok_or_else(|| ApiError::internal(anyhow::anyhow!("scheduling launch {launch} caused no event")))?, at))
}

/// Takes the first free slug for the launch. They are looked at before one is asked for: a refusal would be recorded, each in an append.
async fn claim(app: &App, launch: LaunchId, ask: &Ask, slug: impl Fn(u32) -> Slug) -> Answer<Slug> {
    // Most often there is no other such launch.
    let mut numbers = 1..=1;
    while !numbers.is_empty() {
        let looks = numbers.clone().map(|n| {
            let slug = slug(n);
            async move {
                let ours = move |claim: &SlugClaim| [SlugClaim::Free, SlugClaim::Claimed { launch }].contains(claim);
                Ok::<_, StoreError>(app.executor.see::<SlugClaim, _>(&slug, ours).await?.then_some(slug))
            }
        });
        for slug in try_join_all(looks).await?.into_iter().flatten() {
            let step = ask.step(&format!("slug {slug}"));
            match app.executor.execute::<SlugClaim>(&slug, slug::Command::Claim { launch }, &step).await {
                Ok(_) => return Ok(slug),
                Err(Failure::Refused(slug::Refusal::Taken { .. })) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let last = *numbers.end();
        numbers = last + 1..=(last + LOOKED_AT).min(SAME_DAY_MAX);
    }
    Err(ApiError::field("departs_local", format!("has {SAME_DAY_MAX} such launches already; choose another day")))
}

async fn plan(app: &App, supplier: SupplierId, form: ScheduleLaunch) -> Answer<(Plan, bool, Date)> {
    let mut fields = Fields::default();
    let rocket = match app.executor.load::<Rocket>(&form.rocket).await?.state {
        Rocket::Active { supplier: owner, build } if owner == supplier => Some((build, false)),
        Rocket::Retired { supplier: owner, build } if owner == supplier => Some((build, true)),
        Rocket::Unknown | Rocket::Active { .. } | Rocket::Retired { .. } => None,
    };
    let rocket = fields.take("rocket", rocket.ok_or("must be one of your rockets"));
    let place = match app.executor.load::<Spaceport>(&form.spaceport).await?.state {
        Spaceport::Open { place } => Some(place),
        Spaceport::Unknown => None,
    };
    let place = fields.take("spaceport", place.ok_or("must be one of the spaceports"));
    let price = fields.take("price", form.price.parse::<Money>());
    let mission = form.mission.as_deref().map(str::trim).filter(|mission| !mission.is_empty()).map(Line::new).transpose();
    let mission = fields.take("mission", mission);
    let departs_at = place.as_ref().and_then(|place| {
        let departs_at = moment(&form.departs_local, place.zone.as_str());
        fields.take("departs_local", departs_at)
    });
    let Supplier::Active { profile } = app.executor.load::<Supplier>(&supplier).await?.state else { return Err(ApiError::not_found()) };
    let (Some((build, retired)), Some(place), Some(price), Some(mission), Some((departs_at, day))) =
        (rocket, place, price, mission, departs_at)
    else {
        return Err(fields.into_error());
    };
    let plan = Plan {
        slug: Slug::of_launch("", "", Destination::Suborbital, day, 1),
        supplier,
        supplier_name: profile.display_name,
        rocket: form.rocket,
        rocket_name: build.name,
        range: build.range,
        cabin: build.cabin,
        spaceport: form.spaceport,
        spaceport_name: place.name,
        zone: place.zone,
        latitude: place.latitude,
        longitude: place.longitude,
        destination: form.destination,
        departs_at,
        price,
        minimum_seats: form.minimum_seats,
        mission,
    };
    Ok((plan, retired, day))
}

/// The moment a date and time in `zone` names, with its day there. A time the clocks leap over or show twice names none.
pub fn moment(local: &str, zone: &str) -> Result<(Timestamp, Date), String> {
    let local: DateTime = local.trim().parse().map_err(|_| "must be a date and time such as 2028-01-02T14:20".to_owned())?;
    let place = TimeZone::get(zone).map_err(|_| format!("cannot be read in the time zone {zone}"))?;
    let ambiguous = place.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { .. } => return Err(format!("does not exist in {zone}: the clocks go forward then; choose another time")),
        AmbiguousOffset::Fold { .. } => return Err(format!("happens twice in {zone}: the clocks go back then; choose another time")),
    }
    let moment = ambiguous.unambiguous().map_err(|_| "is too far away".to_owned())?;
    Ok((moment, local.date()))
}

impl App {
    /// Other departures of the rocket that may be too close; only asked for where a policy keeps them apart.
    pub async fn departures_of(
        &self,
        rocket: contract::RocketId,
        but: LaunchId,
        policies: &domain::policy::Policies,
    ) -> Answer<Vec<Timestamp>> {
        if policies.scheduling.numbers.turnaround_days == 0 {
            return Ok(Vec::new());
        }
        Ok(self.views.operations.departures_of(rocket, Some(but)).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn local_times_are_moments_unless_the_clocks_change() {
        let (at, day) = moment("2028-01-02T14:20", "America/New_York").unwrap();
        assert_eq!((at.to_string().as_str(), day.to_string().as_str()), ("2028-01-02T19:20:00Z", "2028-01-02"));
        assert!(moment("2028-03-12T02:30", "America/New_York").unwrap_err().contains("does not exist"));
        assert!(moment("2028-11-05T01:30", "America/New_York").unwrap_err().contains("twice"));
        assert!(moment("tomorrow", "America/New_York").unwrap_err().contains("such as"));
        assert!(moment("2028-01-02T14:20", "Moon/Tranquility").unwrap_err().contains("time zone"));
    }
}
