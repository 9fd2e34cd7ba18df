// Followers of one deployment, many on one connection: what the last of them saw of each event, and when.
//
// Usage: followers ADDRESS DEPLOYMENT FOLLOWERS FOLLOWERS-A-CONNECTION
//
// Prints "following" when every follower has had its first message; at the end one JSON object with the
// delays of each event that was written afterwards, in seconds: from the event's own time, which is this
// machine's clock, until the last follower had it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
)

const method = "/longshore.v1.DeploymentService/StreamProgress"

// What is measured must not be the measuring: messages are only walked through.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append((*v.(*[]byte))[:0], b...)
	return nil
}

type sight struct {
	written time.Time
	last    time.Time
	seenBy  int
}

// seen by one connection's followers
type ledger struct {
	mutex  sync.Mutex
	events map[int64]*sight
}

func (l *ledger) note(sequence int64, written, now time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	found := l.events[sequence]
	if found == nil {
		found = &sight{written: written}
		l.events[sequence] = found
	}
	found.seenBy++
	if now.After(found.last) {
		found.last = now
	}
}

func fields(message []byte, each func(protowire.Number, uint64, []byte)) {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			log.Fatal("a message that is none")
		}
		message = message[size:]
		switch kind {
		case protowire.VarintType:
			value, size := protowire.ConsumeVarint(message)
			each(number, value, nil)
			message = message[size:]
		case protowire.BytesType:
			value, size := protowire.ConsumeBytes(message)
			each(number, 0, value)
			message = message[size:]
		default:
			message = message[protowire.ConsumeFieldValue(number, kind, message):]
		}
	}
}

func event(message []byte) (sequence int64, written time.Time) {
	var seconds, nanos int64
	fields(message, func(number protowire.Number, value uint64, inner []byte) {
		switch number {
		case 2:
			sequence = int64(value)
		case 3:
			fields(inner, func(number protowire.Number, value uint64, _ []byte) {
				if number == 1 {
					seconds = int64(value)
				} else {
					nanos = int64(value)
				}
			})
		}
	})
	return sequence, time.Unix(seconds, nanos)
}

func follow(channel *grpc.ClientConn, deployment string, seen *ledger, first func()) {
	request := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), deployment)
	stream, err := channel.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		log.Fatal(err)
	}
	if err := stream.SendMsg(&request); err != nil {
		log.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		log.Fatal(err)
	}
	var message []byte
	expected := int64(1)
	for begun := false; ; begun = true {
		if err := stream.RecvMsg(&message); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		now := time.Now()
		fields(message, func(number protowire.Number, _ uint64, inner []byte) {
			if number != 1 {
				return
			}
			sequence, written := event(inner)
			if sequence != expected {
				log.Fatalf("event %d came where %d was next", sequence, expected)
			}
			expected++
			seen.note(sequence, written, now)
		})
		if !begun {
			first()
		}
	}
}

func main() {
	address, deployment := os.Args[1], os.Args[2]
	followers, _ := strconv.Atoi(os.Args[3])
	perConnection, _ := strconv.Atoi(os.Args[4])
	var all, begun sync.WaitGroup
	var ledgers []*ledger
	var behind atomic.Int64
	behind.Store(int64(followers))
	begun.Add(followers)
	for number := 0; number < followers; number++ {
		if number%perConnection == 0 {
			ledgers = append(ledgers, &ledger{events: map[int64]*sight{}})
		}
	}
	for place, seen := range ledgers {
		channel, err := grpc.NewClient("passthrough:///"+address,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
		if err != nil {
			log.Fatal(err)
		}
		count := min(perConnection, followers-place*perConnection)
		all.Add(count)
		for range count {
			go func() {
				defer all.Done()
				follow(channel, deployment, seen, begun.Done)
			}()
		}
	}
	begun.Wait()
	following := time.Now()
	fmt.Println("following")
	all.Wait()
	delays := map[int64]float64{}
	for _, seen := range ledgers {
		for sequence, one := range seen.events {
			if one.written.Before(following) {
				continue
			}
			delays[sequence] = max(delays[sequence], one.last.Sub(one.written).Seconds())
		}
	}
	var told int
	for _, seen := range ledgers {
		for sequence, one := range seen.events {
			if _, counted := delays[sequence]; counted {
				told += one.seenBy
			}
		}
	}
	if told != len(delays)*followers {
		log.Fatalf("%d events times %d followers were seen %d times", len(delays), followers, told)
	}
	if err := json.NewEncoder(os.Stdout).Encode(delays); err != nil {
		log.Fatal(err)
	}
}
