// Fetches 100,000 keys while another goroutine is busy: single fetches, batches, errors, cancels. Each key must settle exactly once, and no
// more values may be dropped than were created. `stress SEED`; `run.sh stress` starts it many times.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/kvlight/kvlight/bindings/go"
)

const (
	fetches = 100_000
	callers = 16
)

func main() {
	seed := int64(1)
	if len(os.Args) > 1 {
		seed, _ = strconv.ParseInt(os.Args[1], 10, 64)
	}
	go func() {
		for sum := 0; ; sum = (sum*31 + 7) % 1000003 {
		}
	}()

	var delivered, failed, created, dropped atomic.Int64
	provide := func(request *kvlight.Request[string]) {
		if rand.Intn(4) == 0 {
			runtime.Gosched()
		}
		for i, key := range request.Keys() {
			switch random := rand.Intn(10); {
			case random == 0:
				_ = request.Fail(i, errors.New(key))
			case random <= 7:
				created.Add(1)
				_ = request.Resolve(i, "value of "+key)
			}
		}
		_ = request.Finish()
	}
	tasks, err := kvlight.NewWithRequests(provide,
		kvlight.Settings{"cache.capacity": 2000, "retry.count": 1, "tasks.max_running": 32},
		kvlight.Dropped(func(string) { dropped.Add(1) }))
	if err != nil {
		log.Fatal(err)
	}

	var all sync.WaitGroup
	for caller := 0; caller < callers; caller++ {
		all.Add(1)
		go func(random *rand.Rand) {
			defer all.Done()
			key := func() string { return fmt.Sprint("key ", random.Intn(5000)) }
			for left := fetches / callers; left > 0; {
				if random.Intn(8) == 0 {
					keys := make([]string, 50)
					if left < len(keys) {
						keys = keys[:left]
					}
					for i := range keys {
						keys[i] = key()
					}
					results, err := tasks.Results(context.Background(), keys)
					if err != nil {
						log.Fatal(err)
					}
					for _, result := range results {
						delivered.Add(1)
						if result.Err != nil {
							failed.Add(1)
						}
					}
					left -= len(keys)
					continue
				}
				ctx, cancel := context.WithCancel(context.Background())
				if random.Intn(50) == 0 {
					go cancel()
				}
				if _, _, err := tasks.Fetch(ctx, key()); err != nil {
					failed.Add(1)
				}
				cancel()
				delivered.Add(1)
				left--
			}
		}(rand.New(rand.NewSource(seed*100 + int64(caller))))
	}
	all.Wait()
	tasks.Close()
	// Values of answers after the close never reach the library, so they are not dropped.
	if delivered.Load() != fetches || dropped.Load() > created.Load() {
		log.Fatalf("%d delivered; %d created, %d dropped", delivered.Load(), created.Load(), dropped.Load())
	}
	fmt.Printf("# %d fetches, %d errors, %d values dropped of %d\n", delivered.Load(), failed.Load(), dropped.Load(), created.Load())
}
