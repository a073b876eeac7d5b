// Package echoes has the handler that both servers have, the kit's and the bare one, so that a difference is the kit's.
package echoes

import (
	"context"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// Server gives back what it gets; the other methods are not called.
type Server struct {
	probev1.UnimplementedProbeServiceServer
}

// Echo answers.
func (Server) Echo(_ context.Context, request *probev1.EchoRequest) (*probev1.EchoResponse, error) {
	return &probev1.EchoResponse{Payload: request.GetPayload()}, nil
}
