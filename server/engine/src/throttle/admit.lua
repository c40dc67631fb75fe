-- Who may be written to now: the rate to each person, and how many people in a day, as in recipients.rs.
-- KEYS: the day's people, warm, one pair for each message. ARGV: now (0: the server's), day, budget (0: none), what of it
-- campaigns may use, a pair's interval, how far a pair may run ahead; then for each message who it is to and how it counts
-- (0: not, 1: as a reply, 2: as a campaign's). Times are microseconds.
-- Returns for each message two numbers: 0 go, 1 the pair is too fast, 2 the day is full, and how long to wait; or 3 go, the
-- person counts for this message, and since when. Just -1 when it is not known who was written to lately.
local now, day, budget, campaigns = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local interval, ahead = tonumber(ARGV[5]), tonumber(ARGV[6])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local exact = function(number) return string.format('%.0f', number) end

local used = 0
if budget > 0 then
  if not redis.call('GET', KEYS[2]) then return {-1} end
  redis.call('PEXPIRE', KEYS[2], math.ceil(2 * day / 1000))
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', exact(now - day))
  redis.call('PEXPIRE', KEYS[1], math.ceil(2 * day / 1000))
  used = redis.call('ZCARD', KEYS[1])
end

local answers = {}
for index = 3, #KEYS do
  local who, counts = ARGV[2 * index + 1], tonumber(ARGV[2 * index + 2])
  local tat = math.max(tonumber(redis.call('GET', KEYS[index]) or 0), now)
  if tat > now + ahead + interval then
    -- Further ahead than it can have been put: the clock was set back, and nobody waits until it has caught up.
    tat = now + ahead + interval
    redis.call('SET', KEYS[index], exact(tat), 'PX', math.ceil((tat - now) / 1000))
  end
  local verdict, wait = 0, 0
  if tat - now > ahead then
    verdict, wait = 1, tat - ahead - now
  elseif counts > 0 and budget > 0 then
    local known = redis.call('ZSCORE', KEYS[1], who)
    local limit = counts == 2 and campaigns or budget
    if known or used < limit then
      local at = now
      if known then
        -- Never the same again: what was admitted before then is no longer what the person counts for.
        at = math.max(now, tonumber(known) + 1)
      else
        used = used + 1
        verdict, wait = 3, now
      end
      redis.call('ZADD', KEYS[1], exact(at), who)
    else
      local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
      verdict, wait = 2, math.max(0, (tonumber(oldest[2]) or now) + day - now)
    end
  end
  if verdict == 0 or verdict == 3 then
    redis.call('SET', KEYS[index], exact(tat + interval), 'PX', math.ceil((tat + interval - now) / 1000))
  end
  answers[#answers + 1] = verdict
  answers[#answers + 1] = math.ceil(wait)
end
return answers
