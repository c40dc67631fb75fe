//! Everything the template names has a value, and it can be filled.

use domain::reason::Reason;

use super::{Content, ContentFault, No};

pub(super) fn check(rendered: &Result<Content, ContentFault>) -> Result<(), No> {
    match rendered {
        Err(ContentFault::Missing(variable)) => Err(No::with(Reason::MissingVariable, variable.clone())),
        Err(ContentFault::Broken(problem)) => Err(No::with(Reason::TemplateError, problem.clone())),
        Ok(_) | Err(ContentFault::TooLong(_)) => Ok(()),
    }
}
