-- Messages that are made one by one, by a person or by an event, in their order: those without a final status are looked for
-- among them every ten minutes, and not among all that campaigns sent within days. A campaign's are of kind 0 and occurrence 0
-- and cost nothing here.
CREATE INDEX messages_one_by_one ON messages (id) WHERE kind <> 0 OR occurrence > 0;
