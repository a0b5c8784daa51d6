//! The admin app in the browser.

fn main() {
    ui::desk::launch::<ui::admin::Route>();
}
