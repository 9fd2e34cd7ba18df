"""DeploymentService: the calls that record a deployment or decide about one."""

from __future__ import annotations

from typing import Any

from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceServicer
from longshore_server.deploying.cancelling import Cancellation
from longshore_server.deploying.gates import Gates
from longshore_server.deploying.pausing import Pausing
from longshore_server.deploying.release_deployments import ReleaseDeployments
from longshore_server.deploying.requests import (
    CancelRequest,
    PauseRequest,
    PromoteRequest,
    ReleaseRequest,
    RetryRequest,
    RollbackRequest,
    UndeployRequest,
    check_deployment_id,
)
from longshore_server.deploying.rollbacks import Rollbacks
from longshore_server.deploying.second_person import SecondPerson
from longshore_server.deploying.undeploying import Undeploys
from longshore_server.deploying.uploads import Uploads
from longshore_server.deploying.validating import Validated
from longshore_server.progress import ProgressHub
from longshore_server.views import view
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.lifecycle import QueuePolicy
from longshore_storage.catalogue.rows import Deployment

from .asked import check_wait_policy, terms_of
from .interceptor import current_actor, while_allowed
from .messages import deployment_message, validation_message
from .uploading import UploadCall


class RecordingCalls(DeploymentServiceServicer):
    """Deployments made, promoted, cancelled and tried again."""

    def __init__(
        self,
        catalogue: Catalogue,
        wakeups: Wakeups,
        uploads: Uploads,
        hub: ProgressHub,
        second_person: SecondPerson,
        *,
        idle_timeout_s: float,
    ) -> None:
        self._catalogue = catalogue
        self._uploads = uploads
        self._releases = ReleaseDeployments(catalogue, wakeups, second_person)
        self._rollbacks = Rollbacks(catalogue, wakeups, second_person)
        self._undeploys = Undeploys(catalogue, wakeups)
        self._gates = Gates(catalogue, wakeups, second_person)
        self._cancellation = Cancellation(catalogue, wakeups)
        self._pausing = Pausing(catalogue, wakeups)
        self._hub = hub
        self._idle_timeout_s = idle_timeout_s

    async def Deploy(self, request_iterator: Any, context: Any) -> pb.DeployResponse:  # noqa: N802
        """Take an upload."""
        call = UploadCall(
            self._uploads, request_iterator, context, current_actor(), idle_timeout_s=self._idle_timeout_s
        )
        taken = await call.handle()
        if isinstance(taken, Validated):
            return pb.DeployResponse(validation=validation_message(taken))
        return pb.DeployResponse(deployment=await self._answer(taken.deployment, taken.wait_policy))

    async def DeployRelease(  # noqa: N802
        self, request: pb.DeployReleaseRequest, context: Any
    ) -> pb.DeployReleaseResponse:
        """Make an existing release live, or stage it."""
        asked = ReleaseRequest(
            request.deployment_id, request.project, request.environment, request.version, terms_of(request)
        ).checked()
        check_wait_policy("wait_policy", request.wait_policy)
        deployment = await self._releases.deploy_release(asked, current_actor())
        return pb.DeployReleaseResponse(deployment=await self._answer(deployment, request.wait_policy))

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.RollbackResponse:  # noqa: N802
        """Go back."""
        asked = RollbackRequest(
            request.deployment_id,
            request.project,
            request.environment,
            request.version,
            request.target_deployment_id,
            terms_of(request, queue_policy=QueuePolicy.SUPERSEDE),
        ).checked()
        check_wait_policy("wait_policy", request.wait_policy)
        deployment = await self._rollbacks.roll_back(asked, current_actor())
        if deployment is None:
            return pb.RollbackResponse(nothing_to_do=True)
        return pb.RollbackResponse(deployment=await self._answer(deployment, request.wait_policy))

    async def Undeploy(self, request: pb.UndeployRequest, context: Any) -> pb.UndeployResponse:  # noqa: N802
        """Take a project off the nodes."""
        asked = UndeployRequest(
            request.deployment_id, request.project, request.environment, terms_of(request)
        ).checked()
        check_wait_policy("wait_policy", request.wait_policy)
        deployment = await self._undeploys.undeploy(asked, current_actor())
        if deployment is None:
            return pb.UndeployResponse(nothing_to_do=True)
        return pb.UndeployResponse(deployment=await self._answer(deployment, request.wait_policy))

    async def RetryDeployment(  # noqa: N802
        self, request: pb.RetryDeploymentRequest, context: Any
    ) -> pb.RetryDeploymentResponse:
        """Try again."""
        asked = RetryRequest(request.deployment_id, request.retry_of, terms_of(request)).checked()
        check_wait_policy("wait_policy", request.wait_policy)
        deployment = await self._releases.retry(asked, current_actor())
        return pb.RetryDeploymentResponse(deployment=await self._answer(deployment, request.wait_policy))

    async def PromoteDeployment(  # noqa: N802
        self, request: pb.PromoteDeploymentRequest, context: Any
    ) -> pb.PromoteDeploymentResponse:
        """Let a deployment pass its gate."""
        asked = PromoteRequest(request.deployment_id, request.gate_id).checked()
        deployment = await self._gates.promote(asked, current_actor())
        return pb.PromoteDeploymentResponse(deployment=await self._message(deployment))

    async def PauseDeployment(  # noqa: N802
        self, request: pb.PauseDeploymentRequest, context: Any
    ) -> pb.PauseDeploymentResponse:
        """Pause a rollout."""
        asked = PauseRequest(request.deployment_id, request.reason).checked()
        deployment = await self._pausing.pause(asked, current_actor())
        return pb.PauseDeploymentResponse(deployment=await self._message(deployment))

    async def ResumeDeployment(  # noqa: N802
        self, request: pb.ResumeDeploymentRequest, context: Any
    ) -> pb.ResumeDeploymentResponse:
        """Let a rollout go on."""
        deployment_id = check_deployment_id(request.deployment_id)
        deployment = await self._pausing.resume(deployment_id, current_actor())
        return pb.ResumeDeploymentResponse(deployment=await self._message(deployment))

    async def CancelDeployment(  # noqa: N802
        self, request: pb.CancelDeploymentRequest, context: Any
    ) -> pb.CancelDeploymentResponse:
        """Cancel a deployment."""
        asked = CancelRequest(request.deployment_id, request.reason).checked()
        deployment = await self._cancellation.cancel(asked, current_actor())
        return pb.CancelDeploymentResponse(deployment=await self._message(deployment))

    async def _answer(self, deployment: Deployment, wait_policy: int) -> Any:
        """The deployment as recorded; or as it ended, where that is waited for."""
        settled = deployment.has_ended or deployment.waits_for_person
        if wait_policy == pb.WAIT_POLICY_ENDED and not settled:
            with while_allowed():
                await self._hub.settled(deployment)
            async with self._catalogue.reading() as transaction:
                ended = await deployments.get_deployment(transaction, deployment.id)
            assert ended is not None, "a deployment is never deleted"
            deployment = ended
        return await self._message(deployment)

    async def _message(self, deployment: Deployment) -> Any:
        async with self._catalogue.reading() as transaction:
            return deployment_message(await view(transaction, deployment))
