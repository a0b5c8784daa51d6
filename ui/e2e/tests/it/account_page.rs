//! What customers do with their own account in a browser: choose another password, end other sessions, get in again after forgetting the
//! password, take their data along, and have it erased.

use crate::{
    browser::{Browser, Driver},
    platform::{Platform, enter},
};
use anyhow::{Context, Result};
use fantoccini::Locator;

const SECOND: &str = "another one to remember";
const THIRD: &str = "this time it is written down";

/// Waits for the error beside a field.
async fn wrong(browser: &Browser, field: &str, why: &str) -> Result<()> {
    let said = browser.find(field, Locator::Id(&format!("{field}-error"))).await?.text().await?;
    assert_eq!(said, why);
    Ok(())
}

/// Opens the page of one's own account and is asked to sign in.
async fn is_out(browser: &Browser) -> Result<()> {
    browser.open("/account").await?;
    browser.sees("Please sign in").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_keeps_the_account_safe_takes_the_data_along_and_is_forgotten() -> Result<()> {
    let platform = Platform::empty().await?;
    let driver = Driver::start().await?;
    let (email, _) = platform.demo.get("customer").context("a demo customer")?;
    let open = |name| driver.open(name, &platform.address, platform.folder());
    let (ada, phone) = (open("ada").await?, open("phone").await?);
    for browser in [&phone, &ada] {
        enter(browser, email, platform.password()).await?;
        browser.sees("Where you are signed in").await?;
    }

    // One session ends another.
    ada.click("End the session of").await?;
    ada.gone("another session", Locator::Css("[aria-label^='End the session of']")).await?;
    ada.sees("this one").await?;
    is_out(&phone).await?;

    // So does another password, which needs the one there is.
    enter(&phone, email, platform.password()).await?;
    phone.sees("Where you are signed in").await?;
    ada.fill_id("current", "not the password").await?;
    ada.fill_id("new", SECOND).await?;
    ada.click("Change the password").await?;
    wrong(&ada, "current", "This is not your password.").await?;
    ada.fill_id("current", platform.password()).await?;
    ada.click("Change the password").await?;
    ada.sees("The password is changed. All other sessions have ended.").await?;
    is_out(&phone).await?;
    enter(&phone, email, platform.password()).await?;
    phone.sees("The e-mail or the password is wrong").await?;
    enter(&phone, email, SECOND).await?;
    phone.sees("Where you are signed in").await?;

    // Forgotten: the link of a mail sets a third, and ends all sessions.
    phone.open("/forgotten").await?;
    phone.fill("E-mail", email).await?;
    phone.click("Send the link").await?;
    phone.sees("a mail with a link is on its way").await?;
    let reset = platform.link(&phone, email, "/reset#").await?;
    phone.open(&reset).await?;
    phone.fill("New password", THIRD).await?;
    phone.click("Set the password").await?;
    phone.sees("The password is set").await?;
    is_out(&ada).await?;
    enter(&ada, email, THIRD).await?;
    ada.sees("Where you are signed in").await?;

    // Everything is theirs to take.
    ada.click("Download for programs (JSON)").await?;
    let export = ada.downloaded("astro-bookings.json").await?;
    assert!(export.contains(email) && export.contains("password_changed"), "{export}");
    ada.click("Download to read (HTML)").await?;
    let page = ada.downloaded("astro-bookings.html").await?;
    assert!(page.contains(email) && page.contains("Ada Lovelace"), "{page}");

    // And to have erased.
    ada.click("Erase my account").await?;
    ada.fill_id("erase-password", SECOND).await?;
    ada.click("Erase for good").await?;
    wrong(&ada, "erase-word", "Write erase to go on.").await?;
    ada.fill_id("erase-word", "erase").await?;
    ada.click("Erase for good").await?;
    wrong(&ada, "erase-password", "This is not your password.").await?;
    ada.screenshot("erase").await?;
    ada.fill_id("erase-password", THIRD).await?;
    ada.click("Erase for good").await?;
    ada.gone("the dialog", Locator::Id("erasing-panel")).await?;
    ada.sees("Sign in").await?;
    assert_eq!(ada.path().await?, "/");
    is_out(&ada).await?;
    enter(&ada, email, THIRD).await?;
    ada.sees("The e-mail or the password is wrong").await?;
    for browser in [ada, phone] {
        browser.close().await?;
    }
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}
