"""What a process costs, seen from outside, held against what it knows about itself."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import psutil
import pytest

from loadtests.host.sampler import LINUX, UNKNOWN, Sampler, cpu_ns

linux_only = pytest.mark.skipif(not LINUX, reason="only Linux tells")


def test_cpu_time_is_what_the_process_itself_would_say() -> None:
    before_ns = time.process_time_ns()
    seen_ns = cpu_ns(psutil.Process())
    after_ns = time.process_time_ns()
    tick_ns = 0 if LINUX else 10_000_000
    assert before_ns - tick_ns <= seen_ns <= after_ns + tick_ns


def test_sockets_and_memory_are_counted() -> None:
    sampler = Sampler(os.getpid(), "server")
    before = sampler.sample()
    with socket.socket(), socket.socket():
        during = sampler.sample()
    assert during.open_sockets - before.open_sockets == (2 if LINUX else 0)
    assert during.rss_bytes > 1_000_000
    assert during.at_ns > before.at_ns
    assert (during.pid, during.role) == (os.getpid(), 0)


@linux_only
def test_bytes_that_wait_in_the_kernel_are_seen_on_both_sides() -> None:
    sampler = Sampler(os.getpid(), "server")
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
        with sender, receiver:
            idle = sampler.sample().kernel_socket_bytes
            sender.sendall(b"x" * 50_000)
            assert sampler.sample().kernel_socket_bytes >= idle + 50_000


@linux_only
def test_the_kernel_memory_of_other_processes_is_not_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert Sampler(other.pid, "server").sample().kernel_socket_bytes == 0


@linux_only
def test_the_time_a_process_stands_in_line_for_a_core_is_counted() -> None:
    """Three processes on one core: each waits about twice as long as it runs."""
    core = min(os.sched_getaffinity(0))
    burn = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    with ExitStack() as stack:
        burners = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE, start_new_session=True)
            )
            for _ in range(3)
        ]
        for burner in burners:
            stack.callback(burner.kill)
            assert burner.stdout
            burner.stdout.readline()
        samplers = [Sampler(burner.pid, "relay") for burner in burners]
        before = [sampler.sample() for sampler in samplers]
        time.sleep(0.6)
        after = [sampler.sample() for sampler in samplers]
    waited = sum(late.waited_ns - early.waited_ns for late, early in zip(after, before, strict=True))
    ran = sum(late.cpu_ns - early.cpu_ns for late, early in zip(after, before, strict=True))
    assert waited > ran


def test_what_only_the_generator_knows_is_left_unknown() -> None:
    sample = Sampler(os.getpid(), "server").sample()
    assert {sample.lag_ns, sample.connections, sample.wire_bytes_in, sample.wire_segments_out} == {UNKNOWN}


def test_a_process_that_is_gone_is_an_error_not_a_zero() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        sampler = Sampler(process.pid, "server")
        process.communicate(b"\n")
    with pytest.raises(ProcessLookupError, match="is gone"):
        sampler.sample()
