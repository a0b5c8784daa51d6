//! The customer app in the browser: takes over the page that the server rendered.

fn main() {
    dioxus::LaunchBuilder::web().launch(ui::customer::App);
}
