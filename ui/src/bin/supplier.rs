//! The supplier app in the browser.

fn main() {
    ui::desk::launch::<ui::supplier::Route>();
}
