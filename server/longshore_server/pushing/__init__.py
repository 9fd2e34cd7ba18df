"""A push to a git repository deploys: its forge tells of it by HTTP, signed, and the command line goes on.

``endpoint`` takes requests, ``forges`` tells whether one is genuine and what was pushed, ``repositories``
whether that is what the ref is, and ``deploying`` starts ``longshore deploy`` with the hook's own token, once
for each push. Client and server never meet: what fetches repositories is the client's, so it runs as the
program that people run.
"""

from .deploying import PushDeployments
from .endpoint import open_push_endpoint

__all__ = ["PushDeployments", "open_push_endpoint"]
