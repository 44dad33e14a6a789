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

_STREAM: Final = """
-- The bytes of all messages in the stream; counted anew when Redis has lost the number.
local function held()
    local bytes, from = tonumber(redis.call('GET', KEYS[4]) or nil), '-'
    if bytes then return bytes end
    bytes = 0
    repeat
        local page = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 20)
        for _, entry in ipairs(page) do bytes, from = bytes + #entry[2][2], '(' .. entry[1] end
    until #page < 20
    return bytes
end
-- A stream keeps what a server's own history does: so many messages, of so many bytes, the newest one in any case.
local function append(bodies, id, keep, keep_bytes)
    local bytes = held()
    for at, body in ipairs(bodies) do
        redis.call('XADD', KEYS[2], '0-' .. digits(id + at), 'message', body)
        bytes = bytes + #body
    end
    local count = redis.call('XLEN', KEYS[2])
    while count > 1 and (count > keep or bytes > keep_bytes) do
        local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
        redis.call('XDEL', KEYS[2], oldest[1])
        count, bytes = count - 1, bytes - #oldest[2][2]
    end
    if count == 1 then bytes = #bodies[#bodies] end
    redis.call('SET', KEYS[4], digits(bytes))
end
"""

PUBLISH: Final = (
    _NEWEST
    + _STREAM
    + """
-- KEYS: counter, stream or channel, publisher, bytes in the stream. ARGV: batch number, the newest id the caller
-- knows, how, messages to keep, bytes to keep, then messages without id, or for 'lost' how many there were.
-- Returns the first of their ids and how they were published; the same again when a batch comes a second time,
-- whatever is to be done with it then.
local batch, first, done = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+) (%a+)$')
if batch == ARGV[1] then return {first, done} end
-- What counts is written before anything is sent: a Redis that is full, or a replica, sends what it may not count,
-- and would send other messages under the same ids later.
local before, how, bodies = newest(tonumber(ARGV[2]), false), ARGV[3], {}
local id = before
if how == 'lost' then
    id = id + tonumber(ARGV[6])
else
    for at = 6, #ARGV do
        id = id + 1
        bodies[#bodies + 1] = '{"id":' .. digits(id) .. ARGV[at]
    end
end
first = digits(before + 1)
if how == 'stream' then append(bodies, before, tonumber(ARGV[4]), tonumber(ARGV[5])) end
redis.call('SET', KEYS[1], digits(id))
redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. first .. ' ' .. how, 'EX', 86400)
if how == 'pubsub' then redis.call('PUBLISH', KEYS[2], table.concat(bodies, '\\n')) end
return {first, how}
"""
)
