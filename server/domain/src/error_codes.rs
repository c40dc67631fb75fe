//! Provider error codes.
