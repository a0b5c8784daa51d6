//! The customer app: the board, a launch, booking, trips, signing in. Its public pages are rendered on the server.

use dioxus::prelude::*;

/// Its pages.
#[derive(Routable, Clone, PartialEq, Debug)]
pub enum Route {
    /// The board.
    #[route("/")]
    Home {},
}

/// The app.
#[component]
pub fn App() -> Element {
    rsx! {
        Router::<Route> {}
    }
}

#[component]
fn Home() -> Element {
    rsx! {
        main { "" }
    }
}
