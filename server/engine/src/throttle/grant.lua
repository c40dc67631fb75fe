-- Takes up to `want` messages out of all meters at once: GCRA, as in local.rs, on the server's clock.
-- KEYS: warm, processes, one for each limit. ARGV: now (0: the server's), want, burst, recovery, alive, process, one rate
-- for each limit, and for each limit what messages took of it since the last question beyond what was granted. Times are
-- microseconds; their quarters are exact at this size of numbers.
-- Returns how many were granted, how long to wait, how many processes asked lately, for which limit to wait (0 for none),
-- and what says of which start of the server this is.
local now, want, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local recovery, alive, process = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local exact = function(number) return string.format('%.2f', number) end

redis.call('ZADD', KEYS[2], exact(now), process)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', exact(now - alive))
redis.call('ZREMRANGEBYSCORE', KEYS[2], exact(now + alive), '+inf')
local processes = redis.call('ZCARD', KEYS[2])

-- A server that has just started knows nothing of what was granted before: nothing for as long as a burst lasts.
local warm = tonumber(redis.call('GET', KEYS[1]) or nil)
if not warm or warm > now + burst then
  warm = now + burst
  redis.call('SET', KEYS[1], exact(warm))
end
if now < warm then return {0, math.ceil(warm - now), processes, 0, exact(warm)} end

-- What lies further ahead than it can have been put was put there before the clock was set back. It is written down as
-- what it is now, or else nothing would be granted until the clock has caught up.
local no_later = function(key, field, value, latest)
  if value <= latest then return value end
  redis.call('HSET', key, field, exact(latest))
  return latest
end

local meters, granted = {}, want
for index = 3, #KEYS do
  local key = KEYS[index]
  local kept = redis.call('HMGET', key, 'tat', 'share', 'since', 'rests_until', 'rest', 'owed')
  local since = no_later(key, 'since', tonumber(kept[3]) or 0, now)
  local share = math.min(1, (tonumber(kept[2]) or 1) + (now - since) / recovery)
  local interval = math.ceil(4000000 / (tonumber(ARGV[index + 4]) * share)) / 4
  local ahead = math.max(burst, interval)
  local tat = no_later(key, 'tat', tonumber(kept[1]) or now, now + ahead)
  -- What is owed is paid before anything is granted, as if it had been granted last. For what there is no room yet is owed
  -- on, so that the arrival time is never further ahead than a burst.
  local owes = (tonumber(kept[6]) or 0) + tonumber(ARGV[index + 2 + #KEYS])
  local paid = math.max(0, math.min(owes, math.floor((now + ahead - tat) / interval)))
  tat = math.max(tat + paid * interval, now)
  local rest = no_later(key, 'rests_until', tonumber(kept[4]) or 0, now + (tonumber(kept[5]) or 0)) - now
  granted = rest > 0 and 0 or math.min(granted, math.max(0, math.floor((now + ahead - tat) / interval)))
  meters[index] = {tat = tat, interval = interval, ahead = ahead, rest = rest, owes = owes, owed = owes - paid}
end

-- Wait for half a burst at once: many small batches cost more than they gain.
local wait, narrowest = 0, 0
for index, meter in pairs(meters) do
  local tat = meter.tat + granted * meter.interval
  local owed = meter.owed * meter.interval
  if granted > 0 or meter.owes > 0 then
    redis.call('HSET', KEYS[index], 'tat', exact(tat), 'owed', exact(meter.owed))
    -- Longer than the provider's complaints last.
    redis.call('PEXPIRE', KEYS[index], math.ceil((tat + owed - now + 2 * recovery) / 1000))
  end
  local batch = math.max(1, math.min(math.floor(burst / 2 / meter.interval), want))
  local until_batch = math.max(tat + owed + batch * meter.interval - meter.ahead - now, meter.rest)
  if until_batch > wait then wait, narrowest = until_batch, index - 2 end
end
return {granted, math.ceil(wait), processes, narrowest, exact(warm)}
