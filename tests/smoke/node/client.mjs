// Deploys a file, follows it to its end, finds it in the list, and meets a refused header.
//
// Written against nothing but the .proto files, as a service of yours would be:
//     node client.mjs FOLDER_OF_PROTOS ADDRESS PROJECT
// The results are printed as one line of JSON.

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const MESSAGE_BYTES = 1024 * 1024;
const PAYLOAD_BYTES = 5 * MESSAGE_BYTES + 12_345;
const FILE_NAME = "payload.bin";
const TERMINAL = new Set(["SUCCEEDED", "FAILED", "SUPERSEDED"].map((s) => `DEPLOYMENT_STATUS_${s}`));

// google.rpc's messages of the error details: public and stable, and not part of any npm package of gRPC's.
const rpc = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }
`, { keepCase: true }).root;

const [protos, address, project] = process.argv.slice(2);
const contract = grpc.loadPackageDefinition(
  loadSync("longshore/v1/deployment_service.proto", {
    includeDirs: [protos], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
  }),
).longshore.v1;
const stub = new contract.DeploymentService(address, grpc.credentials.createInsecure());

/** Bytes that look random and are the same for the same seed: SHA-256 in counter mode. */
function pseudoRandom(seed, size) {
  const blocks = [];
  for (let i = 0; i * 32 < size; i++) blocks.push(createHash("sha256").update(`${seed}:${i}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}

/** The header, then the payload once the server has accepted it. Resolves to the answer, rejects with the error. */
async function deploy(header, payload, sent) {
  let finish;
  const answer = new Promise((resolve, reject) => {
    finish = (error, response) => (error ? reject(error) : resolve(response));
  });
  const call = stub.Deploy(finish);
  const metadata = once(call, "metadata").then(([received]) => received);
  call.write({ header });
  // Either the server accepts the header, or the call is over with the true error. Bytes before that would
  // run into the refusal and bury it.
  const accepted = await Promise.race([metadata, answer]);
  if (accepted.get("longshore-accepted")[0] !== "1") throw new Error("the header was not accepted");
  sent.durableOffset = Number(accepted.get("longshore-durable-offset")[0]);
  for (let offset = sent.durableOffset; offset < payload.length; offset += MESSAGE_BYTES) {
    const data = payload.subarray(offset, offset + MESSAGE_BYTES);
    sent.messages += 1;
    // False: the connection's buffer is full. Writing on regardless would queue the payload in memory.
    if (!call.write({ data: { offset: String(offset), data } })) await Promise.race([once(call, "drain"), answer]);
  }
  call.end();
  return answer;
}

/** Every event from the first to the end of the deployment. */
async function follow(deploymentId) {
  const seen = { sequences: [], status: "", snapshots: 0, ended_ok: false };
  for await (const message of stub.StreamProgress({ deployment_id: deploymentId, after_sequence: "0" })) {
    if (message.snapshot) seen.snapshots += 1;
    for (const event of message.events) {
      seen.sequences.push(Number(event.sequence));
      if (event.status_changed) seen.status = event.status_changed.to_status;
    }
  }
  seen.ended_ok = TERMINAL.has(seen.status);
  return seen;
}

/** How many pages of the project's deployments there are, and how often this one is in them. */
async function list(deploymentId) {
  const found = { times: 0, status: "", version: "" };
  let page_token = "";
  do {
    const page = await new Promise((resolve, reject) => {
      stub.ListDeployments({ project, page_size: 2, page_token }, (e, response) => (e ? reject(e) : resolve(response)));
    });
    for (const deployment of page.deployments.filter((d) => d.deployment_id === deploymentId)) {
      found.times += 1;
      found.status = deployment.status;
      found.version = deployment.version;
    }
    page_token = page.next_page_token;
  } while (page_token);
  return found;
}

/** What an error of the server says, from its status details. */
function explain(error) {
  const details = rpc.lookupType("google.rpc.Status").decode(error.metadata.get("grpc-status-details-bin")[0]).details;
  const detail = (name) => {
    const any = details.find((d) => d.type_url.endsWith(`/google.rpc.${name}`));
    return rpc.lookupType(`google.rpc.${name}`).decode(any.value);
  };
  const info = detail("ErrorInfo");
  return {
    code: grpc.status[error.code],
    message: error.details,
    reason: info.reason,
    domain: info.domain,
    request_id: info.metadata.request_id ?? "",
    fields: detail("BadRequest").field_violations.map((violation) => violation.field),
  };
}

async function refused(payload) {
  const sent = { messages: 0 };
  const header = {
    deployment_id: randomUUID(), project: "Not A Project!", payload_format: "PAYLOAD_FORMAT_FILE", file_name: FILE_NAME,
  };
  try {
    await deploy(header, payload, sent);
  } catch (error) {
    if (error.code === undefined) throw error;
    return { ...explain(error), messages: sent.messages };
  }
  throw new Error("the header was to be refused");
}

const payload = pseudoRandom(project, PAYLOAD_BYTES);
const sha256 = createHash("sha256").update(payload).digest("hex");
const deploymentId = randomUUID();
const sent = { messages: 0, durableOffset: -1 };
const { deployment } = await deploy({
  deployment_id: deploymentId,
  project,
  payload_format: "PAYLOAD_FORMAT_FILE",
  file_name: FILE_NAME,
  payload_size_bytes: String(payload.length),
  payload_sha256: sha256,
}, payload, sent);

console.log(JSON.stringify({
  deployment_id: deploymentId,
  answered_id: deployment.deployment_id,
  version: deployment.version,
  sha256,
  size: payload.length,
  answered_sha256: deployment.payload_sha256,
  answered_size: Number(deployment.payload_size_bytes),
  durable_offset: sent.durableOffset,
  messages: sent.messages,
  progress: await follow(deploymentId),
  listed: await list(deploymentId),
  refused: await refused(payload),
}));
stub.close();
