"""What runs in a server: one process, bytes in and bytes out, made of the standard library and its operator."""
