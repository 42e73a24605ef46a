//! A profile as a page for people: one HTML file with its style and pictures in it, and nothing that is fetched or runs.
//!
//! What a kernel or its author has named is text here, and never markup. The one thing that is markup already is the flame
//! graph, which whoever makes it answers for.

mod plot;

use crate::baseline::Shown;
use crate::fit::{Model, Quantity, Sizes};
use crate::gpu::GpuRecord;
use crate::number;
use crate::record::{Profile, Purpose};
use crate::suggest::{Margin, Suggestion};
use crate::take::amount;
use hotcell::limit::Unit;
use hotcell_model::manifest::units::format_count;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plot::{Curve, Mark, MarkKind, Plot};

const STYLE: &str = include_str!("page/style.css");
/// Places at which a curve is drawn.
const DRAWN: u32 = 64;

/// The page of a profile, with the limits that are suggested, and the flame graph of a launch where there is one: an SVG, as it
/// is.
pub fn page(
    profile: &Profile,
    suggestion: Option<&Suggestion>,
    margin: Margin,
    flame_graph: Option<&str>,
) -> String {
    let title = format!("{}: what it costs", profile.entry);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (header(profile))
                    (curves(profile))
                    (models(profile))
                    (worst(profile))
                    @if let Some(record) = &profile.gpu { (gpu(record)) }
                    @if let Some(suggestion) = suggestion { (limits(profile, suggestion, margin)) }
                    (flames(flame_graph))
                    (points(profile))
                }
            }
        }
    };
    page.into_string()
}

fn header(profile: &Profile) -> Markup {
    let swept = profile.swept.iter();
    let swept: Vec<_> = swept
        .map(|(name, [low, high])| {
            format!("{name} {} to {}", format_count(*low), format_count(*high))
        })
        .collect();
    let given = [&profile.fixed, &profile.scalars, &profile.fills];
    let given: Vec<_> = given
        .into_iter()
        .flatten()
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    let done = profile
        .points
        .iter()
        .filter(|point| point.sample.is_done())
        .count();
    let digest = profile.component.to_string();
    html! {
        header {
            p.over { "hotcell profile" }
            h1 { (profile.entry) }
            p.dim { code { (profile.shape.signature) } }
            dl.facts {
                div { dt { "swept" } dd { (swept.join(", ")) } }
                @if !given.is_empty() { div { dt { "given" } dd { (given.join(", ")) } } }
                div { dt { "launches" } dd { (profile.points.len()) ", " (done) " done" } }
                div { dt { "metering" } dd { (profile.metering) } }
                div { dt { "component" } dd { code title=(digest) { (&digest[..digest.len().min(16)]) "…" } } }
                div { dt { "measured by" } dd { (profile.host) ", " (profile.isolation) } }
            }
        }
    }
}

/// A value in its unit, with three digits.
fn shown(quantity: Quantity, value: f64) -> String {
    let scaled = |steps: &[(f64, &str)]| {
        let step = steps.iter().rev().find(|(least, _)| value >= *least);
        let (least, unit) = step.or(steps.first()).copied().unwrap_or((1.0, ""));
        let scaled = value / least;
        let digits =
            usize::from(scaled < 100.0 && least > 1.0) + usize::from(scaled < 10.0 && least > 1.0);
        let number = format!("{scaled:.digits$}");
        let number = match number.contains('.') {
            true => number
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned(),
            false => number,
        };
        format!("{number}{unit}")
    };
    match quantity {
        Quantity::Fuel => scaled(&[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")]),
        Quantity::Memory => scaled(&[
            (1.0, " B"),
            (1024.0, " KiB"),
            (1024.0 * 1024.0, " MiB"),
            (1024.0 * 1024.0 * 1024.0, " GiB"),
        ]),
        Quantity::Time => scaled(&[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")]),
    }
}

fn curves(profile: &Profile) -> Markup {
    let words = match profile.swept.len() {
        1 => {
            "Each point is a launch; the line is the model, and the shade how far off it may be. Both axes are logarithmic."
        }
        _ => {
            "Each point is a launch: to the right what its model foretells, upwards what was measured. On the line they are the same. Both axes are logarithmic."
        }
    };
    html! {
        section {
            h2 { "Costs by size" }
            p.dim { (words) }
            p.legend aria-hidden="true" {
                span { svg viewBox="0 0 10 10" { circle class="fitted" cx="5" cy="5" r="3.4" {} } "fitted" }
                span { svg viewBox="0 0 10 10" { circle class="held" cx="5" cy="5" r="3.2" {} } "held out" }
                span { svg viewBox="0 0 10 10" { circle class="other" cx="5" cy="5" r="2.4" {} } "other arrays" }
            }
            div.plots {
                @for quantity in Quantity::ALL {
                    @if let Some(model) = profile.model(quantity) { (curve(profile, model)) }
                }
            }
        }
    }
}

fn curve(profile: &Profile, model: &Model) -> Markup {
    let quantity = model.quantity;
    let one = match profile.swept.iter().next() {
        Some((name, ends)) if profile.swept.len() == 1 => Some((name.as_str(), *ends)),
        _ => None,
    };
    let marks = profile.points.iter().filter(|point| point.sample.is_done());
    let marks = marks.filter_map(|point| {
        let y = number::of(amount(quantity, &point.sample));
        let x = match one {
            Some((name, _)) => number::of(*point.sizes.get(name)?),
            None => profile.predict(quantity, &point.sizes)?,
        };
        let kind = match point.purpose {
            Purpose::Fitted => MarkKind::Fitted,
            Purpose::HeldOut => MarkKind::HeldOut,
            Purpose::Kinds | Purpose::Honest => MarkKind::Other,
        };
        Some(Mark { x, y, kind })
    });
    let marks: Vec<Mark> = marks.collect();
    let band = model.band;
    let curve = match one {
        Some((name, ends)) => drawn(profile, model, name, ends),
        None => {
            let all = marks.iter().map(|mark| mark.x).filter(|x| *x > 0.0);
            let (least, most) = all.fold((f64::MAX, 0.0), |(least, most): (f64, f64), x| {
                (least.min(x), most.max(x))
            });
            match least <= most {
                true => vec![(least, least), (most, most)],
                false => Vec::new(),
            }
        }
    };
    let label = format!(
        "{quantity}: {}; {}",
        match &model.irregular {
            Some(why) => format!("irregular, {why}"),
            None => format!(
                "{} with an error of at most {:.1} % on held-out sizes",
                model.text, model.held_out.max_percent
            ),
        },
        extent_in_words(quantity, &marks)
    );
    let plot = Plot {
        label: &label,
        marks: &marks,
        curve: Curve { line: &curve, band },
        x_title: one.map_or("foretold", |(name, _)| name),
    };
    html! {
        figure {
            figcaption {
                strong { (quantity) }
                @if model.is_regular() { " " code { (model.text) } } @else { " " span.bad { "irregular" } }
            }
            (plot.draw(
                &|x| if one.is_some() { shown(Quantity::Fuel, x) } else { shown(quantity, x) },
                &|y| shown(quantity, y),
            ))
        }
    }
}

/// The model from one end of what is swept to the other.
fn drawn(profile: &Profile, model: &Model, name: &str, [low, high]: [u64; 2]) -> Vec<(f64, f64)> {
    // Whatever else there is has the size that it has at the largest launch, unless it follows from what is swept.
    let Some(any) = profile.points.iter().find(|point| point.sample.is_done()) else {
        return Vec::new();
    };
    let (first, last) = (number::of(low.max(1)), number::of(high.max(1)));
    let at = |step: u32| {
        let size = first * (last / first).powf(f64::from(step) / f64::from(DRAWN));
        let mut sizes: Sizes = any.sizes.clone();
        sizes.insert(name.to_owned(), number::ceil(size.round()));
        let foretold = profile.predict(model.quantity, &sizes)?;
        Some((size, foretold))
    };
    (0..=DRAWN).filter_map(at).collect()
}

fn extent_in_words(quantity: Quantity, marks: &[Mark]) -> String {
    let values = marks.iter().map(|mark| mark.y);
    let (least, most) = values.fold((f64::MAX, 0.0), |(least, most): (f64, f64), y| {
        (least.min(y), most.max(y))
    });
    match marks.len() {
        0 => "no launch was done".to_owned(),
        count => format!(
            "{count} launches from {} to {}",
            shown(quantity, least),
            shown(quantity, most)
        ),
    }
}

fn models(profile: &Profile) -> Markup {
    html! {
        section {
            h2 { "Models" }
            div.wide { table {
                thead { tr {
                    th scope="col" { "of" } th scope="col" { "as a function of the sizes" }
                    th.number scope="col" { "largest error" } th.number scope="col" { "median" }
                    th.number scope="col" { "allowed" } th.number scope="col" { "band" } th scope="col" { "verdict" }
                } }
                tbody { @for model in &profile.models {
                    tr {
                        th scope="row" { (model.quantity) }
                        td.formula { @if model.text.is_empty() { "–" } @else { code { (model.text) } } }
                        td.number { (format!("{:.2} %", model.held_out.max_percent)) }
                        td.number { (format!("{:.2} %", model.held_out.median_percent)) }
                        td.number { (model.quantity.tolerance_percent()) " %" }
                        td.number { (format!("×{:.3} to ×{:.3}", model.band[0], model.band[1])) }
                        td { @match &model.irregular {
                            None => span.good { "regular" },
                            Some(why) => { span.bad { "irregular" } span.dim { ": " (why) } },
                        } }
                    }
                } }
            } }
            p.dim {
                "Errors are on " (profile.models.iter().map(|model| model.held_out.points).max().unwrap_or(0))
                " sizes that took no part in the fit. Time is judged by its median."
            }
        }
    }
}

fn worst(profile: &Profile) -> Markup {
    let largest = profile.largest();
    let base = profile
        .done(&[Purpose::Fitted])
        .find(|point| point.sizes == largest)
        .map(|point| number::of(point.sample.fuel));
    html! {
        section {
            h2 { "Arrays that cost more" }
            @match &profile.worst {
                None => p.none { "They were not looked for." },
                Some(worst) => {
                    p {
                        "The most that " (worst.launches) " launches found is "
                        strong { (format!("{:.2}", worst.ratio_to_median)) " times" }
                        " the median of ordinary arrays of the same sizes: "
                        (format!("{:.1}", worst.fuel_per_element)) " fuel an element at "
                        (Shown(&worst.sizes).to_string()) "."
                    }
                    p { "Made by " code { (worst.recipe) } }
                },
            }
            div.wide { table {
                thead { tr { th scope="col" { "arrays" } th.number scope="col" { "fuel" } th.number scope="col" { "against ordinary" } th scope="col" { "ended" } } }
                tbody { @for point in profile.points.iter().filter(|point| point.purpose == Purpose::Kinds) {
                    tr {
                        td { code { (point.recipe) } }
                        td.number { (shown(Quantity::Fuel, number::of(point.sample.fuel))) }
                        td.number { @match base.filter(|_| point.sample.is_done()) {
                            Some(base) => (format!("×{:.3}", number::of(point.sample.fuel) / base.max(1.0))),
                            None => "–",
                        } }
                        td { (point.sample.outcome) @if !point.sample.message.is_empty() { span.dim { ": " (point.sample.message) } } }
                    }
                } }
            } }
        }
    }
}

fn gpu(record: &GpuRecord) -> Markup {
    let time = |ns| shown(Quantity::Time, number::of(ns));
    let fuel = |fuel| shown(Quantity::Fuel, number::of(fuel));
    html! {
        section {
            h2 { "On the GPU" }
            p {
                "The device was busy for " strong { (format!("{:.0}", 100.0 * record.busy())) " %" }
                " of a launch of " (time(record.wall_ns)) " at " (Shown(&record.sizes).to_string()) ": "
                (record.dispatches) " dispatches, GPU fuel " (fuel(record.fuel)) ", on " (record.device) "."
            }
            div.wide { table {
                thead { tr {
                    th scope="col" { "shader" } th scope="col" { "entry point" } th.number scope="col" { "dispatches" }
                    th.number scope="col" { "invocations" } th.number scope="col" { "fuel" } th.number scope="col" { "a dispatch" }
                    th.number scope="col" { "time" } th.number scope="col" { "longest" }
                } }
                tbody { @for kernel in &record.kernels {
                    @let spent = kernel.fuel_static.saturating_add(kernel.fuel_dynamic);
                    tr {
                        th scope="row" { code { (kernel.shader) } }
                        td { code { (kernel.entry) } }
                        td.number { (kernel.dispatches) }
                        td.number { (kernel.invocations) }
                        td.number { (fuel(spent)) }
                        td.number { (fuel(spent / kernel.dispatches.max(1))) }
                        td.number { (time(kernel.time_ns)) }
                        td.number { (time(kernel.longest_ns)) }
                    }
                } }
            } }
            p.dim { "Dispatches were waited for one by one for this: each one's time is that from its submission to its end." }
        }
    }
}

fn limits(profile: &Profile, suggestion: &Suggestion, margin: Margin) -> Markup {
    let (stops, by_size) = (suggestion.false_stops, profile.false_stops_by_size(margin));
    html! {
        section {
            h2 { "Limits that fit" }
            p.dim { "For launches up to " (Shown(&suggestion.sizes).to_string()) ", " (format!("{:.0}", margin.percent())) " % above the most that was seen." }
            div.wide { table {
                thead { tr { th scope="col" { "limit" } th.number scope="col" { "value" } th scope="col" { "why" } } }
                tbody { @for one in &suggestion.limits {
                    tr { th scope="row" { code { (one.limit) } } td.number { (value(one.limit.unit(), one.value)) } td.words { (one.why) } }
                } }
            } }
            p {
                "Of " (stops.runs) " honest launches " strong { (stops.stopped) } " would have been stopped: at most "
                (format!("{:.2}", stops.at_most_percent())) " % are, at 95 % confidence. Limits for each launch's own sizes would have stopped "
                strong { (by_size.stopped) } "."
            }
            @for note in &suggestion.notes { p.dim { (note) "." } }
        }
    }
}

fn value(unit: Unit, value: u64) -> String {
    unit.format(value)
}

fn flames(flame_graph: Option<&str>) -> Markup {
    html! {
        @if let Some(svg) = flame_graph {
            section { h2 { "Where the time goes" } div.flames { (PreEscaped(svg)) } }
        }
    }
}

fn points(profile: &Profile) -> Markup {
    let shown_points = profile
        .points
        .iter()
        .filter(|point| matches!(point.purpose, Purpose::Fitted | Purpose::HeldOut));
    let names: Vec<&String> = profile.swept.keys().collect();
    html! {
        section {
            details {
                summary { "Every size that was measured" }
                div.wide { table {
                    thead { tr {
                        @for name in &names { th.number scope="col" { (name) } }
                        th.number scope="col" { "fuel" } th.number scope="col" { "time" } th.number scope="col" { "memory" }
                        th.number scope="col" { "chunks" } th scope="col" { "ended" }
                    } }
                    tbody { @for point in shown_points {
                        tr {
                            @for name in &names { td.number { (point.sizes.get(*name).copied().unwrap_or(0)) } }
                            td.number { (point.sample.fuel) }
                            td.number { (shown(Quantity::Time, number::of(point.sample.time_ns))) }
                            td.number { (shown(Quantity::Memory, number::of(point.sample.memory_bytes))) }
                            td.number { (point.sample.instances) }
                            td { (point.sample.outcome) @if point.purpose == Purpose::HeldOut { span.dim { ", held out" } } }
                        }
                    } }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suggest::suggest;
    use crate::tests::linear;

    fn page_of(profile: &Profile, flames: Option<&str>) -> String {
        let margin = Margin::default();
        page(
            profile,
            suggest(profile, &[], margin).as_ref(),
            margin,
            flames,
        )
    }

    #[test]
    fn the_page_has_everything_in_it_and_fetches_nothing() {
        let page = page_of(&linear(), Some("<svg id=\"flames\"></svg>"));
        for has in [
            "12*n + 5000",
            "Limits that fit",
            "id=\"flames\"",
            "fuel",
            "regular",
            "×1.500",
            "prefers-color-scheme",
        ] {
            assert!(page.contains(has), "{has}");
        }
        for hasnt in [
            "<script", "http://", "https://", "url(", "<link", "NaN", "inf\"", "onload",
        ] {
            assert!(!page.contains(hasnt), "{hasnt}");
        }
        assert_eq!(page.matches("role=\"img\"").count(), 3);
        assert_eq!(page.matches("aria-label=").count(), 3);
        assert!(!page_of(&linear(), None).contains("Where the time goes"));
    }

    #[test]
    fn what_a_kernel_is_called_is_text() {
        let mut profile = linear();
        profile.entry = "<script>alert(1)</script>".to_owned();
        profile.points[0].sample.message = "<b>".to_owned();
        let page = page_of(&profile, None);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }

    #[test]
    fn what_a_gpu_did_is_on_the_page_as_text() {
        use hotcell_model::gpu::GpuKernelUsage;
        let mut profile = linear();
        profile.gpu = Some(GpuRecord {
            device: "<lavapipe>".to_owned(),
            wall_ns: 2_000_000,
            busy_ns: 500_000,
            kernels: vec![GpuKernelUsage {
                dispatches: 4,
                fuel_static: 4000,
                time_ns: 400_000,
                longest_ns: 200_000,
                ..GpuKernelUsage::named("<i>.wgsl", "main")
            }],
            ..GpuRecord::default()
        });
        let page = page_of(&profile, None);
        for has in [
            "25 %",
            "&lt;lavapipe&gt;",
            "&lt;i&gt;.wgsl",
            "400 µs",
            "200 µs",
            ">1k<",
        ] {
            assert!(page.contains(has), "{has}");
        }
        assert!(!page_of(&linear(), None).contains("On the GPU"));
    }

    #[test]
    fn nothing_done_is_a_page_too() {
        let mut profile = linear();
        profile.points.clear();
        profile.models.clear();
        profile.worst = None;
        let page = page_of(&profile, None);
        assert!(page.contains("</html>") && page.contains("They were not looked for."));
    }

    #[test]
    fn values_have_three_digits() {
        for (quantity, value, text) in [
            (Quantity::Fuel, 12_345.0, "12.3k"),
            (Quantity::Fuel, 999.0, "999"),
            (Quantity::Memory, 1_310_720.0, "1.25 MiB"),
            (Quantity::Time, 2e9, "2 s"),
            (Quantity::Time, 0.0, "0 ns"),
        ] {
            assert_eq!(shown(quantity, value), text);
        }
    }
}
