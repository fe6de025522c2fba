"""The control channel: every server publishes an API on a Unix socket and answers between two chunks.

============  ====================================================================================
file          what it holds
============  ====================================================================================
``api``       methods and typed state of a server, from type hints and docstrings
``openrpc``   the document that says so
``rpc``       JSON-RPC 2.0: one request in, one reply out
``endpoint``  the socket: many clients, bounded memory and time, JSON-RPC lines and a little HTTP
``attention`` reading and writing pipes while listening for commands
``faculties`` what every server can do: state, set, pause, drain, snapshot, …
``page``      counters in shared memory, readable while a server is inside a long batch
``client``    asking a server
``runs``      which runs there are, and the servers in them
``tools``     what the system lets one do to any Unix tool
============  ====================================================================================

There is no thread: the loop of a server waits for data and for commands together. ``endpoint``, ``attention`` and
``page`` are loaded by every server and import nothing heavy; ``api`` and ``rpc`` are loaded with the first request.
"""
