-- What a process knows of the provider's complaints, told to a server that may have forgotten them: of the shares the smaller
-- counts, of the rests the longer.
-- KEYS: the meter. ARGV: now (0: the server's), share, recovery, how long it still rests.
local now, share, recovery, wait = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local exact = function(number) return string.format('%.2f', number) end
local kept = redis.call('HMGET', KEYS[1], 'share', 'since', 'rests_until', 'rest')
local since = math.min(tonumber(kept[2]) or 0, now)
if share < math.min(1, (tonumber(kept[1]) or 1) + (now - since) / recovery) then
  redis.call('HSET', KEYS[1], 'share', ARGV[2], 'since', exact(now))
end
local rest = math.min((tonumber(kept[3]) or 0) - now, tonumber(kept[4]) or 0)
if wait > rest then
  redis.call('HSET', KEYS[1], 'rests_until', exact(now + wait), 'rest', exact(wait))
  rest = wait
end
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(rest, 0) + 2 * recovery) / 1000))
return 0
