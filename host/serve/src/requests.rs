//! What is done about each message.

use crate::arrays::{Memories, MemoryError, Parcel, named};
use crate::connection::{Connection, Due, Next};
use crate::launches::{Listed, Running, Waiter};
use crate::protocol::{
    Answer, Ask, ComponentKept, LaunchAsk, LaunchEnd, MAX_DESCRIPTORS, Message, Reply, ReportText,
    Text, Upload, Which,
};
use crate::server::{Server, not_known_now};
use crate::share::{MAX_THREADS, MAX_THREADS_OF_USER};
use hotcell::limit::Limits;
use hotcell::report::LogLine;
use hotcell::{Component, Cutting, Digests, Ended, Observer, Request, Tenant, new_run_id};
use hotcell_model::limit::Limit;
use hotcell_model::manifest::{DType, Kernel, ScalarValue};
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::text::{chain, escape};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most launches of one connection that have not ended.
const MAX_RUNNING: usize = 64;
/// How often progress is told at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// A launch that is about to be.
struct Coming {
    ask: LaunchAsk,
    memories: Memories,
    under_way: UnderWay,
}

/// A launch that is listed, for everybody and on its connection, and whose end is still to be told.
struct UnderWay {
    entry: Entry,
    listed: Listed,
    due: Option<Due>,
}

/// A launch's place on its connection, until it is dropped.
struct Entry {
    id: u64,
    connection: Arc<Connection>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connection.running().remove(&self.id);
    }
}

impl Server {
    /// Does what a message asks for; whether this thread still has the right to read the connection.
    pub(crate) fn handle(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        message: Message,
        descriptors: Vec<Option<OwnedFd>>,
    ) -> bool {
        let Message { id, ask } = message;
        let memories = Memories::new(descriptors);
        match ask {
            Ask::Launch(ask) => return self.take_launch(connection, id, *ask, memories),
            Ask::Upload(upload) => match self.upload(connection, &upload, memories) {
                Ok(kept) => connection.answer(id, Reply::Component(kept)),
                Err((kind, message)) => connection.refuse(Some(id), kind, message),
            },
            Ask::List => {
                let seen = self.seen_by(connection);
                let states = seen.iter().map(|running| running.state()).collect();
                connection.answer(id, Reply::Launches(states));
            }
            Ask::Status => {
                let status = Box::new(self.status(Some(connection)));
                connection.answer(id, Reply::Status(status));
            }
            Ask::Await(which) => self.tell_end(connection, id, which),
            Ask::Cancel(which) => match self.find(connection, which) {
                Some(running) => {
                    running.stop.cancel();
                    connection.answer(id, Reply::Cancelling { launch: running.id });
                }
                None => no_such_launch(connection, id),
            },
        }
        connection.slow_down();
        true
    }

    /// Runs a launch on this thread, or has another run it where more is to be read already.
    fn take_launch(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        id: u64,
        ask: LaunchAsk,
        memories: Memories,
    ) -> bool {
        let refuse = |(kind, message): (OutcomeKind, String)| {
            connection.refuse(Some(id), kind, message);
            connection.slow_down();
            true
        };
        let has_more = connection.has_more();
        let thread = match has_more {
            true => connection.share.thread(),
            false => None,
        };
        if has_more && thread.is_none() {
            let message = format!(
                "you have {MAX_THREADS_OF_USER} things under way, or all users together {MAX_THREADS}: wait for one of \
                 them to end"
            );
            return refuse((OutcomeKind::Budget, message));
        }
        let under_way = match self.begin(connection, id, &ask) {
            Ok(under_way) => under_way,
            Err(refusal) => return refuse(refusal),
        };
        let coming = Coming {
            ask,
            memories,
            under_way,
        };
        let Some(thread) = thread else {
            // Whatever comes meanwhile is another thread's to read.
            self.watch(connection);
            let mut is_reader = false;
            self.launch(connection, coming, || is_reader = self.unwatch(connection));
            return is_reader;
        };
        let (server, of) = (Arc::clone(self), Arc::clone(connection));
        let launch = move || {
            let _thread = thread;
            let launched = catch_unwind(AssertUnwindSafe(|| server.launch(&of, coming, || {})));
            if launched.is_err() {
                server.forget(&of);
            }
        };
        let spawned = std::thread::Builder::new()
            .name("hotcell-launch".to_owned())
            .spawn(launch);
        match spawned {
            Ok(_) => true,
            Err(error) => refuse((OutcomeKind::Budget, no_thread(&error))),
        }
    }

    /// Lists a launch, if the connection may begin one now. From here on it is seen, counted and cancelled with its client.
    fn begin(
        &self,
        connection: &Arc<Connection>,
        id: u64,
        ask: &LaunchAsk,
    ) -> Result<UnderWay, (OutcomeKind, String)> {
        if self.is_stopping() {
            let message = "the daemon is about to stop: try again when it is back";
            return Err((OutcomeKind::Budget, message.to_owned()));
        }
        if ask.inputs.len() > MAX_DESCRIPTORS {
            let message = format!("a launch has {MAX_DESCRIPTORS} inputs at most");
            return Err((OutcomeKind::Usage, message));
        }
        let tenant = self.served_tenant(connection)?;
        let due = connection.due(usize::MAX);
        let mut running = connection.running();
        if running.contains_key(&id) {
            let message =
                format!("a launch that was asked for by a message of the id {id} has not ended");
            return Err((OutcomeKind::Usage, message));
        }
        if running.len() >= MAX_RUNNING {
            let message = format!(
                "{MAX_RUNNING} launches of this connection have not ended: wait for one of them"
            );
            return Err((OutcomeKind::Budget, message));
        }
        let entry = ask.entry.as_deref().map(|entry| escape(entry, 256));
        let listed = self.launches.list(Running::new(
            new_run_id(),
            (tenant, connection.caller()),
            ask.component,
            entry.unwrap_or_default(),
        ));
        running.insert(id, Arc::clone(&listed.running));
        drop(running);
        // It may have gone before it could be seen that there is a launch to cancel.
        if connection.is_over() {
            listed.running.stop.cancel();
        }
        let entry = Entry {
            id,
            connection: Arc::clone(connection),
        };
        Ok(UnderWay { entry, listed, due })
    }

    fn served_tenant(&self, connection: &Connection) -> Result<Tenant, (OutcomeKind, String)> {
        let unknown = |error: io::Error| (OutcomeKind::Budget, not_known_now(&error));
        let user = connection.user().map_err(unknown)?;
        self.policy.tenant_of(user).ok_or_else(|| {
            let policy = self.policy.now();
            let name = user.name.as_deref().map(|name| format!(" (user:{name})"));
            let message = format!(
                "{} serves no tenant that uid:{}{} belongs to: name the user in the `subjects` of one",
                policy.name(),
                user.uid,
                name.unwrap_or_default(),
            );
            (OutcomeKind::Denied, message)
        })
    }

    /// Runs a launch to its end. `at_end` is called when it has ended, before anybody is told.
    fn launch(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        coming: Coming,
        at_end: impl FnOnce(),
    ) {
        let Coming {
            ask,
            memories,
            under_way,
        } = coming;
        let UnderWay { entry, listed, due } = under_way;
        let (id, running) = (entry.id, Arc::clone(&listed.running));
        if ask.events {
            connection.answer(id, Reply::Launched { launch: running.id });
        }
        let has_report = ask.report;
        let ended = self.run(connection, id, ask, memories, &running);
        // From here on the message's id is another's to use, and nobody finds the launch.
        drop(entry);
        let telling = listed.unlist();
        let has_run = ended.report.usage.instances > 0;
        let parcel = Parcel::pack(named(&ended.results));
        let waiters = running.end();
        let is_read = has_report || !waiters.is_empty();
        // There is memory for a report where there was some for the launch.
        let report = is_read
            .then(|| ReportText::of(&ended.report).ok())
            .flatten();
        let mut end = LaunchEnd {
            launch: running.id,
            outcome: ended.outcome,
            report,
            results: BTreeMap::new(),
        };
        let told = (!waiters.is_empty()).then(|| end.clone());
        at_end();
        if !has_report {
            end.report = None;
        }
        match parcel {
            Ok(mut parcel) => {
                end.results = std::mem::take(&mut parcel.arrays);
                let answer = Reply::Ended(Box::new(end));
                let id = Some(id);
                let _ = connection.send(&Answer { id, answer }, &parcel.descriptors());
            }
            Err(error) => {
                let message = format!("the results cannot be handed over: {error}");
                connection.refuse(Some(id), OutcomeKind::HostFault, message);
            }
        }
        drop((telling, due));
        if let Some(end) = told {
            tell(waiters, end);
        }
        self.settle(connection);
        if !has_run {
            connection.slow_down();
        }
    }

    fn run(
        &self,
        connection: &Arc<Connection>,
        id: u64,
        ask: LaunchAsk,
        memories: Memories,
        running: &Arc<Running>,
    ) -> Ended {
        let told = Told {
            running: Arc::clone(running),
            events: ask.events.then(|| (Arc::clone(connection), id)),
            last_progress: Mutex::new(None),
        };
        let digest = ask.component;
        let basis = Request::new()
            .tenant(running.tenant.clone())
            .caller(running.caller)
            .run_id(running.id)
            .observer(Arc::new(told));
        let Some(component) = self.cell.component(&running.tenant, digest) else {
            let message = format!("no component {digest} is here: upload it first");
            return self.cell.reject(None, &basis, OutcomeKind::Usage, message);
        };
        match request(basis.clone(), ask, memories) {
            Ok(request) => self.cell.run_until(&component, request, &running.stop),
            Err(message) => {
                let component = Some(&component);
                self.cell
                    .reject(component, &basis, OutcomeKind::Usage, message)
            }
        }
    }

    fn upload(
        &self,
        connection: &Connection,
        upload: &Upload,
        mut memories: Memories,
    ) -> Result<ComponentKept, (OutcomeKind, String)> {
        let tenant = self.served_tenant(connection)?;
        let maximum = Limit::ComponentBytes.ceiling();
        if upload.bytes > maximum {
            let message = format!(
                "{} bytes are more than {maximum}, the ceiling for components",
                upload.bytes
            );
            return Err((OutcomeKind::Limit, message));
        }
        let bytes = memories.bytes(upload.memory, upload.bytes);
        let bytes = bytes.map_err(|error| (OutcomeKind::Usage, chain(&error)))?;
        let component = Component::new(bytes);
        let request = Request::new().tenant(tenant).caller(connection.caller());
        let described = self.cell.describe_for(&component, &request);
        let described = described.map_err(|outcome| (outcome.kind, outcome.message))?;
        let manifest = &described.manifest;
        let entry = |kernel: &Kernel| (kernel.name().to_owned(), kernel.signature().to_string());
        Ok(ComponentKept {
            digest: component.digest(),
            name: manifest.component().name.clone(),
            version: manifest.component().version.clone(),
            entries: manifest.kernels().iter().map(entry).collect(),
            kernels: manifest
                .kernels()
                .iter()
                .map(|kernel| kernel.record().clone())
                .collect(),
        })
    }

    /// The tenant that a connection's user belongs to, if that can be found out.
    pub(crate) fn known_tenant(&self, connection: &Connection) -> Option<Tenant> {
        self.policy.tenant_of(connection.user().ok()?)
    }

    /// The launches that somebody may see: their tenant's, and the operator everybody's.
    pub(crate) fn seen_by(&self, connection: &Connection) -> Vec<Arc<Running>> {
        let mut all = self.launches.all();
        if !self.is_operator(connection.uid) {
            let tenant = self.known_tenant(connection);
            all.retain(|running| Some(&running.tenant) == tenant.as_ref());
        }
        all
    }

    /// A launch that somebody may see. One of another tenant's is as if it were not.
    fn find(&self, connection: &Connection, which: Which) -> Option<Arc<Running>> {
        match which {
            Which::Request(id) => connection.running().get(&id).cloned(),
            Which::Launch(id) => {
                let found = self.launches.find(id)?;
                let is_seen = self.is_operator(connection.uid)
                    || self.known_tenant(connection).as_ref() == Some(&found.tenant);
                is_seen.then_some(found)
            }
        }
    }

    /// Has a client told of the end of a launch.
    fn tell_end(&self, connection: &Arc<Connection>, id: u64, which: Which) {
        let Some(running) = self.find(connection, which) else {
            return no_such_launch(connection, id);
        };
        let Some(due) = connection.due(2 * MAX_RUNNING) else {
            let message = format!("this connection waits for {} ends already", 2 * MAX_RUNNING);
            return connection.refuse(Some(id), OutcomeKind::Budget, message);
        };
        let tell = move |end: &LaunchEnd| {
            if let Some(connection) = due.connection() {
                connection.answer(id, Reply::Ended(Box::new(end.clone())));
            }
        };
        if !running.tell(Box::new(tell)) {
            no_such_launch(connection, id);
        }
    }
}

/// Tells those who wait for a launch of somebody else's. They may be slow to hear it, and nobody waits for them.
fn tell(waiters: Vec<Waiter>, end: LaunchEnd) {
    let all = move || waiters.into_iter().for_each(|waiter| waiter(&end));
    // Where there is no thread, they are not told: their connections are, that no answer is due any more.
    let _ = std::thread::Builder::new()
        .name("hotcell-tell".to_owned())
        .spawn(all);
}

fn no_thread(error: &io::Error) -> String {
    format!("the daemon has no thread for this: {error}; try again later")
}

/// Reads a connection as long as something comes, and does what is asked. For a thread that has the right to read.
pub(crate) fn attend(server: &Arc<Server>, connection: &Arc<Connection>) {
    if connection.is_new() {
        if server.greet(connection).is_err() {
            server.forget(connection);
            return;
        }
        connection.slow_down();
    }
    loop {
        match connection.next() {
            Next::Message(message, descriptors) => {
                if !server.handle(connection, message, descriptors) {
                    return;
                }
            }
            Next::Blank => connection.slow_down(),
            Next::Nothing => return server.watch(connection),
            Next::End => {
                // It may have gone only half: launches go on, and are told of.
                server.watch(connection);
                return server.settle(connection);
            }
            Next::Broken(why) => {
                connection.refuse(None, OutcomeKind::Usage, why);
                server.forget(connection);
                return;
            }
        }
    }
}

fn no_such_launch(connection: &Connection, id: u64) {
    let message = "there is no such launch, or it has ended";
    connection.refuse(Some(id), OutcomeKind::Usage, message);
}

/// Tells a client what its launch does, if it wants to know.
struct Told {
    running: Arc<Running>,
    events: Option<(Arc<Connection>, u64)>,
    last_progress: Mutex<Option<Instant>>,
}

impl Observer for Told {
    fn begin(&self, _limits: &Limits) {
        self.running.is_permitted.store(true, Ordering::Relaxed);
    }

    fn log(&self, line: &LogLine) {
        if let Some((connection, id)) = &self.events {
            let LogLine { level, message } = line.clone();
            connection.answer(*id, Reply::Log { level, message });
        }
    }

    fn progress(&self, done: u64, total: u64) {
        let Some((connection, id)) = &self.events else {
            return;
        };
        let mut last = self
            .last_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < PROGRESS_EVERY) && done < total {
            return;
        }
        *last = Some(Instant::now());
        drop(last);
        let (done, total) = (Text::of(done), Text::of(total));
        connection.answer(*id, Reply::Progress { done, total });
    }
}

/// What a message asks for, added to a request.
///
/// # Errors
/// What makes no sense, in words.
fn request(
    mut request: Request,
    ask: LaunchAsk,
    mut memories: Memories,
) -> Result<Request, String> {
    if let Some(entry) = ask.entry {
        request = request.entry(entry);
    }
    for (name, array) in &ask.inputs {
        let array = memories.array(array);
        let wrong =
            |error: MemoryError| format!("input `{}`: {}", escape(name, 256), chain(&error));
        request = request.input(name, array.map_err(wrong)?);
    }
    for (name, text) in ask.scalars {
        request = request.scalar_text(name, text.0);
    }
    for (name, text) in ask.dims {
        let extent = ScalarValue::try_parse(DType::U64, &text.0);
        let wrong =
            |error: &dyn std::fmt::Display| format!("dim `{}`: {error}", escape(&name, 256));
        let extent = extent.map_err(|error| wrong(&error))?.as_extent();
        let extent = extent.ok_or_else(|| wrong(&"no extent"))?;
        request = request.dim(name, extent);
    }
    for (name, text) in &ask.limits {
        let limit: Limit = name.parse().map_err(|error| format!("{error}"))?;
        let value = limit.unit().parse(&text.0);
        let value = value.map_err(|error| format!("limit {name}: {error}"))?;
        request = request.limit(limit, value);
    }
    if let Some(metering) = ask.metering {
        request = request.metering(metering);
    }
    if let Some(wants) = ask.wants {
        request = request.wants(wants);
    }
    if let Some(seed) = ask.seed {
        let seed = seed.0.parse().map_err(|error| format!("seed: {error}"))?;
        request = request.seed(seed);
    }
    if let Some(threads) = ask.threads {
        request = request.threads(threads);
    }
    if !ask.split {
        request = request.cutting(Cutting::Whole);
    }
    if !ask.digests {
        request = request.digests(Digests::None);
    }
    if ask.gpu_profile {
        request = request.gpu_profile();
    }
    Ok(request)
}

impl Ask {
    /// How many descriptors belong to it: up to the last that it names.
    pub(crate) fn descriptors(&self) -> usize {
        let last = match self {
            Self::Upload(upload) => Some(upload.memory),
            Self::Launch(ask) => ask.inputs.values().map(|array| array.memory).max(),
            _ => None,
        };
        last.map_or(0, |last| last.saturating_add(1))
    }
}
