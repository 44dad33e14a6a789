/**
 * What the server says, and what it means for the cursor: the id of the newest message seen, which is all that a
 * client must remember to lose nothing. Every client here tells its caller by way of one object:
 *
 *   on.request()                    a request was sent
 *   on.empty()                      and its answer held no message
 *   on.message(message, atMs)       a message; atMs is performance.now() before it was parsed
 *   on.remark("gone", firstId)      messages before firstId had been forgotten before we came
 *   on.remark("ahead", firstId)     the server began anew: our cursor is of another life, ids start over at firstId
 *   on.state(name, reason, ms)      connecting, open, waiting (`ms`, because of `reason`), offline, hidden
 */

/** Take the answer of a poll; return the next cursor. */
export function takeAnswer(answer, atMs, lastId, on) {
  let next = answer.cursor ? takeRemark(answer.cursor, answer.first_id, lastId, on) : lastId;
  if (!answer.cursor && answer.messages.length === 0) on.empty();
  for (const message of answer.messages) {
    on.message(message, atMs);
    next = message.id;
  }
  return next;
}

/** Take one line of a stream; return the next cursor. Lines with a type are about the stream: only messages have none. */
export function takeLine(line, atMs, lastId, on) {
  switch (line.type) {
    case undefined:
      on.message(line, atMs);
      return line.id;
    case "gone":
    case "ahead":
      return takeRemark(line.type, line.first_id, lastId, on);
    case "closed":
      throw new Error(line.reason);
    default: // "connected" and "heartbeat" say that the stream is alive, which is said by their coming
      return lastId;
  }
}

/** After "ahead" the old cursor must go, or a poll would be answered at once, with the same remark, for ever. */
function takeRemark(kind, firstId, lastId, on) {
  on.remark(kind, firstId);
  return kind === "ahead" ? firstId - 1 : lastId;
}
