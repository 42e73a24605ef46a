//! What a policy comes to for somebody: the one rule by which its parts make the terms of a launch.

use crate::FilePolicy;
use crate::file::{Binding, Mode, OTHERS, Part, TenantPart, weight_name};
use crate::pattern::Pattern;
use hotcell::{Directory, Policy, Subject, TermLimit, Terms};
use hotcell_model::budget::Resource;
use hotcell_model::digest::Digest;
use hotcell_model::grant::Grants;
use hotcell_model::limit::{Limit, LimitSource};
use hotcell_model::manifest::Kernel;
use hotcell_model::profile::Metering;
use hotcell_model::tenant::Tenant;

/// The parts of a policy that concern somebody.
pub(crate) struct Concerned<'a> {
    pub(crate) base: &'a Part,
    /// The profile's name, and what it says where the policy has it.
    pub(crate) profile: Option<(&'a str, Option<&'a Part>)>,
    /// What the tenant's table is called, and what it says; `None` where no tenants are named.
    pub(crate) tenant: Option<(&'a str, &'a TenantPart)>,
}

impl FilePolicy {
    /// The parts that concern a tenant's launch of a kernel.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn concerned<'a>(
        &'a self,
        tenant: &Tenant,
        component: Option<Digest>,
        kernel: Option<&'a Kernel>,
    ) -> Result<Concerned<'a>, String> {
        let file = &*self.file;
        let named = file.tenants.get_key_value(tenant);
        let named = named.map(|(name, part)| (name.as_str(), part));
        let tenant = match named.or_else(|| Some((OTHERS, file.others.as_ref()?))) {
            None if file.has_tenants => {
                return Err(format!(
                    "{} names no tenant `{tenant}`, and has no `[tenants.\"*\"]`",
                    self.name
                ));
            }
            found => found,
        };
        let mut profile = None;
        if let Some(kernel) = kernel {
            let fits = |binding: &&Binding| binding.fits(component, kernel);
            let binding = file.kernels.iter().find(fits);
            if let Some(why) = binding.and_then(|binding| binding.deny.as_deref()) {
                return Err(format!("{} refuses this kernel: {why}", self.name));
            }
            let bound = binding.and_then(|binding| binding.profile.as_ref());
            let name = match bound {
                Some((name, _)) => name.as_str(),
                None => weight_name(kernel.weight()),
            };
            let allowed = tenant.and_then(|(_, tenant)| tenant.profiles.as_deref());
            if let Some(allowed) = allowed
                && !allowed.iter().any(|(allowed, _)| allowed == name)
            {
                let allowed = allowed.iter().map(|(name, _)| format!("`{name}`"));
                let allowed: Vec<String> = allowed.collect();
                return Err(format!(
                    "this kernel has the profile `{name}`, and {} lets the tenant run those of {}",
                    self.name,
                    match allowed.is_empty() {
                        true => "no profile".to_owned(),
                        false => allowed.join(", "),
                    }
                ));
            }
            profile = Some((name, file.profiles.get(name)));
        }
        Ok(Concerned {
            base: &file.base,
            profile,
            tenant,
        })
    }
}

impl Concerned<'_> {
    /// The parts with what each is called, the widest first.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (String, &Part, LimitSource)> {
        let profile = self.profile.and_then(|(name, part)| {
            Some((format!("profiles.{name}."), part?, LimitSource::Profile))
        });
        let tenant = self.tenant.map(|(name, tenant)| {
            let name = match name == OTHERS {
                true => "\"*\"".to_owned(),
                false => name.to_owned(),
            };
            (
                format!("tenants.{name}."),
                &tenant.part,
                LimitSource::Tenant,
            )
        });
        let base = (String::new(), self.base, LimitSource::Policy);
        std::iter::once(base).chain(profile).chain(tenant)
    }

    pub(crate) fn grants(&self) -> Grants {
        let of_tenant = self
            .tenant
            .and_then(|(_, tenant)| tenant.part.grants.as_ref());
        let given = of_tenant.or(self.base.grants.as_ref());
        let given = given.cloned().unwrap_or_else(Grants::built_in);
        let left = self.profile.and_then(|(_, part)| part?.grants.as_ref());
        match left {
            Some(left) => given.iter().filter(|one| left.has(*one)).collect(),
            None => given,
        }
    }

    /// The tenant's directories, else everybody's.
    pub(crate) fn directories(&self) -> Vec<Directory> {
        let of_tenant = self
            .tenant
            .and_then(|(_, tenant)| tenant.part.directories.as_ref());
        let given = of_tenant.or(self.base.directories.as_ref());
        given.cloned().unwrap_or_default()
    }

    /// Whether there may be guarded processes: the tenant's word, else that for everybody.
    pub(crate) fn guarded(&self) -> bool {
        let of_tenant = self.tenant.and_then(|(_, tenant)| tenant.part.guard);
        of_tenant.or(self.base.guard).unwrap_or(true)
    }

    fn terms(&self) -> Terms {
        let mut terms = Terms {
            grants: self.grants(),
            guarded: self.guarded(),
            directories: self.directories(),
            allowance: self
                .tenant
                .map(|(_, tenant)| tenant.allowance)
                .unwrap_or_default(),
            ..Terms::default()
        };
        for (_, part, source) in self.parts() {
            for (limit, ceiling) in &part.ceilings {
                let ceilings = std::mem::take(&mut terms.ceilings);
                terms.ceilings = ceilings.lower(*limit, ceiling.value);
            }
            for (limit, rule) in &part.limits {
                let value = rule.value;
                match rule.mode {
                    Mode::Observe => {
                        terms.observed.insert(*limit, TermLimit { value, source });
                    }
                    Mode::Enforce if source == LimitSource::Policy => {
                        terms.defaults.insert(*limit, value);
                    }
                    Mode::Enforce => {
                        terms.limits.insert(*limit, TermLimit { value, source });
                        // What is nearer to the launch goes before what was to be observed farther away.
                        terms.observed.remove(limit);
                    }
                }
            }
            terms.metering = terms.metering.max(part.metering.unwrap_or(Metering::Fast));
            // Where fuel is not counted, nothing that is said of it would hold.
            if part.limits.contains_key(&Limit::Fuel) || part.ceilings.contains_key(&Limit::Fuel) {
                terms.metering = terms.metering.max(Metering::Strict);
            }
        }
        if terms.allowance.budgets.get(Resource::Fuel).is_some() {
            terms.metering = terms.metering.max(Metering::Strict);
        }
        terms
    }
}

impl Binding {
    /// Whether it fits every kernel.
    pub(crate) fn is_for_all(&self) -> bool {
        let is_any = self.name.as_ref().is_some_and(Pattern::is_any);
        is_any && self.digest.is_none() && self.weight.is_none()
    }

    fn fits(&self, component: Option<Digest>, kernel: &Kernel) -> bool {
        self.digest.is_none_or(|digest| component == Some(digest))
            && self
                .name
                .as_ref()
                .is_none_or(|name| name.fits(kernel.name()))
            && self.weight.is_none_or(|weight| weight == kernel.weight())
    }
}

impl Policy for FilePolicy {
    fn terms(&self, subject: &Subject<'_>) -> Terms {
        match self.concerned(subject.tenant, subject.component, subject.kernel) {
            Ok(concerned) => concerned.terms(),
            Err(why) => Terms::refusing(why),
        }
    }

    fn digest(&self) -> Option<Digest> {
        Some(self.digest)
    }

    fn remedy(
        &self,
        subject: &Subject<'_>,
        missing: hotcell_model::grant::Capability,
    ) -> Option<String> {
        let concerned = self
            .concerned(subject.tenant, subject.component, subject.kernel)
            .ok()?;
        let with = |grants: &Grants| -> String {
            let names = grants.clone().with(missing);
            let names: Vec<String> = names.iter().map(|one| format!("\"{one}\"")).collect();
            names.join(", ")
        };
        let given = concerned
            .tenant
            .and_then(|(_, tenant)| tenant.part.grants.as_ref());
        let given = given.or(concerned.base.grants.as_ref());
        let built_in = Grants::built_in();
        let given = given.unwrap_or(&built_in);
        if !given.has(missing) {
            let table = match concerned.tenant {
                Some((name, _)) if name != OTHERS => format!("[tenants.{name}]"),
                Some(_) => "[tenants.\"*\"]".to_owned(),
                None => "no table, at the top".to_owned(),
            };
            return Some(format!(
                "`grants = [{}]` under {table} of {} grants it",
                with(given),
                self.name
            ));
        }
        let (name, part) = concerned.profile?;
        let left = part?.grants.as_ref()?;
        Some(format!(
            "`grants = [{}]` under [profiles.{name}] of {} leaves it to kernels of that profile",
            with(left),
            self.name
        ))
    }
}
