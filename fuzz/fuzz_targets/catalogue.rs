//! Whatever a catalogue file holds, each of its rows is taken or refused with a reason, and no refusal is a formula to a spreadsheet.
#![no_main]

use api::import;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const AGENCIES: &str = "agency,count,ucode,state_code,type,class,tstart,tstop,short_name,name,location,longitude,latitude,error,parent,short_english_name,english_name,unicode_name,agency_type\n";
const LAUNCHES: &str = "tag,JD,launch_date,launch_year,type,variant,mission,agency,state_code,category,agency_type\n";

fuzz_target!(|bytes: &[u8]| {
    let (agencies, launches) = bytes.split_at(bytes.len() / 2);
    let whole = |head: &str, rows: &[u8]| [head.as_bytes(), rows].concat();
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a time");
    // The files themselves, and rows under the right head.
    let _ = import::look_through(bytes, bytes, now);
    if let Ok(refused) = import::look_through(&whole(AGENCIES, agencies), &whole(LAUNCHES, launches), now) {
        assert!(refused.iter().all(|row| !row.reason.is_empty() && row.line > 1));
    }
});
