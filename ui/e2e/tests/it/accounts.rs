//! Accounts in a browser: a customer sets a second factor up and signs in with it; an invited operator chooses a password and enrols; an
//! operator finds an account and disables it.

use crate::{
    browser::{Browser, Driver},
    platform::{Platform, code, sign_in},
};
use anyhow::{Context, Result};
use fantoccini::Locator;

async fn submit(browser: &Browser, form: &str) -> Result<()> {
    let button = format!("form[aria-label='{form}'] button[type=submit]");
    browser.find(form, Locator::Css(&button)).await?.click().await?;
    Ok(())
}

/// The secret that is written below the picture.
async fn secret(browser: &Browser) -> Result<String> {
    Ok(browser.find("the secret", Locator::Id("totp-secret")).await?.text().await?.replace(' ', ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_set_up_and_asked_for() -> Result<()> {
    let platform = Platform::empty().await?;
    let driver = Driver::start().await?;
    let (email, _) = platform.demo.get("customer").context("a demo customer")?;
    let ada = driver.open("ada", &platform.address, platform.folder()).await?;
    ada.open("/sign-in?next=/account").await?;
    ada.fill("E-mail", email).await?;
    ada.fill("Password", platform.password()).await?;
    submit(&ada, "Sign in").await?;
    ada.sees("Where you are signed in").await?;
    ada.sees("this one").await?;
    ada.fill_id("factor-password", "not the password").await?;
    ada.click("Set up a second factor").await?;
    ada.sees("This is not your password.").await?;
    ada.fill_id("factor-password", platform.password()).await?;
    ada.click("Set up a second factor").await?;
    ada.find("the picture", Locator::Css("img.qr[src^='data:image/svg']")).await?;
    let secret = secret(&ada).await?;
    ada.screenshot("second-factor").await?;
    ada.fill_id("totp-code", "000000").await?;
    ada.click("Turn it on").await?;
    ada.sees("The code is not the one we expect").await?;
    ada.fill_id("totp-code", &code(&secret)?).await?;
    ada.click("Turn it on").await?;
    ada.sees("Your recovery codes").await?;
    let recovery = ada.find("a recovery code", Locator::Css(".codes li")).await?.text().await?;
    ada.click("I have kept them").await?;
    ada.sees("Recovery codes left: 10").await?;
    ada.screenshot("account").await?;
    ada.open("/").await?;
    ada.click("Ada").await?;
    ada.click("Sign out").await?;
    ada.sees("Sign in").await?;

    // The code that was used is worth nothing; a recovery code opens the account once.
    ada.open("/sign-in?next=/account").await?;
    ada.fill("E-mail", email).await?;
    ada.fill("Password", platform.password()).await?;
    submit(&ada, "Sign in").await?;
    ada.fill("Code", &recovery).await?;
    submit(&ada, "Sign in").await?;
    ada.sees("Recovery codes left: 9").await?;
    ada.close().await?;
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_invited_enrol_and_are_disabled() -> Result<()> {
    const NEW: &str = "grace@example.org";
    const NEW_PASSWORD: &str = "compilers before breakfast";
    let platform = Platform::empty().await?;
    let driver = Driver::start().await?;
    let operator = driver.open("operator", &platform.address, platform.folder()).await?;
    sign_in(&operator, &platform, "/admin", "operator").await?;
    operator.open("/admin/accounts").await?;
    operator.click("Invite staff").await?;
    operator.fill_id("invite-name", "Grace Hopper").await?;
    operator.fill_id("invite-email", NEW).await?;
    operator.click("Send the invitation").await?;
    operator.sees("must say why").await?;
    operator.fill_id("invite-reason", "new at the desk").await?;
    operator.click("Send the invitation").await?;
    operator.sees("a mail with a link is on its way").await?;

    let grace = driver.open("grace", &platform.address, platform.folder()).await?;
    let reset = platform.link(&grace, NEW, "/reset#").await?;
    grace.open(&reset).await?;
    grace.fill("New password", "fourteen chars").await?;
    grace.click("Set the password").await?;
    grace.sees("15 characters").await?;
    grace.fill("New password", NEW_PASSWORD).await?;
    grace.click("Set the password").await?;
    grace.sees("The password is set").await?;
    grace.open("/employee").await?;
    grace.fill("E-mail", NEW).await?;
    grace.fill("Password", NEW_PASSWORD).await?;
    submit(&grace, "Sign in").await?;
    grace.sees("One more step").await?;
    let secret = secret(&grace).await?;
    grace.screenshot("enrol").await?;
    grace.fill_id("totp-code", &code(&secret)?).await?;
    grace.click("Turn it on").await?;
    grace.click("I have kept them").await?;
    grace.sees("Sign out").await?;
    grace.click("Your account").await?;
    grace.sees("Where you are signed in").await?;

    operator.open(&format!("/admin/accounts?search={NEW}")).await?;
    operator.find("the account", Locator::Css("tbody tr")).await?.click().await?;
    operator.click("Disable").await?;
    operator.fill_id("reason", "left the company").await?;
    operator.screenshot("accounts").await?;
    submit(&operator, "Disable").await?;
    operator.sees("its sessions have ended").await?;
    grace.open("/employee").await?;
    grace.sees("Sign in to the employee desk").await?;
    for browser in [operator, grace] {
        browser.close().await?;
    }
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}
