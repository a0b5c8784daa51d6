//! Accounts in a browser: a customer sets a second factor up, signs in with it and takes it away; one who is invited chooses a password and
//! enrols; an operator changes and disables the account, and finds all of that in the log and in the trail.

use crate::{
    browser::{Browser, Driver},
    platform::{Platform, code, enter, next_code, sign_in, submit},
};
use anyhow::{Context, Result};
use fantoccini::Locator;

/// The secret that is written below the picture.
async fn secret(browser: &Browser) -> Result<String> {
    Ok(browser.find("the secret", Locator::Id("totp-secret")).await?.text().await?.replace(' ', ""))
}

/// The recovery codes that are shown once; then they are put away.
async fn recovery_codes(browser: &Browser) -> Result<Vec<String>> {
    browser.sees("Your recovery codes").await?;
    let text = browser.find("the codes", Locator::Css(".codes")).await?.text().await?;
    browser.click("I have kept them").await?;
    browser.gone("the codes", Locator::Css(".codes")).await?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

async fn sign_out(ada: &Browser) -> Result<()> {
    ada.open("/").await?;
    ada.click("Ada").await?;
    ada.click("Sign out").await?;
    ada.sees("Sign in").await
}

/// Proves once more who one is, to change the second factor.
async fn prove(browser: &Browser, password: &str, code: &str) -> Result<()> {
    browser.click("New recovery codes, or take it away").await?;
    browser.fill_id("again-password", password).await?;
    browser.fill_id("again-code", code).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_set_up_asked_for_and_taken_away() -> Result<()> {
    let platform = Platform::empty().await?;
    let driver = Driver::start().await?;
    let ((email, _), password) = (platform.demo.get("customer").context("a demo customer")?, platform.password());
    let ada = driver.open("ada", &platform.address, platform.folder()).await?;
    enter(&ada, email, password).await?;
    ada.sees("Where you are signed in").await?;
    ada.sees("this one").await?;
    ada.fill_id("factor-password", "not the password").await?;
    ada.click("Set up a second factor").await?;
    ada.sees("This is not your password.").await?;
    ada.fill_id("factor-password", password).await?;
    ada.click("Set up a second factor").await?;
    ada.find("the picture", Locator::Css("img.qr[src^='data:image/svg']")).await?;
    let secret = secret(&ada).await?;
    ada.screenshot("second-factor").await?;
    ada.fill_id("totp-code", "000000").await?;
    ada.click("Turn it on").await?;
    ada.sees("The code is not the one we expect").await?;
    ada.fill_id("totp-code", &code(&secret)?).await?;
    ada.click("Turn it on").await?;
    let first = recovery_codes(&ada).await?;
    ada.sees("Recovery codes left: 10").await?;
    ada.screenshot("account").await?;
    ada.open("/account").await?;
    ada.sees("Recovery codes left: 10").await?;
    assert!(!ada.text().await?.contains(&first[0]), "shown once");

    // The next code signs in; a recovery code proves who asks for new ones, and ends the old ones.
    sign_out(&ada).await?;
    enter(&ada, email, password).await?;
    ada.fill("Code", &next_code(&secret)?).await?;
    submit(&ada, "Sign in").await?;
    ada.sees("Where you are signed in").await?;
    prove(&ada, password, &first[0]).await?;
    ada.click("Make new recovery codes").await?;
    let second = recovery_codes(&ada).await?;
    assert!(second.len() == 10 && second.iter().all(|code| !first.contains(code)));
    ada.sees("Recovery codes left: 10").await?;
    sign_out(&ada).await?;
    enter(&ada, email, password).await?;
    ada.fill("Code", &first[1]).await?;
    submit(&ada, "Sign in").await?;
    ada.sees("The code is wrong, or was used already.").await?;
    ada.fill("Code", &second[0]).await?;
    submit(&ada, "Sign in").await?;
    ada.sees("Recovery codes left: 9").await?;

    // Without it the password is enough again.
    prove(&ada, password, &second[1]).await?;
    ada.click("Take the second factor away").await?;
    ada.sees("Signing in takes your password only.").await?;
    sign_out(&ada).await?;
    enter(&ada, email, password).await?;
    ada.sees("Where you are signed in").await?;
    ada.close().await?;
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}

/// Does something to the account that is open, and says why.
async fn act(operator: &Browser, what: &str, why: &str, done: &str) -> Result<()> {
    operator.click(what).await?;
    if what == "Give another role" {
        operator.choose("next-role", "auditor").await?;
    }
    operator.fill_id("reason", why).await?;
    submit(operator, what).await?;
    operator.sees(done).await
}

/// Signs in with a password, sets a second factor up, and is in.
async fn enrol(browser: &Browser, desk: &str, email: &str, password: &str) -> Result<()> {
    browser.open(desk).await?;
    browser.fill("E-mail", email).await?;
    browser.fill("Password", password).await?;
    submit(browser, "Sign in").await?;
    browser.sees("One more step").await?;
    let secret = secret(browser).await?;
    browser.screenshot("enrol").await?;
    browser.fill_id("totp-code", &code(&secret)?).await?;
    browser.click("Turn it on").await?;
    browser.click("I have kept them").await?;
    browser.sees("Sign out").await
}

/// The trail of the account that is open has each act, and who says why.
async fn finds_the_trail(operator: &Browser) -> Result<()> {
    operator.click("Its security events").await?;
    for what in ["Staff invited", "Password reset", "Totp enrolled", "Session ended", "Totp removed", "Account disabled"] {
        operator.row(what).await?;
    }
    operator.choose("kind", "role_changed").await?;
    operator.no_row("Account disabled").await?;
    operator.row("Role changed").await?.click().await?;
    operator.sees("employee to auditor: moves to the auditors").await
}

/// The log is searched and narrowed, and followed while `other` causes lines.
async fn follows_the_log(operator: &Browser, other: &Browser) -> Result<()> {
    operator.open("/admin/logs").await?;
    operator.fill("Search", "end-sessions").await?;
    operator.sees("1 to 1 of 1 lines").await?;
    operator.row("/end-sessions: 204").await?.click().await?;
    operator.sees("http.status").await?;
    operator.click("All lines of this request").await?;
    operator.row("/end-sessions: 204").await?;
    operator.choose("level", "error").await?;
    operator.sees("No line matches").await?;

    operator.open("/admin/logs?search=password/forgotten").await?;
    operator.sees("No line matches").await?;
    operator.click("Watch live").await?;
    operator.find("the live log", Locator::Css(".live[data-state=live]")).await?;
    operator.sees("Nothing yet").await?;
    other.open("/forgotten").await?;
    other.fill("E-mail", "nobody@example.org").await?;
    other.click("Send the link").await?;
    operator.row("POST /api/core/password/forgotten: 202").await?;
    operator.click("Pause").await?;
    operator.find("the paused log", Locator::Css(".live[data-state=paused]")).await?;
    other.click("Ask again").await?;
    other.click("Send the link").await?;
    operator.click("Resume, 1 new").await?;
    operator.find("a second line", Locator::Css("tbody tr:nth-child(2)")).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_invited_enrol_change_roles_and_are_disabled() -> Result<()> {
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
    enrol(&grace, "/employee", NEW, NEW_PASSWORD).await?;
    grace.click("Your account").await?;
    grace.sees("Where you are signed in").await?;

    operator.open(&format!("/admin/accounts?search={NEW}")).await?;
    operator.row("Grace Hopper").await?.click().await?;
    act(&operator, "End all sessions", "lost her laptop", "All sessions have ended.").await?;
    grace.open("/employee").await?;
    grace.sees("Sign in to the employee desk").await?;
    act(&operator, "Give another role", "moves to the auditors", "The role is changed").await?;
    act(&operator, "Reset the second factor", "lost her phone, too", "The second factor is gone").await?;
    enrol(&grace, "/admin", NEW, NEW_PASSWORD).await?;
    grace.sees("Event history").await?;
    operator.screenshot("accounts").await?;
    act(&operator, "Disable", "left the company", "its sessions have ended").await?;
    grace.open("/admin").await?;
    grace.sees("Sign in to the admin desk").await?;

    finds_the_trail(&operator).await?;
    follows_the_log(&operator, &grace).await?;
    for browser in [operator, grace] {
        browser.close().await?;
    }
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}
