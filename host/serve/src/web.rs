//! What the daemon shows at an address of this machine: its metrics, and a page for people where the policy says so.
//!
//! Both are read-only. Whoever can reach the address sees every tenant's figures and names, which is why it is of this machine
//! alone and off unless the policy has it. Whoever asks is heard only if the address that they ask for is this machine's own:
//! else a page from elsewhere could have a browser ask, under a name that comes to mean this machine.

pub(crate) mod page;
mod plot;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::sync::Semaphore;

/// The most connections at once: whoever comes later waits.
const MAX_CONNECTIONS: usize = 32;
/// How long a connection may take from its beginning to its end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what was shown once is shown again.
const FRESH_FOR: Duration = Duration::from_millis(500);
/// The page's style.
const STYLE: &str = include_str!("web/style.css");
/// What the page may do: show itself and its style, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Who knows what is shown.
pub(crate) trait Shown: Send + Sync {
    /// The metrics, in the format of Prometheus.
    fn metrics(&self) -> String;

    /// The page, in HTML.
    fn page(&self) -> String;
}

/// The address at which a daemon shows figures.
#[derive(Debug)]
pub struct Web {
    listener: TcpListener,
    has_page: bool,
}

impl Web {
    /// Listens there; `has_page` says whether there is a page for people besides the metrics.
    ///
    /// # Errors
    /// The address is not to be had.
    pub fn bind(address: SocketAddr, has_page: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, has_page })
    }

    /// Where it listens, with the port that the operating system chose if none was named.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Shows figures from now on, on a thread of its own, until the process ends.
    ///
    /// # Errors
    /// There is no thread, or the operating system refuses to say what happens on sockets.
    pub(crate) fn show(self, shown: Arc<dyn Shown>) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener)?
        };
        let has_page = self.has_page;
        std::thread::Builder::new()
            .name("hotcell-web".to_owned())
            .spawn(move || runtime.block_on(accept(listener, shown, has_page)))?;
        Ok(())
    }
}

async fn accept(listener: tokio::net::TcpListener, shown: Arc<dyn Shown>, has_page: bool) {
    let shown = Arc::new(Lately::new(shown));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((socket, _)) = listener.accept().await else {
            // No descriptors are left: somebody has to give one back first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shown = Arc::clone(&shown);
        let answer = service_fn(move |request: Request<Incoming>| {
            let answer = answer(&shown, &request, has_page);
            async { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .keep_alive(false)
            .max_buf_size(16 << 10)
            .serve_connection(TokioIo::new(socket), answer);
        tokio::spawn(async move {
            // Whoever is too slow is gone, and so is whoever goes.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

/// What is shown, made anew at most so often: whoever asks in a loop asks nobody else anything.
struct Lately {
    shown: Arc<dyn Shown>,
    metrics: Mutex<Option<(Instant, Bytes)>>,
    page: Mutex<Option<(Instant, Bytes)>>,
}

impl Lately {
    fn new(shown: Arc<dyn Shown>) -> Self {
        Self {
            shown,
            metrics: Mutex::default(),
            page: Mutex::default(),
        }
    }

    fn metrics(&self) -> Bytes {
        Self::made(&self.metrics, || self.shown.metrics())
    }

    fn page(&self) -> Bytes {
        Self::made(&self.page, || self.shown.page())
    }

    fn made(last: &Mutex<Option<(Instant, Bytes)>>, make: impl FnOnce() -> String) -> Bytes {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, made)) = &*last
            && at.elapsed() < FRESH_FOR
        {
            return made.clone();
        }
        let (_, made) = last.insert((Instant::now(), make().into()));
        made.clone()
    }
}

fn answer(shown: &Lately, request: &Request<Incoming>, has_page: bool) -> Response<Full<Bytes>> {
    let host = request.headers().get(header::HOST);
    if !host.is_some_and(is_here) {
        let words = "ask for this by an address of this machine: 127.0.0.1, [::1] or localhost\n";
        return text(StatusCode::MISDIRECTED_REQUEST, words);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let words = "nothing can be changed here: GET is all there is\n";
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, words);
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(header::ALLOW, allowed);
        return refusal;
    }
    match request.uri().path() {
        "/metrics" => typed(hotcell_watch::metrics::CONTENT_TYPE, shown.metrics()),
        "/" if has_page => {
            let mut page = typed("text/html; charset=utf-8", shown.page());
            let refresh = HeaderValue::from_static("5");
            page.headers_mut().insert(header::REFRESH, refresh);
            page
        }
        "/style.css" if has_page => typed("text/css; charset=utf-8", STYLE),
        "/" => text(
            StatusCode::NOT_FOUND,
            "metrics are at /metrics; a page for people is here where the policy has `page = true` under [metrics]\n",
        ),
        _ => text(StatusCode::NOT_FOUND, "nothing is here\n"),
    }
}

/// Whether somebody asks for this machine by an address of its own.
fn is_here(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |address: IpAddr| address.is_loopback();
    name == "localhost" || name.parse().is_ok_and(is_loopback)
}

fn text(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    let mut response = typed("text/plain; charset=utf-8", words);
    *response.status_mut() = status;
    response
}

fn typed(kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_answered() {
        let is_here = |host| is_here(&HeaderValue::from_static(host));
        for host in ["127.0.0.1:9464", "localhost", "[::1]:9464", "127.0.0.7"] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "10.0.0.1",
            "[::2]",
            "localhost.example.org:80",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
