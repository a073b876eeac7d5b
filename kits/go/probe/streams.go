package main

// This file owns the streams that the probe opens to others, each to its end or dropped after the first message.

import (
	"context"
	"errors"
	"io"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

func count(ctx context.Context, callee probev1.ProbeServiceClient, abandon bool) error {
	stream, err := callee.Count(ctx, &probev1.CountRequest{To: 3})
	for err == nil {
		if _, err = stream.Recv(); err == nil && abandon {
			return nil
		}
	}
	return unlessEnd(err)
}

func sum(ctx context.Context, callee probev1.ProbeServiceClient, abandon bool) error {
	stream, err := callee.Sum(ctx)
	if err != nil {
		return err
	}
	for number := range int32(3) {
		err := stream.Send(&probev1.SumRequest{Number: number + 1})
		if err != nil || abandon {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

func chat(ctx context.Context, callee probev1.ProbeServiceClient, abandon bool) error {
	stream, err := callee.Chat(ctx)
	if err != nil {
		return err
	}
	for _, text := range []string{"one", "two", "three"} {
		if err := stream.Send(&probev1.ChatRequest{Text: text}); err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil || abandon {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err = stream.Recv()
	return unlessEnd(err)
}

// unlessEnd returns nil for the orderly end of a stream.
func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
