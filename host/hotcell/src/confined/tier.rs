//! A worker's layers, held against the tier that is required.

use super::fault::name;
use hotcell_model::layer::{Layer, LayerReport, LayerState, Tier, WorkerKind};
use hotcell_model::outcome::{Cause, Outcome};

/// Holds a worker's layers against the tier that is required. A runner that has not loaded yet lacks its last
/// layer still: `to_come` names what is not asked for.
pub(crate) fn check_tier(
    layers: &[LayerReport],
    to_come: Option<Layer>,
    required: Tier,
    kind: WorkerKind,
) -> Result<(), Outcome> {
    let mut expected = layers.to_vec();
    expected.extend(to_come.map(|layer| LayerReport::enforced(layer, "to come")));
    let tier = Tier::of_worker(kind, &expected);
    if tier >= required {
        return Ok(());
    }
    let missing: Vec<String> = Layer::ALL
        .into_iter()
        .filter(|layer| Some(*layer) != to_come)
        .filter_map(|layer| missing(layer, layers))
        .collect();
    Err(Outcome::because(vec![Cause::TierTooLow {
        worker: name(kind).to_owned(),
        tier,
        required,
        missing,
    }]))
}

/// What is said of a layer that is absent, if it is, and if the tier depends on it.
fn missing(layer: Layer, layers: &[LayerReport]) -> Option<String> {
    let report = layers.iter().find(|report| report.layer == layer);
    match report.map(|report| &report.state) {
        Some(LayerState::Enforced(_)) => None,
        Some(LayerState::Absent { .. }) | None if layer == Layer::Cgroup => None,
        Some(LayerState::Absent { why, remedy }) => {
            Some(format!("{layer} is absent: {why} (remedy: {remedy})"))
        }
        None => Some(format!(
            "{layer} is absent: the worker does not speak of it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::outcome::{Blame, OutcomeKind};

    fn layers(absent: &[Layer]) -> Vec<LayerReport> {
        let report = |layer: Layer| match absent.contains(&layer) {
            true => LayerReport::absent(layer, "not in this kernel", "a newer one"),
            false => LayerReport::enforced(layer, ""),
        };
        Layer::ALL.into_iter().map(report).collect()
    }

    #[test]
    fn a_tier_below_the_required_one_says_what_is_missing_and_what_accepts_it() {
        let check = |absent: &[Layer], required| {
            check_tier(&layers(absent), None, required, WorkerKind::Runner)
        };
        assert_eq!(check(&[Layer::Cgroup], Tier::Full), Ok(()));
        assert_eq!(check(&[Layer::Landlock], Tier::Unprivileged), Ok(()));
        let refused = check(&[Layer::Landlock, Layer::Cgroup], Tier::Full).unwrap_err();
        assert_eq!(refused.kind, OutcomeKind::Isolation);
        assert_eq!(refused.blame, Some(Blame::Operator));
        let says = "landlock is absent: not in this kernel (remedy: a newer one)";
        assert!(refused.message.contains(says), "{}", refused.message);
        assert!(!refused.message.contains("cgroup"));
        let tier = match &refused.causes[..] {
            [Cause::TierTooLow { tier, .. }] => Some(*tier),
            _ => None,
        };
        assert_eq!(tier, Some(Tier::Unprivileged));
    }

    #[test]
    fn a_layer_that_is_to_come_is_not_asked_for_yet() {
        let mut early = layers(&[]);
        early.retain(|report| report.layer != Layer::Filter);
        let check = |to_come| check_tier(&early, to_come, Tier::Full, WorkerKind::Runner);
        assert_eq!(check(Some(Layer::Filter)), Ok(()));
        assert!(
            check(None)
                .unwrap_err()
                .message
                .contains("filter is absent")
        );
    }
}
