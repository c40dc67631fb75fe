-- The list of what somebody decided: without what people settled by clear words of their own (domain::review::ReviewDecision).
CREATE INDEX consent_reviews_decided ON consent_reviews (decided_at, id) WHERE decision <> 'answered';
