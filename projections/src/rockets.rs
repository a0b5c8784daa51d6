//! The rockets view.

use crate::{Column, Recorded, Unfit, View, words::tokens};
use contract::{SupplierId, fleet::Rocket};
use domain::{
    AnyEvent, Decider,
    rocket::{Build, Event},
};

impl View for Rocket {
    const NAME: &'static str = "rockets";
    const STREAM: &'static str = domain::rocket::Rocket::NAME;

    fn key(event: &Recorded) -> Option<String> {
        matches!(event.event, AnyEvent::Rocket(_)).then(|| event.stream_id().to_owned())
    }

    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit> {
        let AnyEvent::Rocket(happened) = &event.event else { return Err(Unfit("not an event of a rocket")) };
        match (view, happened) {
            (None, Event::Added { supplier, build, .. }) => built(event, *supplier, build),
            (Some(rocket), Event::Updated { build, .. }) => built(event, rocket.supplier, build),
            (Some(rocket), Event::Retired { .. }) => Ok(Self { retired: true, ..rocket }),
            (Some(_), Event::Added { .. }) => Err(Unfit("the rocket is already in service")),
            (None, Event::Updated { .. } | Event::Retired { .. }) => Err(Unfit("the rocket is not in service")),
        }
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        vec![
            ("supplier", Column::Text(self.supplier.to_string())),
            ("name", self.name.as_str().into()),
            ("tokens", Column::Words(tokens([self.name.as_str()]))),
        ]
    }
}

fn built(event: &Recorded, supplier: SupplierId, build: &Build) -> Result<Rocket, Unfit> {
    Ok(Rocket {
        id: event.stream_id().parse().map_err(|_| Unfit("the stream id of a rocket is a UUID"))?,
        supplier,
        name: build.name.to_string(),
        range: build.range,
        cabin: build.cabin.clone(),
        capacity: u16::try_from(build.cabin.capacity()).unwrap_or(u16::MAX),
        retired: false,
    })
}
