// A program that lists posts with their authors.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/kvlight/kvlight/bindings/go"
)

type author struct{ id, name string }

func main() {
	authors, err := kvlight.New(func(_ context.Context, ids []string) (map[string]author, error) {
		fmt.Printf("  the provider is asked for %d authors: %s\n", len(ids), strings.Join(ids, ", "))
		rows := map[string]author{}
		for _, id := range ids {
			// 404 is left out, and so it is remembered as absent.
			if id != "404" {
				rows[id] = author{id, "author " + id}
			}
		}
		return rows, nil
	}, kvlight.Settings{"cache.capacity": 1000, "cache.ttl_ms": 60_000})
	if err != nil {
		log.Fatal(err)
	}
	defer authors.Close()

	ctx := context.Background()
	posts := []string{"7", "12", "7", "404", "12"}
	for round := 1; round <= 2; round++ {
		fmt.Println("round", round)
		results, err := authors.Results(ctx, posts)
		if err != nil {
			log.Fatal(err)
		}
		for i, result := range results {
			fmt.Printf("  post %d by %q, who was found: %t\n", i+1, result.Value.name, result.Found)
		}
	}

	last, _, err := authors.Fetch(ctx, "99")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("one more, fetched alone:", last.name)
	stats, _ := authors.Stats()
	fmt.Printf("%d requests; %d hits, %d null hits, %d misses\n", stats.Requests, stats.Hits, stats.NullHits, stats.Misses)
}
