"""A cluster to look at, on one machine: three nodes, three etcd members, MinIO and PostgreSQL.

Run it with ``make cluster``. Everything is a local process and keeps what it has in one folder.
"""
