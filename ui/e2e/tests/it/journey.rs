//! The whole journey, by role: a customer books from the real catalogue, another sees the seats go, money and mail follow, one
//! passenger is given up, the supplier aborts, everything is refunded, and the auditor verifies the chain.

use crate::{
    browser::{Browser, Driver},
    platform::{Platform, sign_in},
};
use anyhow::{Context, Result, bail};
use fantoccini::Locator;
use std::time::{Duration, Instant};

const CUSTOMER: &str = "valentina@example.org";
const CUSTOMER_PASSWORD: &str = "over the moon and back";
/// How long what follows by itself (mail, refunds) may take.
const FOLLOW_UP: Duration = Duration::from_secs(30);
/// What the demo supplier is called.
const SUPPLIER: &str = "SpaceX";

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_is_booked_shown_paid_cancelled_aborted_refunded_and_verified() -> Result<()> {
    let platform = Platform::start().await?;
    let driver = Driver::start().await?;
    let open = |name| driver.open(name, &platform.address, platform.folder());

    // A visitor finds a launch of the real catalogue and chooses a seat; what was chosen stays so over opening an account by mail.
    let customer = open("customer").await?;
    customer.open(&format!("/?search={SUPPLIER}")).await?;
    let href = customer.find("a launch", Locator::Css("a.launch")).await?.attr("href").await?.context("an address")?;
    customer.open(&href).await?;
    customer.sees("Choose your seats").await?;
    let free = customer.attributes(".seat[data-state=free]", "id").await?;
    let (one, two) = (seat(&free, 0)?, seat(&free, 1)?);
    customer.open(&format!("/sign-up?next={href}?seats={one}")).await?;
    customer.fill("Name", "Valentina Tereshkova").await?;
    customer.fill("E-mail", CUSTOMER).await?;
    customer.fill("Password", CUSTOMER_PASSWORD).await?;
    customer.click("Open the account").await?;
    customer.sees("We have written to").await?;
    let staff = open("staff").await?;
    let confirm = platform.link(&staff, CUSTOMER, "/confirm#").await?;
    customer.open(&confirm).await?;
    customer.click("Confirm the address").await?;
    customer.sees("the address is confirmed").await?;
    customer.click("Sign in and go on").await?;
    customer.fill("E-mail", CUSTOMER).await?;
    customer.fill("Password", CUSTOMER_PASSWORD).await?;
    customer.find("the form's button", Locator::Css("form button[type=submit]")).await?.click().await?;
    customer.sees("Choose your seats").await?;
    customer.find("the seat chosen before", Locator::Css(&format!("#seat-{one}[data-state=mine]"))).await?;

    // Another looks at the same launch, signed in nowhere.
    let visitor = open("visitor").await?;
    visitor.open(&href).await?;
    visitor.sees("Choose your seats").await?;

    // Two seats are kept; the visitor sees them go.
    customer.click(&format!("{two},")).await?;
    customer.click("Keep these seats").await?;
    customer.sees("Who is flying?").await?;
    visitor.find("a held seat", Locator::Css(&format!("#seat-{one}[data-state=held]"))).await?;

    // Bad details are named beside the fields; good ones go on.
    customer.click("Go to payment").await?;
    customer.sees("Write the name as in the passport.").await?;
    passenger(&customer, &one, "Valentina Tereshkova", "2015-03-06").await?;
    passenger(&customer, &two, "Sally Ride", "1986-05-26").await?;
    customer.click("Go to payment").await?;
    customer.sees("Passengers must be 18 to 70 years old").await?;
    passenger(&customer, &one, "Valentina Tereshkova", "1987-03-06").await?;
    customer.click("Go to payment").await?;

    // A declined card, then a good one.
    pay(&customer, "4000000000000002").await?;
    customer.sees("declined").await?;
    pay(&customer, "4242424242424242").await?;
    customer.sees("You are going to space").await?;
    visitor.find("a sold seat", Locator::Css(&format!("#seat-{one}[data-state=sold]"))).await?;

    // The mail is in the mailbox.
    mail(&staff, "booked").await?;

    // One passenger stays at home, for the refund that was quoted.
    customer.click("See my trip").await?;
    customer.sees("Passengers").await?;
    customer.find("Sally Ride's seat", Locator::Css(&format!("#give-up-{two}"))).await?.click().await?;
    customer.sees("Back to your card").await?;
    customer.click("Cancel and get").await?;
    customer.sees("on the way to your card").await?;
    visitor.find("a seat free again", Locator::Css(&format!("#seat-{two}[data-state=free]"))).await?;

    // The employee sees the money, and that the journal is balanced.
    sign_in(&staff, &platform, "/employee", "employee").await?;
    staff.open("/employee/bookings").await?;
    staff.sees("Valentina Tereshkova").await?;
    staff.open("/employee/journal").await?;
    staff.sees("Customer deposits").await?;
    staff.sees("Sums to zero").await?;

    // The supplier sees the occupancy and aborts.
    let supplier = open("supplier").await?;
    sign_in(&supplier, &platform, "/supplier", "supplier").await?;
    let slug = href.trim_start_matches("/launches/").split('?').next().context("a slug")?.to_owned();
    supplier.open(&format!("/supplier/launches/{slug}")).await?;
    supplier.sees("Sold 1 of").await?;
    supplier.click("Abort the launch").await?;
    supplier.sees("Charged to you").await?;
    supplier.sees("$1,000.00").await?;
    supplier.click("Abort and refund").await?;
    supplier.sees("The launch is aborted").await?;

    // Refunds and mails follow.
    let trip = customer.path().await?;
    let deadline = Instant::now() + FOLLOW_UP;
    loop {
        customer.open(&trip).await?;
        customer.sees("Payments and refunds").await?;
        let page = customer.text().await?;
        if page.contains("the launch was aborted") && !page.contains("On its way") {
            break;
        }
        if Instant::now() > deadline {
            bail!("the refund is not paid back:\n{page}");
        }
    }
    mail(&staff, "fly").await?;
    staff.open("/employee/journal").await?;
    staff.sees("Sums to zero").await?;

    // The auditor reads what happened and verifies the chain.
    let auditor = open("auditor").await?;
    sign_in(&auditor, &platform, "/admin", "auditor").await?;
    auditor.open("/admin/history").await?;
    auditor.click("Verify the log").await?;
    auditor.sees("The chain holds").await?;

    // So does the command line.
    let verified = platform.astro(&["audit", "verify"]).await?;
    assert!(verified.contains("nothing was changed, nothing is missing"), "{verified}");
    for browser in [customer, visitor, staff, supplier, auditor] {
        browser.close().await?;
    }
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}

/// The label of the `n`th seat whose element has the id `seat-<label>`.
pub fn seat(ids: &[String], n: usize) -> Result<String> {
    Ok(ids.get(n).and_then(|id| id.strip_prefix("seat-")).context("a free seat")?.to_owned())
}

pub async fn passenger(browser: &Browser, seat: &str, name: &str, born: &str) -> Result<()> {
    for (field, value) in [("name", name), ("email", "crew@example.org"), ("phone", "+44 20 7946 0000"), ("born", born)] {
        browser.fill_id(&format!("{field}-{seat}"), value).await?;
    }
    Ok(())
}

pub async fn pay(browser: &Browser, card: &str) -> Result<()> {
    browser.fill("Number", card).await?;
    browser.fill("Valid until", "12/39").await?;
    browser.fill("Security code", "123").await?;
    browser.click("Pay $").await
}

/// Waits until the mailbox has a mail to the customer that is found by `word`.
async fn mail(browser: &Browser, word: &str) -> Result<()> {
    let deadline = Instant::now() + FOLLOW_UP;
    loop {
        browser.open(&format!("/admin/mailbox?search={word}")).await?;
        browser.sees("Look again").await?;
        let page = browser.text().await?;
        if page.contains(CUSTOMER) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("no mail to the customer that says {word:?} but:\n{page}");
        }
    }
}
