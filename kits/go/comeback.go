package kit

// This file owns how soon grpc-go's xDS client is back after the control plane was away. By itself, after a minute away,
// it looks again once in a minute or two: the connection and the stream on it each wait longer after every failure. Here
// the connection is tried again every two seconds at most, and a stream waits for the connection.

import (
	"context"
	"encoding/json"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdsbootstrap "google.golang.org/grpc/xds/bootstrap"
)

const (
	firstComeback   = 200 * time.Millisecond
	longestComeback = 2 * time.Second
	connectWithin   = 5 * time.Second
)

func init() { xdsbootstrap.RegisterChannelCredentials(plaintext{}) }

// plaintext stands in for the credentials of that name in every bootstrap: grpc-go takes options for the connection to
// the control plane from where it takes its credentials.
type plaintext struct{}

func (plaintext) Name() string { return "insecure" }

func (plaintext) Build(json.RawMessage) (credentials.Bundle, func(), error) {
	return comebackBundle{insecure.NewBundle()}, func() {}, nil
}

type comebackBundle struct{ credentials.Bundle }

func (comebackBundle) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstComeback, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longestComeback},
			MinConnectTimeout: connectWithin,
		}),
		grpc.WithStreamInterceptor(waitForComeback),
	}
}

// waitForComeback lets a stream fail at once when the connection has only just broken, so that whoever needs something
// new is told, and has the next one wait.
func waitForComeback(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer,
	options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if conn.GetState() == connectivity.TransientFailure {
		options = append(options, grpc.WaitForReady(true))
	}
	return streamer(ctx, desc, conn, method, options...)
}
