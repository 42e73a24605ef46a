//! What is fast and what it costs.
