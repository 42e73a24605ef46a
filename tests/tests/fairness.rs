//! Tenants beside each other: whatever one has queued, another's single launch waits for one of its launches on each
//! kind of worker at most, and is never refused for its sake.

use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::LogLine;
use hotcell::{Cell, CellBuilder, Component, Launch, Observer, Request, Waiting};
use hotcell_tests::bombs::Bomb;
use hotcell_tests::processes::{eventually, workers_of};
use hotcell_tests::{Guest, alone, assert_ended, cell, honest_request, isolation_of};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

/// How many launches the one tenant has.
const QUEUED: usize = 1000;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Holds launches, each at the line that it logs, until they are let go.
#[derive(Default)]
struct Gate {
    state: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    came: usize,
    let_go: usize,
}

impl Gate {
    /// Lets so many more go.
    fn let_go(&self, count: usize) {
        self.state.lock().unwrap().let_go += count;
        self.changed.notify_all();
    }

    /// How many launches have come to run.
    fn came(&self) -> usize {
        self.state.lock().unwrap().came
    }

    fn observer(self: &Arc<Self>) -> Arc<dyn Observer> {
        Arc::clone(self) as Arc<dyn Observer>
    }
}

impl Observer for Gate {
    fn log(&self, _line: &LogLine) {
        let mut held = self.state.lock().unwrap();
        held.came += 1;
        let wait = |held: &mut Held| held.let_go == 0;
        self.changed.wait_while(held, wait).unwrap().let_go -= 1;
    }
}

fn confined() -> CellBuilder {
    cell(isolation_of("confined")).runner_threads(1)
}

/// A component that logs one line; each number makes another one.
fn logs(number: usize) -> Component {
    Guest::of(format!(
        "(func $attack (drop (i32.const {number}))
            (call $emit (i32.const 1) (i32.const 512) (i32.const 1)))"
    ))
    .component()
}

fn of(tenant: &str) -> Request {
    let request = honest_request().tenant(tenant.parse().unwrap());
    request.timeout(Duration::from_secs(600))
}

fn start(cell: &Cell, component: &Component, request: Request) -> Launch {
    cell.start(component, request).expect("it is authorized")
}

/// Waits until so many launches of a tenant wait for something.
#[track_caller]
fn until(cell: &Cell, tenant: &str, of: impl Fn(Waiting) -> usize, count: usize) {
    let tenant = tenant.parse().unwrap();
    let wait = || of(cell.waiting(&tenant)) == count;
    assert!(eventually(PATIENCE, wait), "{:?}", cell.waiting(&tenant));
}

#[test]
fn a_single_launch_waits_for_one_of_a_thousand_that_want_runners() {
    let component = logs(0);
    for runners in [1, 2] {
        let gate = Arc::<Gate>::default();
        let cell = confined().max_runners(runners).build().unwrap();
        let held = || of("many").observer(gate.observer());
        let many: Vec<_> = (0..QUEUED)
            .map(|_| start(&cell, &component, held()))
            .collect();
        until(&cell, "many", |waiting| waiting.runners, QUEUED - runners);
        // Never seen before: it is described and compiled, and waits for a runner once.
        let single = start(&cell, &logs(1), of("single"));
        until(&cell, "single", |waiting| waiting.runners, 1);
        assert_eq!(gate.came(), runners);
        // Only one of the others ends, so that this one gets its runner or none.
        gate.let_go(1);
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || drop(sender.send(single.wait())));
        let ended = ended.recv_timeout(PATIENCE).expect("another went first");
        assert_ended(&ended, OutcomeKind::Done, None);
        gate.let_go(QUEUED);
        for launch in many {
            assert_ended(&launch.wait(), OutcomeKind::Done, None);
        }
    }
}

/// Has a tenant's compilation burn, and so many others of its wait; then another tenant's launch, to its end. Says how
/// many of the one tenant came to run before.
fn beside_compilations(cell: CellBuilder, queued: usize, is_free: bool) -> usize {
    let (cell, gate) = (cell.build().unwrap(), Arc::<Gate>::default());
    gate.let_go(queued);
    let permit = |number| {
        let request = of("many").observer(gate.observer());
        cell.authorize(&logs(number), request).ok().unwrap()
    };
    let permits: Vec<_> = (1..=queued).map(permit).collect();
    let burning = of("many").limit(Limit::CompileWall, 600_000_000_000);
    let burning = burning.limit(Limit::CompileMemory, 4 << 30);
    let burning = burning.limit(Limit::CompileCpu, 600_000_000_000);
    let burning = start(&cell, &Bomb::named("locals").component(), burning);
    let burns = || !workers_of(std::process::id(), "hotcell-compiler").is_empty();
    assert!(eventually(PATIENCE, burns));
    let start_one = |permit| cell.start_permitted(permit).ok().unwrap();
    let many: Vec<_> = permits.into_iter().map(start_one).collect();
    until(&cell, "many", |waiting| waiting.compile_processes, queued);
    std::thread::scope(|scope| {
        let single = scope.spawn(|| cell.run(&logs(0), of("single")));
        if !is_free {
            until(&cell, "single", |waiting| waiting.compile_processes, 1);
            burning.cancel();
        }
        assert_ended(&single.join().unwrap(), OutcomeKind::Done, None);
    });
    let came = gate.came();
    drop((burning, many));
    came
}

#[test]
fn a_single_launch_is_compiled_beside_a_thousand_that_want_compile_processes() {
    alone!(a_single_launch_is_compiled_beside_a_thousand_that_want_compile_processes);
    // As by default: one tenant cannot have every compile process.
    let cell = confined().compilers(2, 1).spares(false);
    assert_eq!(beside_compilations(cell, QUEUED, true), 0);
}

#[test]
fn tenants_take_turns_at_the_only_compile_process() {
    alone!(tenants_take_turns_at_the_only_compile_process);
    let cell = confined().compilers(1, 1).spares(false);
    let before = beside_compilations(cell, 200, false);
    // One between its two turns, to be described and to be compiled; others may come while it runs.
    assert!(before < 20, "{before} of 200 went first");
}

#[test]
fn a_full_queue_is_its_own_tenants_and_others_still_get_in() {
    let component = logs(0);
    let gate = Arc::<Gate>::default();
    let cell = confined()
        .max_runners(1)
        .queue(3)
        .queue_in_all(4)
        .build()
        .unwrap();
    let held = |tenant: &str| of(tenant).observer(gate.observer());
    let mut launches = vec![start(&cell, &component, held("many"))];
    let waits = |launches: &mut Vec<Launch>, tenant: &str, count| {
        launches.push(start(&cell, &component, held(tenant)));
        until(&cell, tenant, |waiting| waiting.runners, count);
    };
    assert!(eventually(PATIENCE, || {
        let waiting = cell.waiting(&"many".parse().unwrap());
        waiting == Waiting::default()
            && !workers_of(std::process::id(), "hotcell-runner").is_empty()
    }));
    (1..=3).for_each(|count| waits(&mut launches, "many", count));
    let refused = cell.run(&component, held("many"));
    assert_ended(&refused, OutcomeKind::Budget, Some(Blame::Request));
    assert!(
        refused
            .outcome
            .message
            .contains("3 launches of this tenant")
    );
    waits(&mut launches, "other", 1);
    // All lines are full: who has the most gives up its last for a third.
    waits(&mut launches, "third", 1);
    until(&cell, "many", |waiting| waiting.runners, 2);
    gate.let_go(launches.len());
    let ends: Vec<_> = launches.into_iter().map(Launch::wait).collect();
    let kinds: Vec<_> = ends.iter().map(|end| end.outcome.kind).collect();
    let mut expected = vec![OutcomeKind::Done; 6];
    expected[3] = OutcomeKind::Budget;
    assert_eq!(kinds, expected);
    assert_ended(&ends[3], OutcomeKind::Budget, Some(Blame::Request));
}

#[test]
fn a_tenant_with_a_bound_leaves_others_a_runner() {
    let component = logs(0);
    let gate = Arc::<Gate>::default();
    let cell = confined()
        .max_runners(2)
        .runners_per_tenant(1)
        .build()
        .unwrap();
    let held = || of("many").observer(gate.observer());
    let many: Vec<_> = (0..3).map(|_| start(&cell, &component, held())).collect();
    until(&cell, "many", |waiting| waiting.runners, 2);
    assert_ended(&cell.run(&component, of("single")), OutcomeKind::Done, None);
    gate.let_go(many.len());
    for launch in many {
        assert_ended(&launch.wait(), OutcomeKind::Done, None);
    }
}
