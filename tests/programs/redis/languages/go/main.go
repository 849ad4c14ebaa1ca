// A process with an engine of the Go package and a Sharing with a URL, driven by commands on its input, like worker.c: `go URL`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

type row struct{ From string }

func main() {
	var answer atomic.Value
	answer.Store("nobody")
	sharing := kvlight.Sharing[row]{
		URL:    os.Args[1],
		Encode: func(value row) ([]byte, error) { return json.Marshal(value) },
		Decode: func(bytes []byte) (value row, err error) { return value, json.Unmarshal(bytes, &value) },
	}
	tasks, err := kvlight.New(func(_ context.Context, keys []string) (map[string]row, error) {
		rows := map[string]row{}
		for _, key := range keys {
			rows[key] = row{answer.Load().(string)}
		}
		return rows, nil
	}, kvlight.Settings{"cache.ttl_ms": 3_600_000, "timeout_ms": 20_000, "l2.timeout_ms": 10_000}, kvlight.ShareThrough(sharing))
	if err != nil {
		fmt.Println("refused", err)
		return
	}
	defer tasks.Close()
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := append(strings.Split(lines.Text(), " "), "", "")
		switch key := words[1]; words[0] {
		case "fetch":
			results, _ := tasks.Results(context.Background(), []string{key})
			from := "-"
			if results[0].Found {
				from = results[0].Value.From
			}
			fmt.Println("done", key, 0, results[0].Source, from)
		case "put":
			tasks.Put(key, row{words[2]}, kvlight.Terms{})
			fmt.Println("ok 0")
		case "auto":
			answer.Store(key)
			fmt.Println("ok 0")
		case "state":
			state, _ := tasks.L2State()
			json, _ := json.Marshal(state)
			fmt.Println("state", string(json))
		}
	}
}
