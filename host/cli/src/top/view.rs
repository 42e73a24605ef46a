//! What `hotcell top` draws.

use crate::ps::{age, kernel, shown_id, stage};
use crate::run::approximate;
use hotcell::{RunId, Timestamp};
use hotcell_serve::protocol::{BudgetStatus, Greeting, LaunchState, Status};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Row, Table, TableState};

/// How wide bars are, in characters.
const BAR: usize = 16;

/// A daemon as it was last seen, and what is chosen of it.
pub(crate) struct View {
    greeting: Greeting,
    status: Status,
    chosen: Option<RunId>,
    said: String,
}

impl View {
    pub(crate) fn new(greeting: Greeting, status: Status) -> Self {
        let mut view = Self {
            greeting,
            status,
            chosen: None,
            said: String::new(),
        };
        view.keep_chosen(0);
        view
    }

    /// Takes what was seen now; what is chosen stays so while it is there.
    pub(crate) fn take(&mut self, status: Status) {
        let at = self.position().unwrap_or(0);
        self.status = status;
        self.keep_chosen(at);
    }

    /// Moves the choice down, or up.
    pub(crate) fn choose(&mut self, by: isize) {
        let at = self.position().unwrap_or(0);
        self.chosen = None;
        self.keep_chosen(at.saturating_add_signed(by));
    }

    /// The launch that is chosen.
    pub(crate) fn chosen(&self) -> Option<&LaunchState> {
        self.status.launches.get(self.position()?)
    }

    /// Shows a sentence.
    pub(crate) fn say(&mut self, what: String) {
        self.said = what;
    }

    fn position(&self) -> Option<usize> {
        let mut launches = self.status.launches.iter();
        launches.position(|launch| Some(launch.launch) == self.chosen)
    }

    /// Chooses what is at that place, where what was chosen has gone.
    fn keep_chosen(&mut self, at: usize) {
        if self.position().is_none() {
            let last = self.status.launches.len().saturating_sub(1);
            let there = self.status.launches.get(at.min(last));
            self.chosen = there.map(|launch| launch.launch);
        }
    }

    pub(crate) fn draw(&self, frame: &mut Frame<'_>, now: Timestamp) {
        let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).saturating_add(3);
        let budgets: usize = self
            .status
            .tenants
            .iter()
            .map(|tenant| tenant.budgets.len().max(1))
            .sum();
        let areas = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(match self.status.pools.is_empty() {
                true => 0,
                false => rows(self.status.pools.len()),
            }),
            Constraint::Max(rows(budgets)),
            Constraint::Min(4),
            Constraint::Length(1),
        ]);
        let [head, pools, tenants, launches, foot] = areas.areas(frame.area());
        frame.render_widget(self.head(now), head);
        self.draw_pools(frame, pools);
        self.draw_tenants(frame, tenants);
        self.draw_launches(frame, launches, now);
        let keys = " ↑ ↓ choose   c cancel   q leave   ";
        let foot_line = Line::from(vec![
            Span::from(keys).reversed(),
            Span::from(format!(" {}", self.said)),
        ]);
        frame.render_widget(foot_line, foot);
    }

    fn head(&self, now: Timestamp) -> Line<'_> {
        let tenant = self.greeting.tenant.as_ref();
        let who = match (self.greeting.operator, tenant) {
            (true, _) => "the operator".to_owned(),
            (false, Some(tenant)) => format!("tenant {tenant}"),
            (false, None) => "nobody that it serves".to_owned(),
        };
        let minutes = now.since(self.status.since).as_secs() / 60;
        let up = format!("{} h {:02} min", minutes / 60, minutes % 60);
        let connections = match self.greeting.operator {
            true => format!(", {} connections", self.status.connections),
            false => String::new(),
        };
        Line::from(format!(
            "{} for {up}{connections}; seen by {who}",
            self.greeting.host
        ))
        .bold()
    }

    fn draw_pools(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.status.pools.iter().map(|pool| {
            let (busy, most) = (pool.busy as u64, pool.most as u64);
            Row::new([
                pool.name.clone(),
                bar(busy, most),
                format!("{busy} of {most}"),
                pool.idle.to_string(),
                pool.waiting.to_string(),
            ])
        });
        let widths = [14, 18, 12, 8, 10].map(Constraint::Length);
        let table =
            Table::new(rows, widths).header(header(["WORKERS", "", "BUSY", "IDLE", "WAITING"]));
        frame.render_widget(table.block(Block::bordered()), area);
    }

    fn draw_tenants(&self, frame: &mut Frame<'_>, area: Rect) {
        let mut rows = Vec::new();
        for tenant in &self.status.tenants {
            let name = [tenant.tenant.to_string(), tenant.launches.to_string()];
            let [name, launches] = name;
            let mut first = (name, launches);
            for budget in &tenant.budgets {
                let left = u64::try_from(budget.left).unwrap_or(0);
                let (name, launches) = std::mem::take(&mut first);
                rows.push(Row::new([
                    name,
                    launches,
                    budget.resource.to_string(),
                    bar(left, budget.size),
                    left_of(budget),
                ]));
            }
            if tenant.budgets.is_empty() {
                let (name, launches) = first;
                rows.push(Row::new([name, launches]));
            }
        }
        let widths = [18, 9, 12, 18, 24].map(Constraint::Length);
        let table =
            Table::new(rows, widths).header(header(["TENANT", "LAUNCHES", "BUDGET", "LEFT", ""]));
        frame.render_widget(table.block(Block::bordered()), area);
    }

    fn draw_launches(&self, frame: &mut Frame<'_>, area: Rect, now: Timestamp) {
        let rows = self.status.launches.iter().map(|launch| {
            Row::new([
                Cell::from(shown_id(launch)),
                Cell::from(launch.tenant.to_string()),
                Cell::from(launch.caller.to_string()),
                Cell::from(stage(launch.stage)),
                Cell::from(age(launch, now)),
                Cell::from(kernel(launch)),
            ])
        });
        let widths = [
            Constraint::Length(13),
            Constraint::Length(18),
            Constraint::Length(14),
            Constraint::Length(10),
            Constraint::Length(9),
            Constraint::Min(12),
        ];
        let table = Table::new(rows, widths)
            .header(header([
                "LAUNCH", "TENANT", "CALLER", "STAGE", "AGE", "KERNEL",
            ]))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
            .block(Block::bordered());
        let mut state = TableState::new().with_selected(self.position());
        frame.render_stateful_widget(table, area, &mut state);
    }
}

fn header<const N: usize>(names: [&'static str; N]) -> Row<'static> {
    Row::new(names).style(Style::new().add_modifier(Modifier::BOLD))
}

fn left_of(budget: &BudgetStatus) -> String {
    match u64::try_from(budget.left) {
        Ok(left) => format!("{} of {}", approximate(left), approximate(budget.size)),
        Err(_) => format!("{} owed", approximate(budget.left.unsigned_abs())),
    }
}

/// How much of something there is.
fn bar(part: u64, whole: u64) -> String {
    let filled = u128::from(part.min(whole)) * BAR as u128 / u128::from(whole.max(1));
    let filled = usize::try_from(filled).unwrap_or(BAR);
    format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell::{Caller, Digest};
    use hotcell_model::budget::Resource;
    use hotcell_serve::protocol::{PoolStatus, Stage, TenantStatus};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::time::{Duration, SystemTime};

    fn launch(id: u8) -> LaunchState {
        LaunchState {
            launch: RunId::from_bytes([id; 16]),
            tenant: "students".parse().unwrap(),
            caller: Caller::Uid(1000),
            component: Digest::from_bytes([0xab; 32]),
            entry: "saxpy".to_owned(),
            started: SystemTime::UNIX_EPOCH.into(),
            stage: Stage::Permitted,
        }
    }

    fn status(launches: &[u8]) -> Status {
        Status {
            since: SystemTime::UNIX_EPOCH.into(),
            connections: 3,
            pools: vec![PoolStatus {
                name: "runners".to_owned(),
                most: 4,
                busy: 2,
                idle: 1,
                waiting: 7,
            }],
            tenants: vec![TenantStatus {
                tenant: "students".parse().unwrap(),
                launches: launches.len(),
                budgets: vec![
                    BudgetStatus {
                        resource: Resource::Launches,
                        left: 25,
                        size: 100,
                    },
                    BudgetStatus {
                        resource: Resource::Fuel,
                        left: -2_000_000,
                        size: 1_000_000,
                    },
                ],
            }],
            launches: launches.iter().map(|id| launch(*id)).collect(),
        }
    }

    fn view(launches: &[u8]) -> View {
        let greeting = Greeting {
            protocols: vec![1],
            host: "hotcell 0.1.0".to_owned(),
            caller: Caller::Uid(0),
            tenant: None,
            operator: true,
        };
        View::new(greeting, status(launches))
    }

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(3725);
        terminal.draw(|frame| view.draw(frame, now.into())).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn workers_budgets_and_launches_are_shown() {
        let text = drawn(&view(&[1, 2]), 100, 24);
        for part in [
            "hotcell 0.1.0 for 1 h 02 min, 3 connections; seen by the operator",
            "████████░░░░░░░░",
            "2 of 4",
            "students",
            "████░░░░░░░░░░░░",
            "25 of 100",
            "2.0M owed",
            "010101010101",
            "saxpy of abababababab",
            "c cancel",
        ] {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
        // Whatever the terminal is.
        for (width, height) in [(1, 1), (20, 5), (300, 100)] {
            drawn(&view(&[1, 2, 3]), width, height);
        }
    }

    #[test]
    fn what_is_chosen_stays_so_while_it_is_there() {
        let mut view = view(&[1, 2, 3]);
        let chosen = |view: &View| view.chosen().map(|launch| launch.launch.as_bytes()[0]);
        assert_eq!(chosen(&view), Some(1));
        view.choose(-1);
        assert_eq!(chosen(&view), Some(1));
        view.choose(1);
        view.take(status(&[0, 2, 3]));
        assert_eq!(chosen(&view), Some(2));
        view.take(status(&[0, 3]));
        assert_eq!(chosen(&view), Some(3));
        view.choose(5);
        assert_eq!(chosen(&view), Some(3));
        view.take(status(&[]));
        assert_eq!(chosen(&view), None);
        view.choose(1);
        view.take(status(&[9]));
        assert_eq!(chosen(&view), Some(9));
    }
}
