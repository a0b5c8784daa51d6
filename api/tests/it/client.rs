//! Someone who talks to the services over HTTP: keeps cookies and remembers where the last command stands, as a browser does.

use api::authority::{ACCESS_COOKIE, REFRESH_COOKIE};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{HeaderMap, SET_COOKIE},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long a condition may take to come true.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    position: Arc<Mutex<Option<String>>>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, headers, body }
    }
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }
    /// Checks an error, its shape included; gives its details.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str().unwrap_or_default()), (status, code), "{self:?}");
        assert!(self.body["message"].as_str().is_some_and(|message| message.len() > 10), "{self:?}");
        self.body["details"].clone()
    }
    #[track_caller]
    pub(crate) fn position(&self) -> String {
        self.headers.get("astro-position").unwrap_or_else(|| panic!("{self:?}")).to_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30)).build().unwrap();
        Self { http, base: base.to_owned(), cookies: Arc::default(), position: Arc::default() }
    }
    /// One who asks from this address of the machine's own network.
    pub(crate) fn from_address(base: &str, address: [u8; 4]) -> Self {
        let http = reqwest::Client::builder().local_address(std::net::IpAddr::from(address)).timeout(Duration::from_secs(30));
        Self { http: http.build().unwrap(), base: base.to_owned(), cookies: Arc::default(), position: Arc::default() }
    }
    /// One who has this access token.
    pub(crate) fn with_token(&self, base: &str, token: &str) -> Self {
        let cookies = BTreeMap::from([(ACCESS_COOKIE.to_owned(), token.to_owned())]);
        Self { http: self.http.clone(), base: base.to_owned(), cookies: Arc::new(Mutex::new(cookies)), position: Arc::default() }
    }
    pub(crate) fn cookie(&self, name: &str) -> String {
        self.cookies.lock().unwrap().get(name).cloned().unwrap_or_default()
    }
    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }
    pub(crate) fn refresh_token(&self) -> String {
        self.cookie(REFRESH_COOKIE)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<String> = self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.http.request(method, format!("{}{path}", self.base)).header("cookie", cookies.join("; "))
    }
    pub(crate) async fn send(&self, request: RequestBuilder) -> Reply {
        self.try_send(request).await.unwrap()
    }
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> Result<Reply, reqwest::Error> {
        let reply = Reply::of(request.send().await?).await;
        for cookie in reply.headers.get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.set_cookie(name, value);
        }
        if let Some(position) = reply.headers.get("astro-position") {
            *self.position.lock().unwrap() = Some(position.to_str().unwrap().to_owned());
        }
        Ok(reply)
    }

    /// Reads, not older than the last command.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        let mut request = self.request(Method::GET, path);
        if let Some(position) = &*self.position.lock().unwrap() {
            request = request.header("astro-position", position);
        }
        self.send(request).await
    }
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }
    /// A command under a fresh key.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Reply {
        self.ask_as(Uuid::new_v4(), path, body).await
    }
    pub(crate) async fn ask_as(&self, key: Uuid, path: &str, body: &Value) -> Reply {
        self.send(self.command(Method::POST, key, path, body)).await
    }
    pub(crate) fn command(&self, method: Method, key: Uuid, path: &str, body: &Value) -> RequestBuilder {
        self.request(method, path).header("idempotency-key", key.to_string()).json(body)
    }
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.command(Method::PUT, Uuid::new_v4(), path, body)).await
    }

    /// Reads until `enough`; fails after a while.
    #[track_caller]
    pub(crate) fn until<'a>(&'a self, path: &'a str, enough: impl Fn(&Value) -> bool + 'a) -> impl Future<Output = Value> + 'a {
        let from = std::panic::Location::caller();
        async move {
            let began = Instant::now();
            loop {
                let reply = self.get(path).await;
                if reply.status.is_success() && enough(&reply.body) {
                    return reply.body;
                }
                assert!(began.elapsed() < WAIT_MAX, "{from}: {path} did not get there: {reply:?}");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}
