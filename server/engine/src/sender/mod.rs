//! Claim, decide, hand over, write outcomes.
