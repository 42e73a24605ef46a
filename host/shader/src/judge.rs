//! What is to be made of a shader of a component's section, before anything is launched.
//!
//! Whoever calls this is confined: naga reads a hostile text here. It is judged as it would be by a device with the least
//! that is promised, under the default limits and without values for `override` constants; a launch judges for itself.

use crate::admission::{AdmissionLimits, RefusalReason, ShaderRefusal, admit, compute_entries};
use crate::panics::caught;
use crate::static_cost::static_cost;
use hotcell_model::shader::{Judged, SHADER_ENTRIES, SHADER_WORDS_BYTES, ShaderEntry, Verdict};
use hotcell_model::text;

/// Judges each compute entry point of a text.
pub fn judge(text: &[u8]) -> Judged {
    let limits = AdmissionLimits::by_default();
    let Ok(wgsl) = std::str::from_utf8(text) else {
        return Judged::Refused("it is not UTF-8".to_owned());
    };
    let entries = caught(|| compute_entries(wgsl, &limits)).unwrap_or_else(|_| Err(front_end()));
    match entries {
        Err(refusal) => Judged::Refused(words(&refusal.to_string())),
        Ok(entries) if entries.is_empty() => {
            Judged::Refused("it has no compute entry point".to_owned())
        }
        Ok(entries) if entries.len() > SHADER_ENTRIES => Judged::Refused(format!(
            "{} compute entry points, at most {SHADER_ENTRIES} allowed in a component's section",
            entries.len()
        )),
        Ok(entries) => Judged::Entries(
            entries
                .iter()
                .map(|entry| judge_entry(wgsl, entry, &limits))
                .collect(),
        ),
    }
}

fn judge_entry(wgsl: &str, entry: &str, limits: &AdmissionLimits) -> ShaderEntry {
    let admitted = || {
        let admitted = admit(wgsl, entry, &[], limits)?;
        Ok(Verdict::Admitted {
            operations: admitted.cost().operations(),
            cost: Box::new(static_cost(&admitted)),
        })
    };
    ShaderEntry {
        name: words(entry),
        verdict: match caught(admitted).unwrap_or_else(|_| Err(front_end())) {
            Ok(verdict) => verdict,
            Err(ShaderRefusal {
                reason: RefusalReason::MissingConstant(name),
                ..
            }) => Verdict::Open(words(&name)),
            Err(refusal) => Verdict::Refused(words(&refusal.to_string())),
        },
    }
}

fn front_end() -> ShaderRefusal {
    ShaderRefusal::of_shader(RefusalReason::FrontEnd)
}

fn words(words: &str) -> String {
    text::escape(words, SHADER_WORDS_BYTES - '…'.len_utf8())
}
