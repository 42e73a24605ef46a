//! `hotcell top`

mod view;

use crate::connect::failed;
use crate::exit::CommandError;
use crate::ps::DaemonArgument;
use crate::say::print;
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::outcome::OutcomeKind;
use hotcell_manifest::units::parse_duration;
use hotcell_serve::client::{Client, ClientError};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use view::View;

/// Watch a daemon: its workers, budgets and launches, and cancel what should not go on
#[derive(Args)]
pub(crate) struct TopCommand {
    /// Print what there is once, as JSON
    #[arg(long)]
    json: bool,
    /// How often it is looked at
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    every: Duration,
    #[command(flatten)]
    daemon: DaemonArgument,
}

/// The daemon lets a client ask this often at most.
const AT_MOST_EVERY: Duration = Duration::from_millis(50);

impl TopCommand {
    /// Shows the daemon until somebody leaves.
    pub(crate) fn execute(self) -> Result<()> {
        let mut client = self.daemon.client()?;
        if self.json {
            let status = client.status().map_err(failed)?;
            let json = serde_json::to_string_pretty(&status)?;
            return print(format_args!("{json}\n"));
        }
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let error =
                anyhow!("this is for a terminal: `hotcell top --json` prints the same once");
            return Err(CommandError::of(OutcomeKind::Usage, error));
        }
        let mut terminal = ratatui::init();
        let watched = watch(&mut terminal, &mut client, self.every.max(AT_MOST_EVERY));
        ratatui::restore();
        watched
    }
}

fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    client: &mut Client,
    every: Duration,
) -> Result<()> {
    let mut view = View::new(client.greeting().clone(), client.status().map_err(failed)?);
    let mut next = Instant::now() + every;
    loop {
        terminal.draw(|frame| view.draw(frame, std::time::SystemTime::now().into()))?;
        if event::poll(next.saturating_duration_since(Instant::now()))? {
            let Event::Key(key) = event::read()? else {
                continue;
            };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    return Ok(());
                }
                KeyCode::Up | KeyCode::Char('k') => view.choose(-1),
                KeyCode::Down | KeyCode::Char('j') => view.choose(1),
                KeyCode::Char('c') => cancel(client, &mut view)?,
                _ => {}
            }
            continue;
        }
        view.take(client.status().map_err(failed)?);
        next = Instant::now() + every;
    }
}

fn cancel(client: &mut Client, view: &mut View) -> Result<()> {
    let Some(launch) = view.chosen().cloned() else {
        return Ok(());
    };
    match client.cancel(launch.launch) {
        Ok(()) => view.say(format!(
            "{} was asked to stop",
            crate::ps::shown_id(&launch)
        )),
        Err(ClientError::Refused { message, .. }) => view.say(message),
        Err(error) => return Err(failed(error)),
    }
    view.take(client.status().map_err(failed)?);
    Ok(())
}
