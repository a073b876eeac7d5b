package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	catalogv1 "github.com/gossamer-mesh/gossamer/gen/go/shop/catalog/v1"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/pgtest"
)

// These tests start the service as a process, with a real PostgreSQL and without a mesh, and call it with grpc-go. The
// process is this test program, told by a variable to be the service.

const beTheService = "CATALOG_TEST_BE_THE_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(beTheService) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience is the longest that anything here waits.
const patience = 30 * time.Second

func TestBadInputEndsInTheRightStatusAndDetails(t *testing.T) {
	database, _ := startDatabase(t)
	client := startService(t, database)
	list := func(r *catalogv1.ListProductsRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := client.ListProducts(ctx, r); return err }
	}
	get := func(id string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.GetProduct(ctx, &catalogv1.GetProductRequest{Id: id})
			return err
		}
	}
	batch := func(ids ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.BatchGetProducts(ctx, &catalogv1.BatchGetProductsRequest{Ids: ids})
			return err
		}
	}
	search := func(r *catalogv1.SearchProductsRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := client.SearchProducts(ctx, r); return err }
	}
	token := firstToken(t, client)
	const (
		invalid = "InvalidArgument INVALID_REQUEST "
		noToken = "InvalidArgument PAGE_TOKEN_INVALID page_token"
		missing = "NotFound PRODUCT_NOT_FOUND "
	)
	for name, check := range map[string]struct {
		call     func(context.Context) error
		expected string
	}{
		"empty id":                 {get(""), invalid + "id"},
		"over-long id":             {get(strings.Repeat("a", 65)), invalid + "id"},
		"unknown id":               {get("brass-desk-lamb"), missing},
		"id that is no slug":       {get("'; DROP TABLE products; --"), missing},
		"id with NUL":              {get("brass\x00lamp"), missing},
		"id of 5 MiB":              {get(strings.Repeat("a", 5<<20)), "ResourceExhausted  "},
		"no ids":                   {batch(), invalid + "ids"},
		"an empty id among others": {batch("alpaca-throw", ""), invalid + "ids[1]"},
		"an id twice":              {batch("alpaca-throw", "alpaca-throw"), invalid + "ids"},
		"10,000 ids":               {batch(manyIDs(10_000)...), invalid + "ids"},
		"200 unknown ids":          {batch(manyIDs(200)...), "OK  "},
		"negative page":            {list(&catalogv1.ListProductsRequest{PageSize: -1}), invalid + "page_size"},
		"page too big":             {list(&catalogv1.ListProductsRequest{PageSize: 101}), invalid + "page_size"},
		"largest page":             {list(&catalogv1.ListProductsRequest{PageSize: 100}), "OK  "},
		"unknown category":         {list(&catalogv1.ListProductsRequest{Category: "boats"}), "OK  "},
		"category with NUL":        {list(&catalogv1.ListProductsRequest{Category: "\x00"}), invalid + "category"},
		"token of junk":            {list(&catalogv1.ListProductsRequest{PageToken: "junk"}), noToken},
		"token with NUL":           {list(&catalogv1.ListProductsRequest{PageToken: "\x00"}), noToken},
		"token of another filter":  {list(&catalogv1.ListProductsRequest{PageToken: token, Category: "toys"}), noToken},
		"token of another method":  {search(&catalogv1.SearchProductsRequest{PageToken: token, Query: "lamp"}), noToken},
		"token over-long":          {list(&catalogv1.ListProductsRequest{PageToken: strings.Repeat("a", 513)}), invalid + "page_token"},
		"token of this filter":     {list(&catalogv1.ListProductsRequest{PageToken: token}), "OK  "},
		"no query":                 {search(&catalogv1.SearchProductsRequest{}), invalid + "query"},
		"query over-long":          {search(&catalogv1.SearchProductsRequest{Query: strings.Repeat("a", 201)}), invalid + "query"},
		"query without words":      {search(&catalogv1.SearchProductsRequest{Query: " !? "}), invalid + "query"},
		"query with NUL":           {search(&catalogv1.SearchProductsRequest{Query: "a\x00b"}), "OK  "},
		"query with operators":     {search(&catalogv1.SearchProductsRequest{Query: `lamp' & | ! :* <-> \ ( %`}), "OK  "},
		"several wrong fields": {list(&catalogv1.ListProductsRequest{PageSize: -1, Category: strings.Repeat("a", 65)}),
			invalid + "page_size category"},
	} {
		if found := outcome(check.call(limited(t))); found != check.expected {
			t.Errorf("%s: expected %q, found %q", name, check.expected, found)
		}
	}
}

func TestWithoutPostgreSQLCallersAreToldInTimeAndServedAgainAfterwards(t *testing.T) {
	database, server := startDatabase(t)
	client := startService(t, database)
	get := func() string {
		_, err := client.GetProduct(limited(t), &catalogv1.GetProductRequest{Id: "alpaca-throw"})
		return outcome(err)
	}
	if found := get(); found != "OK  " {
		t.Fatalf("found %q", found)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if found := get(); found != "Unavailable STORE_UNAVAILABLE " {
		t.Errorf("found %q", found)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if found := get(); found != "OK  " {
		t.Errorf("found %q from a PostgreSQL that is back", found)
	}
}

func TestABadEnvironmentEndsWithStatus64AndBindsNothing(t *testing.T) {
	command := service(t, "DATABASE_URL=", "GOSSAMER_DRAIN=soon")
	said, err := command.CombinedOutput()
	if command.ProcessState.ExitCode() != 64 || strings.Contains(string(said), "announce") {
		t.Errorf("found %v:\n%s", err, said)
	}
	for _, expected := range []string{"DATABASE_URL: expected", "GOSSAMER_DRAIN: expected"} {
		if !strings.Contains(string(said), expected) {
			t.Errorf("expected %q in:\n%s", expected, said)
		}
	}
}

func TestAStopWhileWaitingForPostgreSQLIsNoFailure(t *testing.T) {
	command := service(t, "DATABASE_URL=postgresql://catalog:secret@127.0.0.1:1/catalog") // nothing listens on port 1
	logs, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(logs).ReadString('\n')
	if err != nil || !strings.Contains(line, `"waiting for PostgreSQL"`) || strings.Contains(line, "secret") {
		t.Errorf("found %q, %v", line, err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("expected status 0, found %v", err)
	}
}

// startDatabase starts a PostgreSQL that the test may kill, and returns the URL of an empty database in it.
func startDatabase(t *testing.T) (string, *pgtest.Server) {
	t.Helper()
	server, err := pgtest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.Database(t), server
}

// startService starts the service and returns a client of it. When the test ends, it is told to stop and has to end well.
func startService(t *testing.T, database string) catalogv1.CatalogServiceClient {
	t.Helper()
	command := service(t, "DATABASE_URL="+database)
	var logs bytes.Buffer
	command.Stderr = &logs
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var announced struct{ Address string }
	decodeErr := json.NewDecoder(out).Decode(&announced)
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // fails when it has ended, which Wait tells better
		if err := command.Wait(); err != nil || t.Failed() {
			t.Errorf("the service ended with %v:\n%s", err, logs.String())
		}
	})
	if decodeErr != nil {
		t.Fatalf("no announce line: %v", decodeErr)
	}
	connection, err := grpc.NewClient(announced.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return catalogv1.NewCatalogServiceClient(connection)
}

// service returns the command of the service with these variables and no others of ours. It ends with the test.
func service(t *testing.T, variables ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(limited(t), os.Args[0])
	command.Env = append([]string{beTheService + "=1", "GOSSAMER_SERVICE=catalog", "GOSSAMER_DISCOVERY=static:"}, variables...)
	return command
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func firstToken(t *testing.T, client catalogv1.CatalogServiceClient) string {
	t.Helper()
	page, err := client.ListProducts(limited(t), &catalogv1.ListProductsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	return page.GetNextPageToken()
}

func manyIDs(count int) (ids []string) {
	for i := range count {
		ids = append(ids, fmt.Sprintf("thing-%d", i))
	}
	return ids
}

// outcome is the status of a call, the reason of its ErrorInfo and the fields of its BadRequest, with blanks between.
func outcome(err error) string {
	answer := status.Convert(err)
	reason, fields := "", []string{}
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = detail.GetReason()
			if detail.GetDomain() != "shop.catalog.v1" {
				reason += " of " + detail.GetDomain()
			}
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				fields = append(fields, violation.GetField())
			}
		}
	}
	if answer.Code() != codes.OK && answer.Message() == "" {
		reason += " without a message"
	}
	return fmt.Sprintf("%s %s %s", answer.Code(), reason, strings.Join(slices.Compact(fields), " "))
}
