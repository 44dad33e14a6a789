// Express: an event stream, lines that go on, a list that is polled, and a poll that waits. node express_app.js PORT
const express = require("express");

const app = express();
const messages = [];
const waiting = new Set();
const streams = new Set();

app.post("/messages", express.json(), (req, res) => {
  messages.push(req.body.text);
  for (const tell of streams) tell(req.body.text, messages.length);
  for (const answer of waiting) answer();
  res.sendStatus(202);
});

function follow(res, tell) {
  streams.add(tell);
  res.flushHeaders();
  res.on("close", () => streams.delete(tell));
}

app.get("/events", (req, res) => {
  res.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  follow(res, (text, id) => res.write(`id: ${id}\ndata: ${JSON.stringify({ text })}\n\n`));
});

app.get("/stream", (req, res) => {
  res.type("application/x-ndjson");
  follow(res, (text) => res.write(JSON.stringify({ text }) + "\n"));
});

const page = (since) => ({ messages: messages.slice(since), next: messages.length });

app.get("/messages", (req, res) => res.json(page(Number(req.query.since))));

app.get("/wait", (req, res) => {
  const since = Number(req.query.since);
  if (since < messages.length) return res.json(page(since));
  const answer = () => {
    waiting.delete(answer);
    clearTimeout(timer);
    res.json(page(since));
  };
  const timer = setTimeout(answer, 20_000);
  waiting.add(answer);
  res.on("close", () => waiting.delete(answer) && clearTimeout(timer));
});

app.listen(Number(process.argv[2]), "127.0.0.1");
