"""PURE. What Redis is asked to do in one piece (Lua): give out ids, and never the same id twice.

Ids are given out inside Redis, where everything happens one after another, so whichever process publishes, they
run from 1 upward without gaps and in the order in which messages become readable. The counter is a key of its own,
because Pub/Sub keeps nothing; if it alone is lost, it is found again from the stream's newest entry.

A message arrives encoded but for its id, which is put in front: what is stored is what clients get, byte for byte.
"""

from typing import Final

_NEWEST: Final = """
local function digits(id) return string.format('%.0f', id) end
local function counted()
    local id = redis.call('GET', KEYS[1])
    if id then return tonumber(id) end
    local entry = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    return entry and tonumber(string.match(entry[1], '%d+$')) or 0
end
-- When Redis has forgotten ids that it gave out, it may have given them out again, to messages that the caller never
-- saw. One id that no message will ever have makes everyone see a miss.
local function newest(known, forgotten)
    local id = counted()
    if id >= known and not forgotten then return id end
    return math.max(id, known) + 1
end
"""

MEET: Final = (
    _NEWEST
    + """
-- KEYS: counter, stream or channel, token. ARGV: the newest id the caller knows, and the feed's token.
-- Returns the newest id and the token that holds.
-- Writes only what has changed, so that a Redis that is full can still be read.
local token, known = redis.call('GET', KEYS[3]), tonumber(ARGV[1])
if not token then
    token = ARGV[2]
    redis.call('SET', KEYS[3], token)
end
local id = newest(known, known > 0 and token ~= ARGV[2])
if id ~= counted() then redis.call('SET', KEYS[1], digits(id)) end
return {digits(id), token}
"""
)

PUBLISH: Final = (
    _NEWEST
    + """
-- KEYS: counter, stream or channel, publisher. ARGV: batch number, the newest id the caller knows, how, entries to
-- keep, then messages without id, or for 'lost' how many there were. Returns the first of their ids and how they were
-- published; the same again when a batch comes a second time, whatever is to be done with it then.
local batch, first, done = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+) (%a+)$')
if batch == ARGV[1] then return {first, done} end
-- What counts is written before anything is sent: a Redis that is full, or a replica, sends what it may not count,
-- and would send other messages under the same ids later.
local id, how, bodies = newest(tonumber(ARGV[2]), false), ARGV[3], {}
first = digits(id + 1)
if how == 'lost' then
    id = id + tonumber(ARGV[5])
else
    for at = 5, #ARGV do
        id = id + 1
        local body = '{"id":' .. digits(id) .. ARGV[at]
        if how == 'stream' then
            redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '0-' .. digits(id), 'message', body)
        else
            bodies[#bodies + 1] = body
        end
    end
end
redis.call('SET', KEYS[1], digits(id))
redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. first .. ' ' .. how, 'EX', 86400)
if how == 'pubsub' then redis.call('PUBLISH', KEYS[2], table.concat(bodies, '\\n')) end
return {first, how}
"""
)
