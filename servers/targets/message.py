"""PURE. One message on its way into a server that is not ours: its text, and what templates may say of it."""

from servers.targets.tracer import mint


def of_message(number: int, due_ns: int, published_ns: int, filler: str, run: str) -> dict[str, str]:
    """Return what a template may say of a message, whose text ends with the tracer and is as long as `filler`."""
    tracer = mint(run, number, due_ns, published_ns)
    before = filler[: max(0, len(filler) - len(tracer) - 1)]
    text = f"{before} {tracer}" if before else tracer
    return {"message": text, "tracer": tracer, "id": str(number), "due_ns": str(due_ns)}
