"""What one message may hold, in either direction."""

LARGEST_MESSAGE_BYTES = 3 << 20
# A token of 8 KiB, and what tracing and proxies add.
LARGEST_METADATA_BYTES = 16 << 10
# gRPC's own default, which stubs in other languages keep; what lies between the two is room for framing.
RECEIVE_LIMIT_BYTES = 4 << 20
LARGEST_DATA_BYTES = 2 << 20
# Of what asks once. gRPC keeps a request for as long as its call, and some calls stay: what is longer is not
# even read, whoever sends it.
LARGEST_REQUEST_BYTES = 32 << 10
LARGEST_REQUESTS = {
    # 10,000 digests.
    "/longshore.v1.DeploymentService/FindMissingChunks": 512 << 10,
    # They stay for as long as their streams, of which there are many: 32 labels.
    "/longshore.v1.DeploymentService/StreamProgress": 16 << 10,
    "/longshore.v1.DeploymentService/WatchDeployments": 16 << 10,
    "/longshore.v1.ClusterService/WatchNodes": 16 << 10,
}
MOST_DIGESTS = 10_000
MOST_CHUNKS_IN_A_MESSAGE = 10_000
# Of what is sent as a stream: the first message says what it is about, the others are its content.
LARGEST_FIRST_MESSAGES = {
    # The names of a pack's actions.
    "/longshore.v1.CatalogService/ValidateWorkflows": 512 << 10,
}
MOST_FIELDS = MOST_CHUNKS_IN_A_MESSAGE + 100
