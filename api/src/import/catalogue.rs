//! What the files do not say: cabins by class of vehicle, places of spaceports, destinations, prices. Stated here once, for the demo.

use domain::rocket::Destination;
use sha2::{Digest, Sha256};

/// A class of vehicles: how far they go and what their cabins are, for all names that start so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    starts: &'static [&'static str],
    pub(super) range: Destination,
    pub(super) rows: u8,
    pub(super) seats_per_row: u8,
}

const fn class(range: Destination, rows: u8, seats_per_row: u8, starts: &'static [&'static str]) -> Class {
    Class { starts, range, rows, seats_per_row }
}

/// The first that fits counts, so special names come before the families they belong to.
const CLASSES: &[Class] = &[
    // Giants.
    class(Destination::Mars, 12, 4, &["Saturn V", "Energiya"]),
    class(Destination::Moon, 12, 4, &["N-1 11A52"]),
    class(Destination::Mars, 10, 4, &["Falcon Heavy"]),
    class(Destination::Mars, 8, 4, &["Delta 4H", "Chang Zheng 5"]),
    class(Destination::Station, 5, 4, &["Space Shuttle"]),
    // Sounding rockets and the like: up and down again.
    class(Destination::Suborbital, 2, 2, &["Project Pilot", "Blue Scout", "SPARTA", "SS-520", "KT-", "R-UNK", "Super Strypi"]),
    // Small orbital vehicles.
    class(
        Destination::LowEarth,
        2,
        2,
        &[
            "Scout",
            "Pegasus",
            "Vanguard",
            "Jupiter C",
            "Sputnik",
            "Lambda",
            "Diamant",
            "Black Arrow",
            "Safir",
            "Simorgh",
            "Shaviyt",
            "Unha",
            "Paektusan",
            "Kwangmyongsong",
            "Naro",
            "Electron",
            "VLS",
            "Kuaizhou",
            "Start",
            "Shtil",
            "Volna",
            "Conestoga",
            "SLV-3",
            "ASLV",
            "Falcon 1",
            "Chang Zheng 1",
            "Chang Zheng 6",
            "Chang Zheng 11",
        ],
    ),
    class(
        Destination::LowEarth,
        3,
        2,
        &["Athena", "LMLV", "LLV", "Minotaur", "Taurus", "ARPA Taurus", "Epsilon", "Vega", "Strela", "Rokot", "Dnepr", "Mu-3C", "Mu-3H"],
    ),
    class(Destination::Mars, 3, 2, &["M-V", "Mu-3S", "Mu-4S"]),
    class(Destination::Moon, 2, 3, &["Juno II", "Thor Able", "Atlas Able", "Vostok 8K72", "Vostok-L 8K72"]),
    // The family of the R-7.
    class(Destination::Mars, 4, 3, &["Molniya", "Soyuz-FG", "Soyuz-2-1B", "Soyuz-ST-B"]),
    class(Destination::Station, 4, 3, &["Soyuz", "Voskhod"]),
    class(Destination::LowEarth, 3, 3, &["Vostok"]),
    // Capsules.
    class(Destination::Station, 3, 3, &["Chang Zheng 2F", "Titan II GLV", "Saturn I", "Uprated Saturn I"]),
    // Heavy and medium vehicles.
    class(Destination::Mars, 6, 4, &["Proton", "UR-500", "Titan IIIE", "Atlas V", "Ariane 5", "GSLV Mk III"]),
    class(Destination::Moon, 7, 4, &["Falcon 9"]),
    class(Destination::Moon, 6, 4, &["H-II", "Chang Zheng 3", "Delta 4", "Titan 4", "Angara", "Commercial Titan"]),
    class(Destination::Station, 6, 4, &["Chang Zheng 7", "Antares", "Ariane 4", "Zenit", "Chang Zheng 2E"]),
    class(
        Destination::Mars,
        5,
        3,
        &["Delta 7", "PSLV", "Atlas Centaur", "Atlas SLV-3C", "Atlas SLV-3D", "Atlas Agena B", "Atlas SLV-3 Agena D"],
    ),
    class(Destination::Moon, 5, 3, &["Atlas I", "Atlas 3", "Thor Delta", "Titan 23", "Titan II SLV", "Titan III", "Delta 8"]),
    class(Destination::LowEarth, 6, 3, &["Ariane", "Chang Zheng", "Delta", "Titan", "GSLV", "H-1", "N-1", "N-2", "Europa", "Feng Bao"]),
];

/// For every vehicle no class names: a medium one that reaches low orbits.
const OTHER: Class = class(Destination::LowEarth, 4, 3, &[]);

/// The class of a vehicle type.
pub(super) fn class_of(vehicle: &str) -> Class {
    CLASSES.iter().find(|class| class.starts.iter().any(|start| vehicle.starts_with(start))).copied().unwrap_or(OTHER)
}

/// A spaceport as it is added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) location: &'static str,
    pub(super) zone: &'static str,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// The states that launch from here, with how often, compared with their other spaceports.
    states: &'static [(&'static str, usize)],
}

const fn port(
    name: &'static str,
    location: &'static str,
    zone: &'static str,
    latitude: f64,
    longitude: f64,
    states: &'static [(&'static str, usize)],
) -> Port {
    Port { name, location, zone, latitude, longitude, states }
}

/// Where the launches of each state code leave from.
const PORTS: &[Port] = &[
    port("Cape Canaveral", "Florida, United States", "America/New_York", 28.4889, -80.5778, &[("US", 5)]),
    port("Vandenberg", "California, United States", "America/Los_Angeles", 34.7420, -120.5724, &[("US", 4)]),
    port("Wallops", "Virginia, United States", "America/New_York", 37.8402, -75.4880, &[("US", 1)]),
    port("Baikonur", "Kazakhstan", "Asia/Qyzylorda", 45.9650, 63.3050, &[("SU", 5), ("RU", 5)]),
    port("Plesetsk", "Arkhangelsk, Russia", "Europe/Moscow", 62.9271, 40.5777, &[("SU", 5), ("RU", 3)]),
    port("Kapustin Yar", "Astrakhan, Russia", "Europe/Volgograd", 48.5706, 46.2544, &[("SU", 1)]),
    port("Vostochny", "Amur, Russia", "Asia/Yakutsk", 51.8840, 128.3340, &[("RU", 1)]),
    port("Jiuquan", "Gansu, China", "Asia/Shanghai", 40.9606, 100.2983, &[("CN", 1)]),
    port("Xichang", "Sichuan, China", "Asia/Shanghai", 28.2460, 102.0268, &[("CN", 1)]),
    port("Taiyuan", "Shanxi, China", "Asia/Shanghai", 38.8491, 111.6080, &[("CN", 1)]),
    port("Kourou", "French Guiana", "America/Cayenne", 5.2360, -52.7686, &[("F", 1), ("I-ESA", 1)]),
    port("Woomera", "South Australia", "Australia/Adelaide", -30.9554, 136.5322, &[("UK", 1), ("I-ELDO", 1)]),
    port("Tanegashima", "Kagoshima, Japan", "Asia/Tokyo", 30.4000, 130.9700, &[("J", 1)]),
    port("Uchinoura", "Kagoshima, Japan", "Asia/Tokyo", 31.2510, 131.0820, &[("J", 1)]),
    port("Sriharikota", "Andhra Pradesh, India", "Asia/Kolkata", 13.7199, 80.2304, &[("IN", 1)]),
    port("Palmachim", "Israel", "Asia/Jerusalem", 31.8848, 34.6802, &[("IL", 1)]),
    port("San Marco", "Malindi, Kenya", "Africa/Nairobi", -2.9383, 40.2125, &[("I", 1)]),
    port("Semnan", "Iran", "Asia/Tehran", 35.2346, 53.9210, &[("IR", 1)]),
    port("Sohae", "North Pyongan, North Korea", "Asia/Pyongyang", 39.6600, 124.7050, &[("KP", 1)]),
    port("Naro", "South Jeolla, South Korea", "Asia/Seoul", 34.4319, 127.5351, &[("KR", 1)]),
    port("Alcantara", "Maranhao, Brazil", "America/Fortaleza", -2.3730, -44.3964, &[("BR", 1)]),
    port("Odyssey platform", "Equatorial Pacific", "Pacific/Kiritimati", 0.0, -154.0, &[("CYM", 1)]),
];

/// Where a launch of this state leaves from: one of the state's spaceports, by its tag. None for a state nobody knows.
pub(super) fn port_of(state: &str, tag: &str) -> Option<&'static Port> {
    let share = |port: &Port| port.states.iter().find(|(launches, _)| *launches == state).map_or(0, |(_, share)| *share);
    let ports: Vec<&Port> = PORTS.iter().flat_map(|port| std::iter::repeat_n(port, share(port))).collect();
    let place = spread(tag, "spaceport", u64::try_from(ports.len()).ok().filter(|count| *count > 0)?);
    ports.get(usize::try_from(place).ok()?).copied()
}

/// The country a state code stands for, as an adjective would be too long a list.
pub(super) fn country_of(state: &str) -> Option<&'static str> {
    Some(match state {
        "US" => "United States",
        "SU" => "Soviet Union",
        "RU" => "Russia",
        "CN" => "China",
        "F" => "France",
        "J" => "Japan",
        "IN" => "India",
        "I-ESA" => "Europe (ESA)",
        "I-ELDO" => "Europe (ELDO)",
        "IL" => "Israel",
        "I" => "Italy",
        "IR" => "Iran",
        "KP" => "North Korea",
        "KR" => "South Korea",
        "BR" => "Brazil",
        "UK" => "United Kingdom",
        "CYM" => "Cayman Islands",
        _ => return None,
    })
}

const MOON: &[&str] = &[
    "apollo",
    "luna",
    "surveyor",
    "ranger",
    "chang'e",
    "clementine",
    "selene",
    "grail",
    "ladee",
    "zond",
    "e-1 ",
    "e-2",
    "e-3",
    "e-6",
    "e-8",
    "7k-l1",
    "able",
    "muses-a",
];
const MARS: &[&str] =
    &["mars", "viking", "mariner", "fobos", "maven", "planet-b", "pathfinder", "2mv", "3mv", "insight", "m-69", "m-71", "m-73", "venera"];
const STATION: &[&str] = &[
    "progress", "soyuz", "salyut", "mir", "dos-", "dos ", "tks", "almaz", "skylab", "zarya", "zvezda", "kvant", "dragon", "cygnus", "htv",
    "atv", "shenzhou", "tiangong", "tianzhou", "gemini", "voskhod", "spacelab", "iss",
];

/// Where a launch goes: by what its mission is called, as far as the rocket reaches. Failed launches and small rockets also offer short
/// hops above the air.
pub(super) fn destination_of(mission: &str, failed: bool, class: Class, tag: &str) -> Destination {
    let mission = mission.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| mission.starts_with(word) || mission.contains(&format!(" {word}")));
    let wish = if names(MARS) {
        Destination::Mars
    } else if names(MOON) {
        Destination::Moon
    } else if names(STATION) || class.range == Destination::Station && class.rows == 5 && spread(tag, "station", 2) == 0 {
        Destination::Station
    } else if failed && spread(tag, "hop", 3) == 0 || class.seats_per_row == 2 && spread(tag, "hop", 4) == 0 {
        Destination::Suborbital
    } else {
        Destination::LowEarth
    };
    wish.min(class.range)
}

/// The price of a seat in whole thousands of dollars, spread over the range of its destination by tag.
pub(super) fn price_of(destination: Destination, tag: &str) -> domain::Money {
    let (from, to) = match destination {
        Destination::Suborbital => (250, 750),
        Destination::LowEarth => (2_500, 12_000),
        Destination::Station => (12_000, 28_000),
        Destination::Moon => (25_000, 45_000),
        Destination::Mars => (38_000, 55_000),
    };
    let thousands = from + spread(tag, "price", to - from + 1);
    domain::Money::dollars(i64::try_from(thousands * 1_000).unwrap_or(i64::MAX))
}

/// A number below `below` that follows from the tag: the same on every day and machine.
pub(super) fn spread(tag: &str, what: &str, below: u64) -> u64 {
    let digest = Sha256::new().chain_update(tag).chain_update([0]).chain_update(what).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) % below.max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::seat::Cabin;
    use jiff::tz;
    use std::collections::BTreeSet;

    #[test]
    fn classes_are_cabins_and_vehicles_find_theirs() {
        for class in CLASSES.iter().chain([&OTHER]) {
            assert!(Cabin::new(class.rows, class.seats_per_row, BTreeSet::new()).is_ok(), "{class:?}");
        }
        assert_eq!(class_of("Saturn V").range, Destination::Mars);
        assert_eq!(class_of("N-1 11A52").range, Destination::Moon);
        assert_eq!(class_of("N-1").range, Destination::LowEarth);
        assert_eq!(class_of("Atlas V 551").range, Destination::Mars);
        assert_eq!(class_of("Falcon 9").range, Destination::Moon);
        assert_eq!(class_of("Falcon 1").range, Destination::LowEarth);
        assert_eq!(class_of("Something else"), OTHER);
    }

    #[test]
    fn ports_have_known_zones_and_every_state_has_one() {
        for port in PORTS {
            assert!(tz::db().get(port.zone).is_ok(), "{}", port.zone);
            for (state, _) in port.states {
                assert!(country_of(state).is_some(), "{state}");
            }
        }
        for state in ["US", "SU", "RU", "CN", "F", "J", "IN", "I-ESA", "I-ELDO", "IL", "I", "IR", "KP", "KR", "BR", "UK", "CYM"] {
            assert!(port_of(state, "1967-065").is_some(), "{state}");
        }
        assert_eq!(port_of("XX", "1967-065"), None);
    }

    #[test]
    fn a_mission_leads_as_far_as_the_rocket_goes() {
        let to = |vehicle: &str, mission: &str| destination_of(mission, false, class_of(vehicle), "1967-065");
        assert_eq!(to("Saturn V", "Apollo CM-107"), Destination::Moon);
        assert_eq!(to("Proton-K/D", "Mars M-73 No. 52"), Destination::Mars);
        assert_eq!(to("Soyuz-U", "Progress M-12"), Destination::Station);
        assert_eq!(to("Soyuz-U", "Zenit-6"), Destination::LowEarth);
        assert_eq!(to("Scout B", "Apollo"), Destination::LowEarth);
    }

    #[test]
    fn prices_stay_within_the_bounds_of_the_house() {
        for destination in Destination::ALL {
            for n in 0..500 {
                let price = price_of(destination, &n.to_string());
                assert!(price >= domain::Money::dollars(250_000) && price <= domain::Money::dollars(55_000_000), "{price}");
                assert_eq!(price.minor % 100_000, 0);
            }
        }
    }
}
