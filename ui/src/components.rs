//! Components that all apps share. They get values and callbacks; none of them loads or navigates by itself.

mod button;
mod dialog;
mod field;
mod meter;
mod notice;
mod pager;
mod pill;
mod seat_map;
mod states;
mod theme;
mod timeline;
mod title;
mod trajectory;

pub use button::*;
pub use dialog::*;
pub use field::*;
pub use meter::*;
pub use notice::*;
pub use pager::*;
pub use pill::*;
pub use seat_map::*;
pub use states::*;
pub use theme::*;
pub use timeline::*;
pub use title::*;
pub use trajectory::*;
