"""PURE. Bytes to events and back: the decoders of every wire protocol. Nothing here holds a socket."""
