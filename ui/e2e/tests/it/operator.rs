//! An operator pauses what is shown and lets it go on, makes a view anew, and goes back.

use crate::{
    browser::{Browser, Driver},
    platform::{Platform, sign_in},
};
use anyhow::Result;
use fantoccini::Locator;

async fn shows(operator: &Browser, what: &str, css: &str) -> Result<()> {
    operator.find(what, Locator::Css(css)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_paused_resumed_rebuilt_and_rolled_back() -> Result<()> {
    let platform = Platform::empty().await?;
    let driver = Driver::start().await?;
    let operator = driver.open("operator", &platform.address, platform.folder()).await?;
    sign_in(&operator, &platform, "/admin", "operator").await?;

    operator.click("Pause Customers' views").await?;
    operator.sees("Selling, paying and refunding go on").await?;
    operator.click("Pause it").await?;
    shows(&operator, "paused", "#customer .pill[data-state=delayed]").await?;
    operator.sees("until somebody resumes it").await?;
    operator.click("Resume Customers' views").await?;
    shows(&operator, "up to date", "#customer .pill[data-state=confirmed]").await?;

    operator.click("Rebuild customer.launches").await?;
    operator.sees("The whole log is folded into version 2").await?;
    operator.click("Rebuild it").await?;
    shows(&operator, "a version to go back to", "[id='back-customer.launches']:enabled").await?;
    operator.sees("version 2").await?;

    operator.click("Go back to version 1 of customer.launches").await?;
    operator.sees("is then used at once instead of version 2").await?;
    operator.click("Go back").await?;
    operator.sees("Version 1 is in use again.").await?;
    operator.close().await?;
    std::fs::remove_dir_all(platform.folder())?;
    Ok(())
}
