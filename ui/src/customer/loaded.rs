//! How a page gets its data: the server waits for it and sends it along, the browser starts from that.

use crate::{
    client::Answer,
    session::{Session, use_session},
};
use contract::{Code, Problem};
use dioxus::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use std::{cell::RefCell, future::Future, rc::Rc};

/// What a page has of its data.
pub(super) struct Loaded<T: 'static> {
    /// The latest answer; none before the first.
    pub(super) answer: Option<Rc<Answer<T>>>,
    /// Whether a newer one is on its way.
    pub(super) loading: bool,
    /// Asks again.
    pub(super) reload: Callback<()>,
}

/// Loads public data, on the server and again whenever a signal changes that `read` reads.
///
/// # Errors
/// On the server while the data is awaited.
pub(super) fn use_loaded<T, F>(mut read: impl FnMut() -> F + 'static) -> Result<Loaded<T>, RenderError>
where
    T: Serialize + DeserializeOwned + 'static,
    F: Future<Output = Answer<T>> + 'static,
{
    let mut round = use_signal(|| 0_u32);
    let reload = use_callback(move |()| round += 1);
    let known = use_hook(|| Rc::new(RefCell::new(None::<(String, Rc<Answer<T>>)>)));
    // As text: the renderer's own form of data writes ids as bytes, which flattened types cannot read back.
    let resource = use_server_future(move || {
        round();
        let answer = read();
        async move { serde_json::to_string(&answer.await).unwrap_or_default() }
    });
    let (text, loading) = match resource {
        Ok(resource) => (resource.read().clone(), false),
        Err(pending) if cfg!(feature = "server") => return Err(pending),
        Err(_) => (None, true),
    };
    let mut known = known.borrow_mut();
    if let Some(text) = text
        && known.as_ref().is_none_or(|(was, _)| *was != text)
    {
        let answer = serde_json::from_str(&text).unwrap_or_else(|error| {
            Err(Problem { code: Code::Internal, message: format!("The answer could not be read: {error}."), details: Default::default() })
        });
        if let Err(problem) = &answer {
            say_status(problem.code);
        }
        *known = Some((text, Rc::new(answer)));
    }
    Ok(Loaded { answer: known.as_ref().map(|(_, answer)| Rc::clone(answer)), loading, reload })
}

/// On the server, the status the page is sent with.
pub(super) fn say_status(code: Code) {
    #[cfg(feature = "server")]
    if let Ok(status) = StatusCode::from_u16(code.status()) {
        dioxus::fullstack::FullstackContext::commit_http_status(status, None);
    }
    #[cfg(not(feature = "server"))]
    let _ = code;
}

/// Loads what only the signed-in may see: in the browser only, when `wanted`.
pub(super) fn use_private<T, F>(wanted: ReadSignal<bool>, mut read: impl FnMut() -> F + 'static) -> Resource<Answer<T>>
where
    T: 'static,
    F: Future<Output = Answer<T>> + 'static,
{
    let mut session = use_session();
    use_resource(move || {
        let reading = (cfg!(not(feature = "server")) && wanted()).then(&mut read);
        async move {
            match reading {
                Some(reading) => {
                    let answer = reading.await;
                    if matches!(&answer, Err(problem) if problem.code == Code::SignInRequired) {
                        session.set(Session::Visitor); // it has ended since
                    }
                    answer
                }
                None => std::future::pending().await,
            }
        }
    })
}
