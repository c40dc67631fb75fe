//! A run's plan.
