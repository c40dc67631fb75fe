//! Files of contacts.
