//! Which tenant somebody belongs to, whom the operating system vouches for.

use crate::FilePolicy;
use crate::file::Subjected;
use hotcell_model::tenant::Tenant;

/// A user of this machine, with what they are called and the groups that they are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The user's name, where there is one.
    pub name: Option<String>,
    /// The groups.
    pub groups: Vec<Group>,
}

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's number.
    pub gid: u32,
    /// The group's name, where there is one.
    pub name: Option<String>,
}

impl User {
    /// Whether a policy that names `subject` means this user.
    pub fn is(&self, subject: &Subjected) -> bool {
        let mut groups = self.groups.iter();
        match subject {
            Subjected::User(name) => self.name.as_ref() == Some(name),
            Subjected::Uid(number) => self.uid == *number,
            Subjected::Group(name) => groups.any(|group| group.name.as_ref() == Some(name)),
            Subjected::Gid(number) => groups.any(|group| group.gid == *number),
        }
    }

    /// The tenant of a user that no policy names: `uid-1000`. Names are not used, since a user's may be another tenant's.
    pub fn own_tenant(&self) -> Option<Tenant> {
        format!("uid-{}", self.uid).parse().ok()
    }
}

impl FilePolicy {
    /// The tenant that a user belongs to: of those that name the user or a group of theirs, the first in the order of names;
    /// else, where the policy has `[tenants."*"]` or names no tenants at all, one of the user's own. `None` where the policy
    /// serves no such user.
    pub fn tenant_of(&self, user: &User) -> Option<Tenant> {
        let file = &*self.file;
        let named = file.tenants.iter().find(|(_, tenant)| {
            let mut subjects = tenant.subjects.iter();
            subjects.any(|(subject, _)| user.is(subject))
        });
        if let Some((tenant, _)) = named {
            return Some(tenant.clone());
        }
        let serves_others = !file.has_tenants || file.others.is_some();
        let own = user.own_tenant().filter(|_| serves_others)?;
        // Whoever wrote a tenant of that name meant those whom it names.
        (!file.tenants.contains_key(&own)).then_some(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(policy: &str, user: &User) -> Option<String> {
        let policy = FilePolicy::read("hotcell.toml", policy).unwrap();
        policy.tenant_of(user).map(String::from)
    }

    fn alice() -> User {
        User {
            uid: 1000,
            name: Some("alice".to_owned()),
            groups: [(1000, "alice"), (50, "students")]
                .map(|(gid, name)| Group {
                    gid,
                    name: Some(name.to_owned()),
                })
                .into(),
        }
    }

    #[test]
    fn users_belong_to_the_first_tenant_that_names_them_or_a_group_of_theirs() {
        for (subject, is_hers) in [
            ("user:alice", true),
            ("uid:1000", true),
            ("group:students", true),
            ("gid:50", true),
            ("user:students", false),
            ("group:teachers", false),
            ("uid:50", false),
            ("gid:1001", false),
        ] {
            let policy = format!("schema = 1\n[tenants.t]\nsubjects = [\"{subject}\"]\n");
            let expected = is_hers.then(|| "t".to_owned());
            assert_eq!(tenant(&policy, &alice()), expected, "{subject}");
        }
        let both = "schema = 1\n[tenants.b]\nsubjects = [\"user:alice\"]\n[tenants.a]\nsubjects = [\"gid:50\"]\n";
        assert_eq!(tenant(both, &alice()).as_deref(), Some("a"));
    }

    #[test]
    fn whom_no_tenant_names_has_a_tenant_of_their_own_or_none_and_never_anothers() {
        assert_eq!(
            tenant("schema = 1\n", &alice()).as_deref(),
            Some("uid-1000")
        );
        let others = "schema = 1\n[tenants.\"*\"]\n";
        assert_eq!(tenant(others, &alice()).as_deref(), Some("uid-1000"));
        assert_eq!(tenant("schema = 1\n[tenants.alice]\n", &alice()), None);
        let squatted =
            "schema = 1\n[tenants.\"*\"]\n[tenants.uid-1000]\nsubjects = [\"user:bob\"]\n";
        assert_eq!(tenant(squatted, &alice()), None);
    }
}
