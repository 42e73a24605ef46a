//! What rules, dashboard and documents say exists.
