// Deploys a file, follows it to its end, finds it in the list, and meets a refused header.
//
// Written against nothing but the stubs that protoc makes of the .proto files, as a service of yours would be:
//
//	client ADDRESS PROJECT
//
// The results are printed as one line of JSON.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	randv2 "math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	longshorev1 "longshore.dev/longshore/v1"
)

const (
	messageBytes = 1 << 20
	payloadBytes = 5*messageBytes + 12_345
	fileName     = "payload.bin"
)

type progress struct {
	Sequences []int64 `json:"sequences"`
	Status    string  `json:"status"`
	Snapshots int     `json:"snapshots"`
	EndedOK   bool    `json:"ended_ok"`
}

type listed struct {
	Times   int    `json:"times"`
	Status  string `json:"status"`
	Version string `json:"version"`
}

type refusal struct {
	Code      string   `json:"code"`
	Message   string   `json:"message"`
	Reason    string   `json:"reason"`
	Domain    string   `json:"domain"`
	RequestID string   `json:"request_id"`
	Fields    []string `json:"fields"`
	Messages  int      `json:"messages"`
}

type result struct {
	DeploymentID   string   `json:"deployment_id"`
	AnsweredID     string   `json:"answered_id"`
	Version        string   `json:"version"`
	SHA256         string   `json:"sha256"`
	Size           int      `json:"size"`
	AnsweredSHA256 string   `json:"answered_sha256"`
	AnsweredSize   int64    `json:"answered_size"`
	DurableOffset  int      `json:"durable_offset"`
	Messages       int      `json:"messages"`
	Progress       progress `json:"progress"`
	Listed         listed   `json:"listed"`
	Refused        refusal  `json:"refused"`
}

type client struct {
	stub    longshorev1.DeploymentServiceClient
	project string
}

// uuid4 is a random UUID, as RFC 9562 has it.
func uuid4() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // Never fails, says its documentation.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// pseudoRandom makes bytes that look random and are the same for the same seed.
func pseudoRandom(seed string) []byte {
	payload := make([]byte, payloadBytes)
	_, _ = randv2.NewChaCha8(sha256.Sum256([]byte(seed))).Read(payload)
	return payload
}

// upload tells what was sent, whatever became of it.
type upload struct {
	durableOffset int
	messages      int
}

// deploy sends the header, then the payload once the server has accepted it.
func (c *client) deploy(
	ctx context.Context, header *longshorev1.DeployHeader, payload []byte,
) (*longshorev1.Deployment, upload, error) {
	sent := upload{durableOffset: -1}
	stream, err := c.stub.Deploy(ctx)
	if err != nil {
		return nil, sent, err
	}
	first := &longshorev1.DeployRequest{Message: &longshorev1.DeployRequest_Header{Header: header}}
	// io.EOF is never the reason: it says that the call is over, and CloseAndRecv says why.
	if err := stream.Send(first); err != nil && !errors.Is(err, io.EOF) {
		return nil, sent, err
	}
	// Either the server accepts the header, or the call is over with the true error. Bytes before that would
	// run into the refusal and bury it.
	metadata, err := stream.Header()
	if err != nil {
		return nil, sent, err
	}
	if accepted := metadata.Get("longshore-accepted"); len(accepted) == 1 && accepted[0] == "1" {
		if sent.durableOffset, err = strconv.Atoi(metadata.Get("longshore-durable-offset")[0]); err != nil {
			return nil, sent, err
		}
		if err := sendFrom(stream, payload, &sent); err != nil {
			return nil, sent, err
		}
	}
	response, err := stream.CloseAndRecv()
	return response.GetDeployment(), sent, err
}

// sendFrom blocks while the server does not read: Send is Go's flow control.
func sendFrom(stream longshorev1.DeploymentService_DeployClient, payload []byte, sent *upload) error {
	for offset := sent.durableOffset; offset < len(payload); offset += messageBytes {
		data := &longshorev1.PayloadData{
			Offset: int64(offset),
			Data:   payload[offset:min(offset+messageBytes, len(payload))],
		}
		err := stream.Send(&longshorev1.DeployRequest{Message: &longshorev1.DeployRequest_Data{Data: data}})
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		sent.messages++
	}
	return nil
}

// follow reads every event from the first to the end of the deployment.
func (c *client) follow(ctx context.Context, deploymentID string) (progress, error) {
	seen := progress{Sequences: []int64{}}
	stream, err := c.stub.StreamProgress(ctx, &longshorev1.StreamProgressRequest{DeploymentId: deploymentID})
	if err != nil {
		return seen, err
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			seen.EndedOK = terminal(seen.Status)
			return seen, nil
		}
		if err != nil {
			return seen, err
		}
		if message.GetSnapshot() != nil {
			seen.Snapshots++
		}
		for _, event := range message.GetEvents() {
			seen.Sequences = append(seen.Sequences, event.GetSequence())
			if changed := event.GetStatusChanged(); changed != nil {
				seen.Status = changed.GetToStatus().String()
			}
		}
	}
}

func terminal(status string) bool {
	switch strings.TrimPrefix(status, "DEPLOYMENT_STATUS_") {
	case "SUCCEEDED", "FAILED", "SUPERSEDED":
		return true
	}
	return false
}

// list looks for the deployment on every page of its project's.
func (c *client) list(ctx context.Context, deploymentID string) (listed, error) {
	found, token := listed{}, ""
	for {
		page, err := c.stub.ListDeployments(
			ctx, &longshorev1.ListDeploymentsRequest{Project: c.project, PageSize: 2, PageToken: token})
		if err != nil {
			return found, err
		}
		for _, deployment := range page.GetDeployments() {
			if deployment.GetDeploymentId() == deploymentID {
				found = listed{found.Times + 1, deployment.GetStatus().String(), deployment.GetVersion()}
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			return found, nil
		}
	}
}

// refused deploys to a project that cannot be, and explains the error by its details.
func (c *client) refused(ctx context.Context, payload []byte) (refusal, error) {
	_, sent, err := c.deploy(ctx, &longshorev1.DeployHeader{
		DeploymentId:  uuid4(),
		Project:       "Not A Project!",
		PayloadFormat: longshorev1.PayloadFormat_PAYLOAD_FORMAT_FILE,
		FileName:      fileName,
	}, payload)
	if err == nil {
		return refusal{}, errors.New("the header was to be refused")
	}
	told := status.Convert(err)
	why := refusal{Code: codeName(told), Message: told.Message(), Messages: sent.messages}
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			why.Reason, why.Domain, why.RequestID = detail.GetReason(), detail.GetDomain(), detail.GetMetadata()["request_id"]
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				why.Fields = append(why.Fields, violation.GetField())
			}
		}
	}
	return why, nil
}

// codeName writes a code as the contract does: INVALID_ARGUMENT, not InvalidArgument.
func codeName(told *status.Status) string {
	var name strings.Builder
	for i, letter := range told.Code().String() {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}

func run(address, project string) (*result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	c := &client{longshorev1.NewDeploymentServiceClient(connection), project}

	payload := pseudoRandom(project)
	digest := sha256.Sum256(payload)
	out := &result{DeploymentID: uuid4(), SHA256: hex.EncodeToString(digest[:]), Size: len(payload)}
	deployment, sent, err := c.deploy(ctx, &longshorev1.DeployHeader{
		DeploymentId:     out.DeploymentID,
		Project:          project,
		PayloadFormat:    longshorev1.PayloadFormat_PAYLOAD_FORMAT_FILE,
		FileName:         fileName,
		PayloadSizeBytes: proto.Int64(int64(len(payload))),
		PayloadSha256:    out.SHA256,
	}, payload)
	if err != nil {
		return nil, fmt.Errorf("deploy: %w", err)
	}
	out.AnsweredID, out.Version = deployment.GetDeploymentId(), deployment.GetVersion()
	out.AnsweredSHA256, out.AnsweredSize = deployment.GetPayloadSha256(), deployment.GetPayloadSizeBytes()
	out.DurableOffset, out.Messages = sent.durableOffset, sent.messages
	if out.Progress, err = c.follow(ctx, out.DeploymentID); err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	if out.Listed, err = c.list(ctx, out.DeploymentID); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	if out.Refused, err = c.refused(ctx, payload); err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	return out, nil
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: client ADDRESS PROJECT")
	}
	out, err := run(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
