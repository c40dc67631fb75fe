-- The provider complained: a smaller share of the rate, and nothing at all for a while when it said so.
-- KEYS: the meter. ARGV: now (0: the server's), what a complaint leaves, the least, how long one counts, recovery, wait.
local now, slower, slowest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local complaint, recovery, wait = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local exact = function(number) return string.format('%.2f', number) end
local kept = redis.call('HMGET', KEYS[1], 'share', 'since', 'rests_until', 'rest')
local since = tonumber(kept[2]) or 0
-- Later than now: the clock was set back.
if now - since >= complaint or since > now then
  local share = math.min(1, (tonumber(kept[1]) or 1) + math.max(0, now - since) / recovery)
  redis.call('HSET', KEYS[1], 'share', tostring(math.max(slowest, share * slower)), 'since', exact(now))
end
local rest = math.min((tonumber(kept[3]) or 0) - now, tonumber(kept[4]) or 0)
if wait > rest then
  redis.call('HSET', KEYS[1], 'rests_until', exact(now + wait), 'rest', exact(wait))
  rest = wait
end
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(rest, 0) + 2 * recovery) / 1000))
return 0
