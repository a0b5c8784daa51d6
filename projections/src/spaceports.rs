//! The spaceports view.

use crate::{Column, Recorded, Unfit, View, words::tokens};
use contract::fleet::Spaceport;
use domain::{AnyEvent, Decider, spaceport::Event};

impl View for Spaceport {
    const NAME: &'static str = "spaceports";
    const STREAM: &'static str = domain::spaceport::Spaceport::NAME;

    fn key(event: &Recorded) -> Option<String> {
        matches!(event.event, AnyEvent::Spaceport(_)).then(|| event.stream_id().to_owned())
    }

    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit> {
        let AnyEvent::Spaceport(Event::Added { place, .. }) = &event.event else { return Err(Unfit("not an event of a spaceport")) };
        if view.is_some() {
            return Err(Unfit("the spaceport is already on the map"));
        }
        Ok(Self {
            id: event.stream_id().parse().map_err(|_| Unfit("the stream id of a spaceport is a UUID"))?,
            name: place.name.to_string(),
            location: place.location.to_string(),
            zone: place.zone.to_string(),
            latitude: place.latitude,
            longitude: place.longitude,
        })
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        vec![("name", self.name.as_str().into()), ("tokens", Column::Words(tokens([self.name.as_str(), &self.location])))]
    }
}
