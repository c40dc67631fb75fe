//! Nobody on the suppression list gets anything.

use domain::reason::Reason;

use super::{No, Person};

pub(super) fn check(person: Person) -> Result<(), No> {
    if person.suppressed { Err(No::because(Reason::Suppressed)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::willing;

    #[test]
    fn a_suppressed_number_gets_nothing_whatever_the_consent() {
        let person = willing().person.expect("a person");
        assert_eq!(check(person), Ok(()));
        assert_eq!(check(Person { suppressed: true, ..person }), Err(No::because(Reason::Suppressed)));
    }
}
