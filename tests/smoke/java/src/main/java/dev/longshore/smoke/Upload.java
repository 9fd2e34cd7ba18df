package dev.longshore.smoke;

import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.v1.DeployHeader;
import dev.longshore.v1.DeployRequest;
import dev.longshore.v1.DeployResponse;
import dev.longshore.v1.Deployment;
import dev.longshore.v1.DeploymentServiceGrpc;
import dev.longshore.v1.PayloadData;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.concurrent.CompletableFuture;

/**
 * One upload: the header, then the payload once the server has accepted it, as fast as the server reads.
 *
 * <p>gRPC calls everything here one after another, so no field needs a lock.
 */
final class Upload implements ClientResponseObserver<DeployRequest, DeployResponse>, ClientInterceptor {
  private static final int MESSAGE_BYTES = 1 << 20;
  private static final Metadata.Key<String> ACCEPTED = key("longshore-accepted");
  private static final Metadata.Key<String> DURABLE_OFFSET = key("longshore-durable-offset");

  private final DeployHeader header;
  private final byte[] payload;
  private final CompletableFuture<Deployment> answer = new CompletableFuture<>();
  private ClientCallStreamObserver<DeployRequest> call;
  private boolean accepted;
  private boolean closed;
  private int offset;

  /** What was sent, whatever became of it; read them when {@link #run} has returned. */
  int durableOffset = -1;
  int messages;

  Upload(DeployHeader header, byte[] payload) {
    this.header = header;
    this.payload = payload;
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  /** Completes with the deployment as recorded, or exceptionally with the call's StatusRuntimeException. */
  CompletableFuture<Deployment> run(DeploymentServiceGrpc.DeploymentServiceStub stub) {
    stub.withInterceptors(this).deploy(this);
    call.onNext(DeployRequest.newBuilder().setHeader(header).build());
    return answer;
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<DeployRequest> requests) {
    call = requests;
    call.setOnReadyHandler(this::send);
  }

  /** Either this comes, or the true error does. Bytes before it would run into a refusal and bury it. */
  private void onHeaders(Metadata headers) {
    if ("1".equals(headers.get(ACCEPTED))) {
      accepted = true;
      durableOffset = Integer.parseInt(headers.get(DURABLE_OFFSET));
      offset = durableOffset;
      send();
    }
  }

  /** Called again whenever the connection has room: what is sent while it has none is queued in memory. */
  private void send() {
    while (accepted && !closed && call.isReady()) {
      if (offset == payload.length) {
        closed = true;
        call.onCompleted();
        return;
      }
      int size = Math.min(MESSAGE_BYTES, payload.length - offset);
      PayloadData.Builder data = PayloadData.newBuilder()
          .setOffset(offset)
          .setData(UnsafeByteOperations.unsafeWrap(payload, offset, size));
      call.onNext(DeployRequest.newBuilder().setData(data).build());
      offset += size;
      messages += 1;
    }
  }

  @Override
  public void onNext(DeployResponse response) {
    answer.complete(response.getDeployment());
  }

  @Override
  public void onError(Throwable error) {
    closed = true;
    answer.completeExceptionally(error);
  }

  @Override
  public void onCompleted() {
    closed = true;
  }

  /** The only way in Java to see a call's initial metadata as it comes. */
  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<A> listener, Metadata headers) {
        super.start(new SimpleForwardingClientCallListener<>(listener) {
          @Override
          public void onHeaders(Metadata received) {
            super.onHeaders(received);
            Upload.this.onHeaders(received);
          }
        }, headers);
      }
    };
  }
}
