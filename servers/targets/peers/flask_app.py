"""Flask behind gunicorn with gevent: an event stream, a list that is polled, and a poll that waits for news."""

import queue
from collections.abc import Iterator

from flask import Flask, Response, jsonify, request
from gevent.event import Event

app = Flask(__name__)
queues: set[queue.Queue[str]] = set()
messages: list[str] = []
news = Event()


@app.post("/messages")
def post() -> tuple[str, int]:
    global news
    text = request.form["text"]
    messages.append(text)
    for each in list(queues):
        each.put_nowait(text)
    told, news = news, Event()
    told.set()
    return "", 202


@app.get("/events")
def events() -> Response:
    def stream() -> Iterator[str]:
        own: queue.Queue[str] = queue.Queue()
        queues.add(own)
        try:
            while True:
                yield f"data: {own.get()}\n\n"
        finally:
            queues.discard(own)

    return Response(stream(), mimetype="text/event-stream")


@app.get("/messages")
def poll() -> Response:
    since = request.args.get("since", 0, type=int)
    if since >= len(messages):
        news.wait(request.args.get("wait", 0, type=float))
    return jsonify(messages=messages[since:], next=len(messages))
