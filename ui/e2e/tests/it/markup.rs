//! Markup in what people type stays text wherever others read it: in the customers' pages, at every desk and in the mailbox.

use crate::{
    browser::{Browser, Driver},
    journey::{passenger, pay, seat},
    platform::{Platform, enter, sign_in},
};
use anyhow::{Context, Result};
use fantoccini::Locator;
use serde_json::{Value, json};

/// The name of a customer, of a passenger and of a mission.
const NAME: &str = "<img src=x onerror=document.title='owned'>";
const CUSTOMER: &str = "markup@example.org";
const PASSWORD: &str = "angle brackets everywhere";

/// How many elements were made of the name, and whether one of them ran.
async fn made(browser: &Browser) -> Result<Value> {
    browser.evaluate("[document.querySelectorAll('[onerror], img[src=x]').length, document.title === 'owned']").await
}

/// Sees the name as it was typed, and nothing that was made of it.
async fn reads(browser: &Browser) -> Result<()> {
    browser.sees(NAME).await?;
    assert_eq!(made(browser).await?, json!([0, false]));
    Ok(())
}

/// The control: let in by a script of the test, it is found, and the policy keeps it from running.
async fn finds_what_is_let_in(browser: &Browser) -> Result<()> {
    let insert = format!("document.body.insertAdjacentHTML('beforeend', {})", json!(NAME));
    let tell = "document.body.lastElementChild.addEventListener('error', event => event.target.dataset.failed = 'yes')";
    browser.evaluate(&format!("({insert}, {tell}, 0)")).await?;
    browser.find("html of the name", Locator::Css("[onerror][data-failed=yes]")).await?;
    assert_eq!(made(browser).await?, json!([1, false]));
    Ok(())
}

/// The same in the row that is opened beside its list.
async fn opens(browser: &Browser) -> Result<()> {
    reads(browser).await?;
    browser.row("").await?.click().await?;
    let detail = format!("//*[@id='detail'][contains(.,\"{NAME}\")]");
    browser.find("the name beside the list", Locator::XPath(&detail)).await?;
    reads(browser).await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_markup_are_read_as_text_everywhere() -> Result<()> {
    let platform = Platform::small().await?;
    let driver = Driver::start().await?;
    let open = |name| driver.open(name, &platform.address, platform.folder());

    // A supplier puts a launch on sale.
    let supplier = open("supplier").await?;
    sign_in(&supplier, &platform, "/supplier", "supplier").await?;
    supplier.open("/supplier/schedule").await?;
    supplier.fill_id("price", "250,000").await?;
    supplier.fill_id("minimum_seats", "1").await?;
    supplier.fill_id("mission", NAME).await?;
    supplier.click("Put it on sale").await?;
    supplier.sees("Choose a date and a time.").await?;
    supplier.fill_id("departs_local", "2031-06-15T12:00").await?;
    supplier.click("Put it on sale").await?;
    supplier.sees("No bookings yet").await?;
    reads(&supplier).await?;
    let desk = supplier.path().await?;
    let slug = desk.strip_prefix("/supplier/launches/").context("a launch")?;

    // A customer opens an account and books.
    let customer = open("customer").await?;
    customer.open("/sign-up").await?;
    customer.fill("Name", NAME).await?;
    customer.fill("E-mail", CUSTOMER).await?;
    customer.fill("Password", PASSWORD).await?;
    customer.click("Open the account").await?;
    customer.sees("We have written to").await?;
    let confirm = platform.link(&customer, CUSTOMER, "/confirm#").await?;
    customer.open(&confirm).await?;
    customer.click("Confirm the address").await?;
    customer.sees("the address is confirmed").await?;
    enter(&customer, CUSTOMER, PASSWORD).await?;
    reads(&customer).await?;
    customer.open("/").await?;
    reads(&customer).await?;
    customer.open(&format!("/launches/{slug}")).await?;
    reads(&customer).await?;
    let free = seat(&customer.attributes(".seat[data-state=free]", "id").await?, 0)?;
    customer.click(&format!("{free},")).await?;
    customer.click("Keep these seats").await?;
    customer.sees("Who is flying?").await?;
    passenger(&customer, &free, NAME, "1987-03-06").await?;
    customer.click("Go to payment").await?;
    pay(&customer, "4242424242424242").await?;
    customer.sees("You are going to space").await?;
    customer.click("See my trip").await?;
    customer.sees("Passengers").await?;
    reads(&customer).await?;

    // Whoever works with it reads it.
    supplier.open(&desk).await?;
    supplier.row(&format!("{NAME} (")).await?;
    reads(&supplier).await?;
    supplier.open("/supplier/launches").await?;
    reads(&supplier).await?;
    let employee = open("employee").await?;
    sign_in(&employee, &platform, "/employee", "employee").await?;
    reads(&employee).await?;
    employee.open("/employee/bookings").await?;
    opens(&employee).await?;
    employee.open(&format!("/employee/launches?open={slug}")).await?;
    reads(&employee).await?;
    let operator = open("operator").await?;
    sign_in(&operator, &platform, "/admin", "operator").await?;
    operator.open(&format!("/admin/accounts?search={CUSTOMER}")).await?;
    opens(&operator).await?;
    operator.open("/admin/mailbox?search=img").await?;
    operator.row(CUSTOMER).await?.click().await?;
    reads(&operator).await?;
    finds_what_is_let_in(&operator).await?;
    for browser in [supplier, customer, employee, operator] {
        browser.close().await?;
    }
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}
