//! Counting characters and segments.
