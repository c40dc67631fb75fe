-- Gives back what was granted just now and not used.
-- KEYS: one for each limit. ARGV: now (0: the server's), unused, recovery, one rate for each limit.
local now, unused, recovery = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
for index = 1, #KEYS do
  local kept = redis.call('HMGET', KEYS[index], 'tat', 'share', 'since')
  if kept[1] then
    local recovered = math.max(0, now - (tonumber(kept[3]) or 0)) / recovery
    local share = math.min(1, (tonumber(kept[2]) or 1) + recovered)
    local interval = math.ceil(4000000 / (tonumber(ARGV[index + 3]) * share)) / 4
    redis.call('HSET', KEYS[index], 'tat', string.format('%.2f', tonumber(kept[1]) - unused * interval))
  end
end
return 0
