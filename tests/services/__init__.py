"""Real services for the tests: MinIO, etcd, PostgreSQL and servers of our own, as local processes.

Programs are found or built by ``binaries`` and ``postgres_programs``, started through ``child``, listen
on 127.0.0.1 only and keep everything under one folder per test session. ``fixtures`` is the pytest plugin
on top. No service outlives the session that started it, however the session ends.
"""
