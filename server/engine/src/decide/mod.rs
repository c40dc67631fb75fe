//! The pure function: send, skip or wait.
