//! minijinja in a sandbox.

#[derive(Default)]
pub struct Templates {}
