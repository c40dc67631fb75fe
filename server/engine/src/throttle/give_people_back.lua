-- Takes people out of the day for whom a message was admitted that did not go out, if nothing was admitted for them since.
-- KEYS: the day's people. ARGV: for each person who it is and when the message was admitted, in microseconds.
for index = 1, #ARGV, 2 do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[index])
  if at and tonumber(at) == tonumber(ARGV[index + 1]) then redis.call('ZREM', KEYS[1], ARGV[index]) end
end
return 0
