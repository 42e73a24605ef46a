//! The forms in which one shader is compiled.

/// What is in a shader besides its author's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Checked bounds, and loops that may run for ever. What the others are compared with.
    Plain,
    /// As hotcell has it: fuel, checked bounds, no bound on loops besides.
    Fuel,
    /// As wgpu has it: checked bounds, and naga's bound on every loop.
    Bounded,
    /// Both.
    FuelAndBounded,
    /// Neither, and no bounds checked either.
    Unchecked,
}

impl Form {
    /// All, the one to compare with first.
    pub(super) const ALL: [Self; 5] = [
        Self::Plain,
        Self::Fuel,
        Self::Bounded,
        Self::FuelAndBounded,
        Self::Unchecked,
    ];

    /// The name in tables and among numbers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "unmetered",
            Self::Fuel => "fuel",
            Self::Bounded => "loop bounding",
            Self::FuelAndBounded => "both",
            Self::Unchecked => "unchecked",
        }
    }

    /// Whether fuel is woven in.
    pub(super) fn is_metered(self) -> bool {
        matches!(self, Self::Fuel | Self::FuelAndBounded)
    }

    /// What naga adds.
    pub(super) fn checks(self) -> wgpu::ShaderRuntimeChecks {
        let all = match self {
            Self::Unchecked => wgpu::ShaderRuntimeChecks::unchecked(),
            _ => wgpu::ShaderRuntimeChecks::checked(),
        };
        wgpu::ShaderRuntimeChecks {
            force_loop_bounding: matches!(self, Self::Bounded | Self::FuelAndBounded),
            ..all
        }
    }
}
