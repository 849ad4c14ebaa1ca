package main

import (
	"context"
	"fmt"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

func main() {
	users, err := kvlight.New(func(_ context.Context, ids []string) (map[string]string, error) {
		fmt.Println("asked for", ids)
		rows := map[string]string{}
		for _, id := range ids {
			if id != "404" { // left out, and remembered as absent
				rows[id] = "user " + id
			}
		}
		return rows, nil
	}, kvlight.Settings{"cache.capacity": 10_000, "cache.ttl_ms": 60_000})
	if err != nil {
		panic(err)
	}
	defer users.Close()
	user, found, err := users.Fetch(context.Background(), "7")
	fmt.Println(user, found, err)
	all, err := users.FetchAll(context.Background(), []string{"7", "404", "7"})
	fmt.Println(all, err)
}
