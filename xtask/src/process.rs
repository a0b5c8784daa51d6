//! Programs that run to an end: with a log, a last word when they fail, and a stop on Ctrl-C. Long-running ones are in `server`.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::signals;

/// How many lines of a log are shown when something failed.
pub(crate) const LAST_WORDS: usize = 20;
/// How long a program has to go when it is told to, before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long output may still come after the program ended (a daemon it left behind may hold the pipe open).
const DRAIN: Duration = Duration::from_secs(1);
/// No more than this many bytes from a log's end are read to find its last lines.
const TAIL_BYTES: u64 = 64 * 1024;

/// Runs a program, its output into `log` (and each line to `on_line`); fails with its last lines.
pub(crate) fn run(mut command: Command, log: &Path, mut on_line: impl FnMut(&str)) -> Result<()> {
    let name = describe(&command);
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    }
    let mut file = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    drop(command); // its copy of the pipe's writing end
    let (sender, lines) = channel::<String>();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(|line| line.ok()) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let _ = writeln!(file, "{line}");
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let status = wait(&mut child, || {
        for line in lines.try_iter() {
            on_line(&line);
        }
    })?;
    while let Ok(line) = lines.recv_timeout(DRAIN) {
        on_line(&line);
    }
    if !status.success() {
        bail!("{name} failed ({status}). The last lines of {}:\n{}", log.display(), tail(log));
    }
    Ok(())
}

/// Runs a program whose output the person sees as it is.
pub(crate) fn run_visibly(mut command: Command) -> Result<ExitStatus> {
    let name = describe(&command);
    command.stdin(Stdio::null()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    wait(&mut child, || {})
}

/// Runs a short program and returns what it printed; fails with what it complained of.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("{name} failed ({}): {}", out.status, last_lines(&said, LAST_WORDS));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Waits for the end of a process group; on Ctrl-C ends it and fails with `Interrupted`.
fn wait(child: &mut Child, mut meanwhile: impl FnMut()) -> Result<ExitStatus> {
    loop {
        meanwhile();
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if signals::interrupted() {
            signals::send_group(child.id(), Signal::SIGTERM);
            if !signals::wait_until(GRACE, || !matches!(child.try_wait(), Ok(None))) {
                signals::send_group(child.id(), Signal::SIGKILL);
                let _ = child.wait();
            }
            signals::check()?;
        }
        std::thread::sleep(signals::POLL);
    }
}

/// `cargo build -p api`: the program and its first words, never the environment, which holds passwords.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for arg in command.get_args().take(4) {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// The last lines of a log file.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().map_or_else(|error| format!("({error})"), |text| last_lines(&text, LAST_WORDS))
}

fn last_lines(text: &str, count: usize) -> String {
    let mut last = VecDeque::with_capacity(count);
    for line in text.lines() {
        if last.len() == count {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into_iter().map(|line| format!("    {line}\n")).collect()
}

/// Shows which crate cargo is at, and how many it has done.
pub(crate) fn cargo_progress(progress: &crate::step::Progress) -> impl FnMut(&str) {
    let progress = progress.clone();
    let mut count = 0;
    move |line: &str| {
        if let Some(rest) = line.trim_start().strip_prefix("Compiling ") {
            count += 1;
            progress.say(format!("{count} crates, at {}", rest.split(' ').next().unwrap_or(rest)));
        } else if line.trim_start().starts_with("Blocking waiting for file lock") {
            progress.say("waiting for another cargo to end");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_failure_carries_the_last_words() {
        let _alone = crate::signals::alone();
        let log = std::env::temp_dir().join(format!("xtask-process-{}.log", std::process::id()));
        let mut sh = Command::new("sh");
        sh.arg("-c").arg("for i in $(seq 30); do echo line $i; done; echo the reason >&2; exit 3");
        let mut seen = 0;
        let error = run(sh, &log, |_| seen += 1).unwrap_err().to_string();
        fs::remove_file(&log).unwrap();
        assert_eq!(seen, 31);
        assert!(error.contains("the reason") && error.contains("line 30") && !error.contains("line 11\n"), "{error}");
    }

    #[test]
    fn output_reports_what_the_program_complained_of() {
        let _alone = crate::signals::alone();
        let mut sh = Command::new("sh");
        sh.arg("-c").arg("echo nope >&2; exit 1");
        assert!(output(&mut sh).unwrap_err().to_string().contains("nope"));
    }
}
