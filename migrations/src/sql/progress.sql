-- How many messages of a run had been handed over by when (or had failed), noted while it goes on (store::runs::progress).
CREATE TABLE run_progress (
    run_id {uuid} NOT NULL,
    -- Which part of its time: the later, the longer (engine::forecast::stretch). Below zero: from the counts by hour.
    stretch integer NOT NULL,
    -- Of the last note in it.
    at bigint NOT NULL,
    sent bigint NOT NULL,
    PRIMARY KEY (run_id, stretch)
){without_rowid};
-- Of the runs until now it is known to the hour, as far as hours were counted.
INSERT INTO run_progress (run_id, stretch, at, sent)
SELECT h.run_id,
       CAST(-row_number() OVER (PARTITION BY h.run_id ORDER BY h.hour) AS integer),
       CASE WHEN r.finished_at < h.hour + 3600000000 THEN r.finished_at ELSE h.hour + 3600000000 END,
       CAST(sum(h.n) OVER (PARTITION BY h.run_id ORDER BY h.hour) AS bigint)
FROM (
    -- domain::message::State::Accepted
    SELECT run_id, hour, sum(count) AS n FROM message_rollups WHERE state = 3 GROUP BY run_id, hour
) AS h
JOIN runs r ON r.id = h.run_id
WHERE r.finished_at IS NULL OR r.finished_at > h.hour;
