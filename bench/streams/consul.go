package main

import (
	"context"
	"log"
	"time"

	"github.com/hashicorp/consul/api"
)

// watch follows a service in Consul with blocking queries, as a control plane does, and notes when each was answered.
func watch(ctx context.Context, url, service string, ledger *ledger) {
	client, err := api.NewClient(&api.Config{Address: url})
	if err != nil {
		log.Fatal(err)
	}
	options := (&api.QueryOptions{}).WithContext(ctx)
	for {
		entries, meta, err := client.Health().Service(service, "", false, options)
		if err != nil {
			log.Fatalf("expected Consul to answer: %v", err)
		}
		moment := time.Now().UnixNano()
		for _, entry := range entries {
			ledger.answers(entry.Service.Address, uint32(entry.Service.Port), moment)
		}
		options.WaitIndex = meta.LastIndex
	}
}
