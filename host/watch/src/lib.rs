//! Watches everything that a host is asked to do: counts it, and says what is odd about it.
