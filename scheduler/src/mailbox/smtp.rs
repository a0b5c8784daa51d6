//! One SMTP conversation, as much of RFC 5321 as taking mail needs: no relaying, no authentication, no STARTTLS. Only for development.

use super::Mailbox;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    time::timeout,
};

/// The longest line, in bytes, with its end.
const LINE_BYTES_MAX: u64 = 2_000;
/// The largest mail, in bytes.
const MAIL_BYTES_MAX: usize = 1_000_000;
/// The most recipients of one mail.
const RECIPIENTS_MAX: usize = 100;
/// How long the other side may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Talks until the other side quits, falls silent or breaks the rules.
pub(super) async fn converse(stream: impl AsyncRead + AsyncWrite, mailbox: &Mailbox) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader);
    let mut from: Option<String> = None;
    let mut to: Vec<String> = Vec::new();
    writer.write_all(b"220 astro-mailbox ESMTP\r\n").await?;
    writer.flush().await?;
    while let Some(line) = line(&mut reader).await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                (from, to) = (None, Vec::new());
                format!("250-astro-mailbox\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n250 SIZE {MAIL_BYTES_MAX}")
            }
            "HELO" => {
                (from, to) = (None, Vec::new());
                "250 astro-mailbox".to_owned()
            }
            "MAIL" => match path(rest, "FROM:") {
                Some(path) => {
                    (from, to) = (Some(path), Vec::new());
                    "250 ok".to_owned()
                }
                None => "501 say MAIL FROM:<address>".to_owned(),
            },
            "RCPT" => match path(rest, "TO:").filter(|path| !path.is_empty()) {
                Some(_) if from.is_none() => "503 MAIL comes first".to_owned(),
                Some(_) if to.len() >= RECIPIENTS_MAX => "452 too many recipients".to_owned(),
                Some(path) => {
                    to.push(path);
                    "250 ok".to_owned()
                }
                None => "501 say RCPT TO:<address>".to_owned(),
            },
            "DATA" if to.is_empty() => "503 RCPT comes first".to_owned(),
            "DATA" => {
                writer.write_all(b"354 end with a dot on a line of its own\r\n").await?;
                writer.flush().await?;
                let Some(mail) = mail(&mut reader).await? else { return Ok(()) };
                let recipients = std::mem::take(&mut to);
                from = None;
                if mail.len() > MAIL_BYTES_MAX {
                    "552 the mail is too large".to_owned()
                } else if let Err(error) = mailbox.keep(&recipients, &mail).await {
                    tracing::warn!("The mailbox cannot keep a mail: {error}");
                    "451 try again later".to_owned()
                } else {
                    "250 kept".to_owned()
                }
            }
            "RSET" => {
                (from, to) = (None, Vec::new());
                "250 ok".to_owned()
            }
            "NOOP" => "250 ok".to_owned(),
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                writer.shutdown().await?;
                return Ok(());
            }
            _ => "502 not known here".to_owned(),
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        writer.flush().await?;
    }
    Ok(())
}

/// The next line; none at the end, after a long silence, or when it is too long to be one.
async fn line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = reader.take(LINE_BYTES_MAX);
    let Ok(read) = timeout(SILENCE_MAX, limited.read_until(b'\n', &mut line)).await else { return Ok(None) };
    Ok((read? > 0 && line.ends_with(b"\n")).then_some(line))
}

/// The lines up to the lonely dot, without the dots that were put before dots. Reads a mail that is too large to its end, but keeps
/// only enough of it to say so.
async fn mail(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut mail = Vec::new();
    loop {
        let Some(line) = line(reader).await? else { return Ok(None) };
        if line == b".\r\n" || line == b".\n" {
            return Ok(Some(mail));
        }
        if mail.len() <= MAIL_BYTES_MAX {
            mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }
}

/// The address of `FROM:<address> …`; empty for a bounce.
fn path(rest: &str, keyword: &str) -> Option<String> {
    let rest = rest.trim_start();
    let address = rest.get(..keyword.len()).filter(|start| start.eq_ignore_ascii_case(keyword)).and(rest.get(keyword.len()..))?;
    let (address, _) = address.trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}
