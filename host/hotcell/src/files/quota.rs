//! What a launch may use of files, and what it has.

use hotcell_model::files::FileUsage;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};

/// A launch's quotas. Each is charged before anything is given; what passes one ends the launch.
pub(super) struct Quota {
    limits: Limits,
    handles: u64,
    used: FileUsage,
}

impl Quota {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            handles: 0,
            used: FileUsage::default(),
        }
    }

    /// What was used so far.
    pub(super) fn used(&self) -> &FileUsage {
        &self.used
    }

    /// One more that is open.
    pub(super) fn charge_handle(&mut self) -> Result<(), Breach> {
        self.check(Limit::FileHandles, self.handles, 1)?;
        self.handles += 1;
        self.used.peak_handles = self.used.peak_handles.max(self.handles);
        Ok(())
    }

    /// One less.
    pub(super) fn give_back_handle(&mut self) {
        self.handles = self.handles.saturating_sub(1);
    }

    /// Something is opened, listed or made.
    pub(super) fn charge_open(&mut self) -> Result<(), Breach> {
        self.check(Limit::FileOpens, self.used.opens, 1)?;
        self.used.opens += 1;
        Ok(())
    }

    /// So many bytes are read.
    pub(super) fn charge_read(&mut self, bytes: u64) -> Result<(), Breach> {
        self.check(Limit::FileBytes, self.moved(), bytes)?;
        self.used.bytes_read = self.used.bytes_read.saturating_add(bytes);
        Ok(())
    }

    /// So many bytes are written, or a file becomes longer by them.
    pub(super) fn charge_write(&mut self, bytes: u64) -> Result<(), Breach> {
        self.check(Limit::FileBytesWritten, self.used.bytes_written, bytes)?;
        self.check(Limit::FileBytes, self.moved(), bytes)?;
        self.used.bytes_written = self.used.bytes_written.saturating_add(bytes);
        Ok(())
    }

    fn moved(&self) -> u64 {
        self.used.bytes_read.saturating_add(self.used.bytes_written)
    }

    fn check(&self, limit: Limit, before: u64, more: u64) -> Result<(), Breach> {
        let (requested, maximum) = (before.saturating_add(more), self.limits.get(limit));
        if requested <= maximum {
            return Ok(());
        }
        Err(Breach {
            limit,
            amount: Amount::Requested(requested),
            maximum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::LimitSource;

    fn quota(limit: Limit, value: u64) -> Quota {
        let mut limits = Limits::defaults(Default::default());
        limits.try_set(limit, value, LimitSource::Request).unwrap();
        Quota::new(limits)
    }

    #[test]
    fn every_quota_is_charged_before_it_is_given_and_refused_with_both_numbers() {
        let mut opens = quota(Limit::FileOpens, 1);
        opens.charge_open().unwrap();
        let refused = opens.charge_open().unwrap_err().to_string();
        assert_eq!(refused, "limit file_opens: 2 requested, at most 1 allowed");

        let mut handles = quota(Limit::FileHandles, 1);
        handles.charge_handle().unwrap();
        let refused = handles.charge_handle().unwrap_err().to_string();
        assert_eq!(
            refused,
            "limit file_handles: 2 requested, at most 1 allowed"
        );
        handles.give_back_handle();
        handles.charge_handle().unwrap();
        assert_eq!(handles.used().peak_handles, 1);

        let mut bytes = quota(Limit::FileBytes, 100);
        bytes.charge_read(60).unwrap();
        bytes.charge_write(40).unwrap();
        let refused = bytes.charge_read(1).unwrap_err().to_string();
        assert_eq!(
            refused,
            "limit file_bytes: 101B requested, at most 100B allowed"
        );
        assert!(bytes.charge_write(u64::MAX).is_err());

        let mut written = quota(Limit::FileBytesWritten, 100);
        written.charge_read(1000).unwrap();
        written.charge_write(100).unwrap();
        let refused = written.charge_write(1).unwrap_err().to_string();
        assert_eq!(
            refused,
            "limit file_bytes_written: 101B requested, at most 100B allowed"
        );
        assert_eq!(written.used().bytes_written, 100);
    }
}
