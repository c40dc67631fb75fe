-- How many messages of a run had been handed over by when: a point now and then while it goes on (store::runs::progress).
CREATE TABLE run_progress (
    run_id {uuid} NOT NULL,
    at bigint NOT NULL,
    sent bigint NOT NULL,
    PRIMARY KEY (run_id, at)
){without_rowid};
-- Of the runs until now it is known to the hour.
INSERT INTO run_progress (run_id, at, sent)
SELECT h.run_id,
       CASE WHEN r.finished_at < h.hour + 3600000000 THEN r.finished_at ELSE h.hour + 3600000000 END,
       CAST(sum(h.n) OVER (PARTITION BY h.run_id ORDER BY h.hour) AS bigint)
FROM (
    -- domain::message::State::Accepted
    SELECT run_id, hour, sum(count) AS n FROM message_rollups WHERE state = 3 GROUP BY run_id, hour
) AS h
JOIN runs r ON r.id = h.run_id
WHERE r.finished_at IS NULL OR r.finished_at > h.hour;
