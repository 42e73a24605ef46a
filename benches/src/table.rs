//! Tables on the terminal, as Markdown so that they can go into a document.

/// Prints a title and a table; the first column is left-aligned, the others right-aligned.
pub(crate) fn print(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .map(|row| row.get(column).map_or(0, |cell| cell.chars().count()));
        cells
            .chain([columns[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    println!("\n### {title}\n");
    let head: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    line(&widths, &head);
    let rules = widths.iter().enumerate().map(|(i, width)| match i {
        0 => "-".repeat(*width),
        _ => format!("{}:", "-".repeat(width.saturating_sub(1))),
    });
    line(&widths, &rules.collect::<Vec<_>>());
    rows.iter().for_each(|row| line(&widths, row));
}

fn line(widths: &[usize], cells: &[String]) {
    let cells = widths
        .iter()
        .zip(cells)
        .enumerate()
        .map(|(i, (&width, cell))| match i {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
    println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
}

/// Seconds in a unit that fits.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// A ratio with two digits after the point.
pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.2}×")
}

/// How much more than 1 a ratio is, in per cent.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{:+.0} %", (ratio - 1.0) * 100.0)
}

/// Bytes per second.
pub(crate) fn bandwidth(bytes: u64, seconds: f64) -> String {
    format!("{:.2} GB/s", bytes as f64 / seconds / 1e9)
}
