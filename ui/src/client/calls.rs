//! Every call, by service, as `contract` names its types.

use super::{Answer, Intent, Method, command, get, get_with, send};
use contract::{
    AccountId, List, Page,
    account::{
        AccountQuery, AccountRow, ChangePassword, ChangeRole, Confirm, ConfirmTotp, Forgotten, Invite, Me, Reauthenticate, RecoveryCodes,
        ResetPassword, SessionRow, SignIn, SignUp, StartTotp, TotpStart, WithReason,
    },
    booking::{Cancel, Held, HoldSeats, NamePassengers, Paid, Pay, QuoteAnswer, Trip},
    finance::{BookingRow, Journal, LaunchRevenue, SupplierRevenue, Today},
    fleet::{
        Abort, AbortQuote, AddRocket, Delay, Outcome, Reprice, Rocket, ScheduleLaunch, Scheduled, Spaceport, Supplier, SupplierSummary,
    },
    launch::{Board, BoardQuery, LaunchCard, LaunchPage},
    operations::{
        AskRebuild, InUse, LogLine, LogQuery, Mail, Notification, ParkedStream, Projections, StreamEvent, StreamHit, StreamState,
        Verification,
    },
    security::{SecurityEvent, SecurityQuery},
};
use serde::Serialize;
use uuid::Uuid;

/// Which part of a desk's list is wanted; empty texts are not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ListQuery {
    /// From 1.
    pub page: u32,
    /// 1 to 100 items.
    pub per_page: u32,
    /// Words to search for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
    /// Only with this status.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Only of this launch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub launch: String,
    /// Only of this booking.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub booking: String,
}

/// One part of an address, safe in a path.
fn part(text: impl ToString) -> String {
    let mut safe = String::new();
    for byte in text.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    safe
}

const NO_BODY: Option<&()> = None;

// --- core: accounts and sessions

/// Asks for a customer account.
pub async fn sign_up(ask: &SignUp) -> Answer<()> {
    send(Method::Post, "/api/core/accounts".to_owned(), Some(ask)).await
}
/// Signs in.
pub async fn sign_in(ask: &SignIn) -> Answer<Me> {
    send(Method::Post, "/api/core/session".to_owned(), Some(ask)).await
}
/// Signs out.
pub async fn sign_out() -> Answer<()> {
    send(Method::Delete, "/api/core/session".to_owned(), NO_BODY).await
}
/// Who is signed in.
pub async fn session() -> Answer<Me> {
    get("/api/core/session".to_owned()).await
}
/// Opens the account that was asked for.
pub async fn confirm(token: String) -> Answer<()> {
    send(Method::Post, "/api/core/accounts/confirm".to_owned(), Some(&Confirm { token })).await
}
/// Asks for a link to set another password.
pub async fn forgotten(email: String) -> Answer<()> {
    send(Method::Post, "/api/core/password/forgotten".to_owned(), Some(&Forgotten { email })).await
}
/// Sets a password by a link.
pub async fn reset_password(ask: &ResetPassword) -> Answer<()> {
    send(Method::Post, "/api/core/password/reset".to_owned(), Some(ask)).await
}
/// Changes the own password.
pub async fn change_password(ask: &ChangePassword) -> Answer<()> {
    send(Method::Post, "/api/core/password".to_owned(), Some(ask)).await
}
/// Begins to set up a second factor.
pub async fn start_totp(ask: &StartTotp) -> Answer<TotpStart> {
    send(Method::Post, "/api/core/totp".to_owned(), Some(ask)).await
}
/// Puts it in force.
pub async fn confirm_totp(ask: &ConfirmTotp) -> Answer<RecoveryCodes> {
    send(Method::Post, "/api/core/totp/confirm".to_owned(), Some(ask)).await
}
/// Takes it away.
pub async fn remove_totp(ask: &Reauthenticate) -> Answer<()> {
    send(Method::Delete, "/api/core/totp".to_owned(), Some(ask)).await
}
/// Makes new recovery codes.
pub async fn new_recovery_codes(ask: &Reauthenticate) -> Answer<RecoveryCodes> {
    send(Method::Post, "/api/core/recovery-codes".to_owned(), Some(ask)).await
}
/// Where one is signed in.
pub async fn sessions() -> Answer<Vec<SessionRow>> {
    get("/api/core/sessions".to_owned()).await
}
/// Ends one of the own sessions.
pub async fn end_session(id: Uuid) -> Answer<()> {
    send(Method::Delete, format!("/api/core/sessions/{id}"), NO_BODY).await
}
/// Ends all but this one.
pub async fn end_other_sessions() -> Answer<()> {
    send(Method::Delete, "/api/core/sessions".to_owned(), NO_BODY).await
}
/// Has everything about oneself erased.
pub async fn erase_me(password: &str) -> Answer<()> {
    send(Method::Post, "/api/core/erasure".to_owned(), Some(&serde_json::json!({ "password": password }))).await
}

// --- core: operators and accounts

/// Accounts.
pub async fn accounts(query: &AccountQuery) -> Answer<Page<AccountRow>> {
    get_with("/api/core/accounts", query).await
}
/// One account.
pub async fn account(id: AccountId) -> Answer<AccountRow> {
    get(format!("/api/core/accounts/{id}")).await
}
/// Does `what` to an account: disable, enable, end-sessions, reset-totp.
pub async fn act_on_account(id: AccountId, what: &str, reason: String) -> Answer<()> {
    send(Method::Post, format!("/api/core/accounts/{id}/{}", part(what)), Some(&WithReason { reason })).await
}
/// Gives a member of staff another role.
pub async fn change_role(id: AccountId, ask: &ChangeRole) -> Answer<()> {
    send(Method::Post, format!("/api/core/accounts/{id}/role"), Some(ask)).await
}
/// Invites staff.
pub async fn invite(ask: &Invite) -> Answer<AccountRow> {
    send(Method::Post, "/api/core/accounts/staff".to_owned(), Some(ask)).await
}

// --- core: operators and auditors

/// The system's log.
pub async fn logs(query: &LogQuery) -> Answer<Page<LogLine>> {
    get_with("/api/core/logs", query).await
}
/// The trail of security events.
pub async fn security_events(query: &SecurityQuery) -> Answer<Page<SecurityEvent>> {
    get_with("/api/core/security-events", query).await
}
/// Where the log can be watched as it is written: a stream of events `line`.
#[must_use]
pub fn live_logs(query: &LogQuery) -> String {
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    format!("/api/core/logs/live?{query}")
}
/// What was and is to be sent.
pub async fn notifications(query: &ListQuery) -> Answer<Page<Notification>> {
    get_with("/api/core/notifications", query).await
}
/// Sends one again.
pub async fn retry_notification(id: &str) -> Answer<()> {
    send(Method::Post, format!("/api/core/notifications/{}/retry", part(id)), NO_BODY).await
}
/// Gives one up.
pub async fn discard_notification(id: &str) -> Answer<()> {
    send(Method::Post, format!("/api/core/notifications/{}/discard", part(id)), NO_BODY).await
}
/// The views and how far they are.
pub async fn projections() -> Answer<Projections> {
    get("/api/core/projections".to_owned()).await
}
/// The streams that are set aside in a view.
pub async fn parked(view: &str) -> Answer<Vec<ParkedStream>> {
    get(format!("/api/core/projections/{}/parked", part(view))).await
}
fn parked_stream(stream: &ParkedStream, what: &str) -> String {
    format!("/api/core/projections/{}/parked/{}/{}/{what}", part(&stream.view), part(&stream.stream_type), part(&stream.stream_id))
}
/// Tries a stream again that is set aside.
pub async fn retry_parked(stream: &ParkedStream) -> Answer<()> {
    send(Method::Post, parked_stream(stream, "retry"), NO_BODY).await
}
/// Goes on without the event that failed.
pub async fn discard_parked(stream: &ParkedStream) -> Answer<()> {
    send(Method::Post, parked_stream(stream, "discard"), NO_BODY).await
}
/// Stops the projectors of a projection.
pub async fn pause_projection(projection: &str) -> Answer<()> {
    send(Method::Post, format!("/api/core/projections/{}/pause", part(projection)), NO_BODY).await
}
/// Lets them go on.
pub async fn resume_projection(projection: &str) -> Answer<()> {
    send(Method::Post, format!("/api/core/projections/{}/resume", part(projection)), NO_BODY).await
}
/// Starts making a view anew.
pub async fn rebuild_view(view: &str, ask: &AskRebuild) -> Answer<()> {
    send(Method::Post, format!("/api/core/projections/{}/rebuild", part(view)), Some(ask)).await
}
/// Puts the form before back in use.
pub async fn roll_back_view(view: &str) -> Answer<InUse> {
    send(Method::Post, format!("/api/core/projections/{}/roll_back", part(view)), NO_BODY).await
}
/// Streams by what people know of them.
pub async fn streams(search: &str) -> Answer<List<StreamHit>> {
    get_with("/api/core/streams", &[("search", search)]).await
}
/// The events of a stream, oldest first.
pub async fn stream_events(stream_type: &str, id: &str, query: &ListQuery) -> Answer<Page<StreamEvent>> {
    get_with(&format!("/api/core/streams/{}/{}/events", part(stream_type), part(id)), query).await
}
/// The state of a stream as of a position.
pub async fn stream_state_at_position(stream_type: &str, id: &str, position: u64) -> Answer<StreamState> {
    get_with(&format!("/api/core/streams/{}/{}/state", part(stream_type), part(id)), &[("position", position)]).await
}
/// The state of a stream as of a moment (RFC 3339).
pub async fn stream_state_at_time(stream_type: &str, id: &str, time: &str) -> Answer<StreamState> {
    get_with(&format!("/api/core/streams/{}/{}/state", part(stream_type), part(id)), &[("time", time)]).await
}
/// Checks the log, every event of it.
pub async fn verify() -> Answer<Verification> {
    send(Method::Post, "/api/core/audit/verify".to_owned(), NO_BODY).await
}
/// The mail of the development mailbox.
pub async fn mailbox(query: &ListQuery) -> Answer<Page<Mail>> {
    get_with("/api/core/mailbox", query).await
}

// --- customer

/// The board.
pub async fn board(query: &BoardQuery) -> Answer<Board> {
    get_with("/api/customer/launches", query).await
}
/// One launch, by slug or id.
pub async fn launch(launch: &str) -> Answer<LaunchPage> {
    get(format!("/api/customer/launches/{}", part(launch))).await
}
/// Who flies.
pub async fn suppliers() -> Answer<List<Supplier>> {
    get("/api/customer/suppliers".to_owned()).await
}
/// Keeps seats.
pub async fn hold(intent: Intent, launch: &str, ask: &HoldSeats) -> Answer<Held> {
    command(intent, Method::Post, format!("/api/customer/launches/{}/holds", part(launch)), ask).await
}
/// Says who sits where.
pub async fn name_passengers(intent: Intent, launch: &str, booking: &str, ask: &NamePassengers) -> Answer<()> {
    let path = format!("/api/customer/launches/{}/bookings/{}/passengers", part(launch), part(booking));
    command(intent, Method::Put, path, ask).await
}
/// Pays.
pub async fn pay(intent: Intent, launch: &str, booking: &str, ask: &Pay) -> Answer<Paid> {
    command(intent, Method::Post, format!("/api/customer/launches/{}/bookings/{}/payments", part(launch), part(booking)), ask).await
}
/// What cancelling would give back; `seat` empty for the whole booking.
pub async fn quote(launch: &str, booking: &str, seat: &str) -> Answer<QuoteAnswer> {
    let path = format!("/api/customer/launches/{}/bookings/{}/quote", part(launch), part(booking));
    if seat.is_empty() { get(path).await } else { get_with(&path, &[("seat", seat)]).await }
}
/// Cancels for what was quoted.
pub async fn cancel(intent: Intent, launch: &str, booking: &str, ask: &Cancel) -> Answer<QuoteAnswer> {
    let path = format!("/api/customer/launches/{}/bookings/{}/cancellation", part(launch), part(booking));
    command(intent, Method::Post, path, ask).await
}
/// My bookings, newest first.
pub async fn trips(query: &ListQuery) -> Answer<Page<Trip>> {
    get_with("/api/customer/bookings", query).await
}
/// One of my bookings.
pub async fn trip(booking: &str) -> Answer<Trip> {
    get(format!("/api/customer/bookings/{}", part(booking))).await
}

// --- supplier

/// The desk at a glance.
pub async fn supplier_summary() -> Answer<SupplierSummary> {
    get("/api/supplier/summary".to_owned()).await
}
/// Own launches.
pub async fn supplier_launches(query: &ListQuery) -> Answer<Page<LaunchCard>> {
    get_with("/api/supplier/launches", query).await
}
/// One of the own launches.
pub async fn supplier_launch(launch: &str) -> Answer<LaunchPage> {
    get(format!("/api/supplier/launches/{}", part(launch))).await
}
/// Its bookings.
pub async fn supplier_launch_bookings(launch: &str, query: &ListQuery) -> Answer<Page<BookingRow>> {
    get_with(&format!("/api/supplier/launches/{}/bookings", part(launch)), query).await
}
/// Own rockets.
pub async fn rockets() -> Answer<List<Rocket>> {
    get("/api/supplier/rockets".to_owned()).await
}
/// Brings a rocket into service.
pub async fn add_rocket(intent: Intent, ask: &AddRocket) -> Answer<Rocket> {
    command(intent, Method::Post, "/api/supplier/rockets".to_owned(), ask).await
}
/// Takes a rocket out of service.
pub async fn retire_rocket(intent: Intent, rocket: &str) -> Answer<()> {
    command(intent, Method::Post, format!("/api/supplier/rockets/{}/retire", part(rocket)), &serde_json::json!({})).await
}
/// Where launches leave from.
pub async fn spaceports() -> Answer<List<Spaceport>> {
    get("/api/supplier/spaceports".to_owned()).await
}
/// Puts a launch on sale.
pub async fn schedule_launch(intent: Intent, ask: &ScheduleLaunch) -> Answer<Scheduled> {
    command(intent, Method::Post, "/api/supplier/launches".to_owned(), ask).await
}
/// Another price.
pub async fn reprice(intent: Intent, launch: &str, ask: &Reprice) -> Answer<()> {
    command(intent, Method::Post, format!("/api/supplier/launches/{}/price", part(launch)), ask).await
}
/// A later moment.
pub async fn delay(intent: Intent, launch: &str, ask: &Delay) -> Answer<()> {
    command(intent, Method::Post, format!("/api/supplier/launches/{}/delay", part(launch)), ask).await
}
/// What an abort would do.
pub async fn abort_quote(launch: &str) -> Answer<AbortQuote> {
    get(format!("/api/supplier/launches/{}/abort-quote", part(launch))).await
}
/// Gives the launch up.
pub async fn abort(intent: Intent, launch: &str, ask: &Abort) -> Answer<()> {
    command(intent, Method::Post, format!("/api/supplier/launches/{}/abort", part(launch)), ask).await
}
/// How it went.
pub async fn outcome(intent: Intent, launch: &str, ask: &Outcome) -> Answer<()> {
    command(intent, Method::Post, format!("/api/supplier/launches/{}/outcome", part(launch)), ask).await
}

// --- employee

/// The day.
pub async fn today() -> Answer<Today> {
    get("/api/employee/today".to_owned()).await
}
/// All bookings.
pub async fn bookings(query: &ListQuery) -> Answer<Page<BookingRow>> {
    get_with("/api/employee/bookings", query).await
}
/// One booking.
pub async fn booking(booking: &str) -> Answer<Trip> {
    get(format!("/api/employee/bookings/{}", part(booking))).await
}
/// All launches.
pub async fn employee_launches(query: &ListQuery) -> Answer<Page<LaunchCard>> {
    get_with("/api/employee/launches", query).await
}
/// One launch, for employees.
pub async fn employee_launch(launch: &str) -> Answer<LaunchPage> {
    get(format!("/api/employee/launches/{}", part(launch))).await
}
/// Revenue by launch, most net first.
pub async fn launch_revenue(query: &ListQuery) -> Answer<Page<LaunchRevenue>> {
    get_with("/api/employee/revenue/launches", query).await
}
/// Revenue by supplier.
pub async fn supplier_revenue() -> Answer<List<SupplierRevenue>> {
    get("/api/employee/revenue/suppliers".to_owned()).await
}
/// The journal.
pub async fn journal(query: &ListQuery) -> Answer<Journal> {
    get_with("/api/employee/journal", query).await
}
