"""What a message becomes on the wire, and what is read back from it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from servers.feed.message import MAX_ID, Message, decode, decode_stamp, encode, id_of

MESSAGES = st.builds(
    Message,
    id=st.integers(1, MAX_ID),
    due_ns=st.integers(0, 2**63 - 1),
    published_ns=st.integers(0, 2**63 - 1),
    timestamp=st.text(max_size=40),
    content=st.text(max_size=300),
)


@given(MESSAGES)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES)
def test_a_body_is_json_in_one_line_that_any_reader_understands(message: Message) -> None:
    body = encode(message)
    assert b"\n" not in body
    assert b"\r" not in body
    assert json.loads(body) == {name: getattr(message, name) for name in Message.__struct_fields__}


@given(MESSAGES)
def test_the_id_is_found_without_decoding(message: Message) -> None:
    assert int(id_of(encode(message))) == message.id


@given(MESSAGES)
def test_a_stamp_is_what_is_measured_and_nothing_else(message: Message) -> None:
    stamp = decode_stamp(encode(message))
    assert (stamp.id, stamp.due_ns, stamp.published_ns) == (message.id, message.due_ns, message.published_ns)
    assert stamp.type == ""


def test_a_control_line_is_a_stamp_with_a_type_and_no_id() -> None:
    stamp = decode_stamp(b'{"type":"gone","first_id":7}')
    assert (stamp.type, stamp.id) == ("gone", 0)
