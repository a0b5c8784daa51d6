//! The employee app in the browser.

fn main() {
    ui::desk::launch::<ui::employee::Route>();
}
