package dev.longshore.smoke;

import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.longshore.v1.DeployHeader;
import dev.longshore.v1.Deployment;
import dev.longshore.v1.DeploymentServiceGrpc;
import dev.longshore.v1.DeploymentStatus;
import dev.longshore.v1.ListDeploymentsRequest;
import dev.longshore.v1.ListDeploymentsResponse;
import dev.longshore.v1.PayloadFormat;
import dev.longshore.v1.ProgressEvent;
import dev.longshore.v1.StreamProgressRequest;
import dev.longshore.v1.StreamProgressResponse;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Deploys a file, follows it to its end, finds it in the list, and meets a refused header.
 *
 * <p>Written against nothing but the stubs that protoc makes of the .proto files, as a service of yours would
 * be: {@code Client ADDRESS PROJECT}. The results are printed as one line of JSON.
 */
public final class Client {
  private static final int PAYLOAD_BYTES = 5 * (1 << 20) + 12_345;
  private static final String FILE_NAME = "payload.bin";
  private static final long DEADLINE_S = 120;
  private static final Set<DeploymentStatus> TERMINAL = EnumSet.of(
      DeploymentStatus.DEPLOYMENT_STATUS_SUCCEEDED,
      DeploymentStatus.DEPLOYMENT_STATUS_FAILED,
      DeploymentStatus.DEPLOYMENT_STATUS_SUPERSEDED);

  private final ManagedChannel channel;
  private final String project;

  private Client(ManagedChannel channel, String project) {
    this.channel = channel;
    this.project = project;
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      System.err.println("usage: Client ADDRESS PROJECT");
      System.exit(2);
    }
    ManagedChannel channel = NettyChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    try {
      System.out.println(new Gson().toJson(new Client(channel, arguments[1]).run()));
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private Map<String, Object> run() throws Exception {
    byte[] payload = new byte[PAYLOAD_BYTES];
    new Random(project.hashCode()).nextBytes(payload);
    String sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(payload));
    String deploymentId = UUID.randomUUID().toString();
    Upload upload = new Upload(
        DeployHeader.newBuilder()
            .setDeploymentId(deploymentId)
            .setProject(project)
            .setPayloadFormat(PayloadFormat.PAYLOAD_FORMAT_FILE)
            .setFileName(FILE_NAME)
            .setPayloadSizeBytes(payload.length)
            .setPayloadSha256(sha256)
            .build(),
        payload);
    Deployment deployment = deploy(upload);
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("deployment_id", deploymentId);
    result.put("answered_id", deployment.getDeploymentId());
    result.put("version", deployment.getVersion());
    result.put("sha256", sha256);
    result.put("size", payload.length);
    result.put("answered_sha256", deployment.getPayloadSha256());
    result.put("answered_size", deployment.getPayloadSizeBytes());
    result.put("durable_offset", upload.durableOffset);
    result.put("messages", upload.messages);
    result.put("progress", follow(deploymentId));
    result.put("listed", list(deploymentId));
    result.put("refused", refused(payload));
    return result;
  }

  /** Throws ExecutionException with the call's StatusRuntimeException as its cause. */
  private Deployment deploy(Upload upload) throws Exception {
    return upload.run(DeploymentServiceGrpc.newStub(channel)).get(DEADLINE_S, TimeUnit.SECONDS);
  }

  private DeploymentServiceGrpc.DeploymentServiceBlockingStub stub() {
    return DeploymentServiceGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE_S, TimeUnit.SECONDS);
  }

  /** Every event from the first to the end of the deployment. */
  private Map<String, Object> follow(String deploymentId) {
    List<Object> sequences = new ArrayList<>();
    DeploymentStatus status = DeploymentStatus.DEPLOYMENT_STATUS_UNSPECIFIED;
    int snapshots = 0;
    Iterator<StreamProgressResponse> stream =
        stub().streamProgress(StreamProgressRequest.newBuilder().setDeploymentId(deploymentId).build());
    while (stream.hasNext()) {
      StreamProgressResponse message = stream.next();
      snapshots += message.hasSnapshot() ? 1 : 0;
      for (ProgressEvent event : message.getEventsList()) {
        sequences.add(event.getSequence());
        if (event.hasStatusChanged()) {
          status = event.getStatusChanged().getToStatus();
        }
      }
    }
    return Map.of(
        "sequences", sequences,
        "status", status.name(),
        "snapshots", snapshots,
        "ended_ok", TERMINAL.contains(status));
  }

  /** Looks for the deployment on every page of its project's. */
  private Map<String, Object> list(String deploymentId) {
    Map<String, Object> found = new LinkedHashMap<>(Map.of("times", 0, "status", "", "version", ""));
    int times = 0;
    String token = "";
    do {
      ListDeploymentsResponse page = stub().listDeployments(
          ListDeploymentsRequest.newBuilder().setProject(project).setPageSize(2).setPageToken(token).build());
      for (Deployment deployment : page.getDeploymentsList()) {
        if (deployment.getDeploymentId().equals(deploymentId)) {
          times += 1;
          found.put("times", times);
          found.put("status", deployment.getStatus().name());
          found.put("version", deployment.getVersion());
        }
      }
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    return found;
  }

  /** Deploys to a project that cannot be, and explains the error by its details. */
  private Map<String, Object> refused(byte[] payload) throws Exception {
    Upload upload = new Upload(
        DeployHeader.newBuilder()
            .setDeploymentId(UUID.randomUUID().toString())
            .setProject("Not A Project!")
            .setPayloadFormat(PayloadFormat.PAYLOAD_FORMAT_FILE)
            .setFileName(FILE_NAME)
            .build(),
        payload);
    try {
      deploy(upload);
    } catch (ExecutionException error) {
      if (error.getCause() instanceof StatusRuntimeException refusal) {
        Map<String, Object> why = explain(refusal);
        why.put("messages", upload.messages);
        return why;
      }
      throw error;
    }
    throw new IllegalStateException("the header was to be refused");
  }

  /** What an error of the server says, from its status details. */
  private static Map<String, Object> explain(StatusRuntimeException error) throws InvalidProtocolBufferException {
    Map<String, Object> why = new LinkedHashMap<>();
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    why.put("code", Status.fromCodeValue(status.getCode()).getCode().name());
    why.put("message", status.getMessage());
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        ErrorInfo info = detail.unpack(ErrorInfo.class);
        why.put("reason", info.getReason());
        why.put("domain", info.getDomain());
        why.put("request_id", info.getMetadataOrDefault("request_id", ""));
      } else if (detail.is(BadRequest.class)) {
        why.put("fields", detail.unpack(BadRequest.class).getFieldViolationsList().stream()
            .map(violation -> violation.getField()).toList());
      }
    }
    return why;
  }
}
