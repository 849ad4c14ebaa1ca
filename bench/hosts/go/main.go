// Compares kvlight for Go with golang-lru, ristretto and singleflight: prints lines of work, library and CPU nanoseconds for each key.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sort"
	"strconv"
	"syscall"

	"github.com/dgraph-io/ristretto"
	lru "github.com/hashicorp/golang-lru"
	kvlight "github.com/kvlight/kvlight/bindings/go"
	"golang.org/x/sync/singleflight"
)

// static int nothing(const unsigned char *key, unsigned long len) { return key ? (int)len : 0; }
import "C"

const (
	rounds = 5
	absent = 1_000
)

var keys = numberOfKeys()

func numberOfKeys() int {
	if text, ok := os.LookupEnv("KVL_BENCH_KEYS"); ok {
		return must(strconv.Atoi(text))
	}
	return 100_000
}

type row struct{ key string }

// used returns the CPU time of all threads, in nanoseconds.
func used() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

type figures struct {
	names []string
	costs map[string][]float64
}

func (f *figures) measured(work, library string, n int, call func()) {
	begun := used()
	call()
	name := work + "\t" + library
	if f.costs[name] == nil {
		f.names = append(f.names, name)
	}
	f.costs[name] = append(f.costs[name], (used()-begun)/float64(n))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	tasks := must(kvlight.New(func(_ context.Context, asked []string) (map[string]row, error) {
		rows := make(map[string]row, len(asked))
		for _, key := range asked {
			rows[key] = row{key}
		}
		return rows, nil
	}, kvlight.Settings{"cache.capacity": 2 * keys, "batch.max_keys": 64, "tasks.max_running": 16}))
	defer tasks.Close()
	plain := must(lru.New(2 * keys))
	admitted := must(ristretto.NewCache(&ristretto.Config{NumCounters: int64(20 * keys), MaxCost: int64(2 * keys), BufferItems: 64}))
	order := make([]string, keys)
	for i := range order {
		order[i] = fmt.Sprintf("key %d", i)
		_, _ = tasks.Put(order[i], row{order[i]}, kvlight.Terms{})
		plain.Add(order[i], row{order[i]})
		// Ristretto stores entries later, on a goroutine of its own, and drops some of them.
		for isIn := false; !isIn; _, isIn = admitted.Get(order[i]) {
			admitted.Set(order[i], row{order[i]}, 1)
			runtime.Gosched()
		}
	}
	rand.New(rand.NewSource(1)).Shuffle(keys, func(i, j int) { order[i], order[j] = order[j], order[i] })
	var group singleflight.Group
	fetched := func(key string) row {
		if found, ok := plain.Get(key); ok {
			return found.(row)
		}
		loaded, _, _ := group.Do(key, func() (any, error) { return row{key}, nil })
		plain.Add(key, loaded.(row))
		return loaded.(row)
	}
	f := &figures{costs: map[string][]float64{}}
	for turn := 0; turn < rounds; turn++ {
		each := func(call func(key string)) func() {
			return func() {
				for _, key := range order {
					call(key)
				}
			}
		}
		f.measured("resident get", "kvlight", keys, each(func(key string) { _, _, _ = tasks.Get(key) }))
		f.measured("resident get", "golang-lru", keys, each(func(key string) { plain.Get(key) }))
		f.measured("resident get", "ristretto", keys, each(func(key string) { admitted.Get(key) }))
		// A thousand keys fit into the processor's caches.
		hot := func(call func(key string)) func() {
			return func() {
				for i := 0; i < keys; i++ {
					call(order[i%1000])
				}
			}
		}
		f.measured("get, of 1,000 keys", "kvlight", keys, hot(func(key string) { _, _, _ = tasks.Get(key) }))
		f.measured("get, of 1,000 keys", "golang-lru", keys, hot(func(key string) { plain.Get(key) }))
		f.measured("get, of 1,000 keys", "ristretto", keys, hot(func(key string) { admitted.Get(key) }))
		f.measured("get, of 1,000 keys", "a bare call into C", keys, hot(func(key string) { C.nothing(nil, C.ulong(len(key))) }))
		f.measured("resident fetch", "kvlight", keys, each(func(key string) { _, _, _ = tasks.Fetch(ctx, key) }))
		f.measured("resident fetch", "golang-lru + singleflight", keys, each(func(key string) { fetched(key) }))
		batches := make([][]string, 20)
		for b := range batches {
			for i := 0; i < absent; i++ {
				batches[b] = append(batches[b], fmt.Sprintf("absent %d %d %d", turn, b, i))
			}
		}
		f.measured("1,000 absent keys, 64 a request", "kvlight", 20*absent, func() {
			for _, some := range batches {
				must(tasks.FetchAll(ctx, some))
			}
		})
		f.measured("1,000 absent keys, 64 a request", "golang-lru + singleflight", 20*absent, func() {
			for _, some := range batches {
				for _, key := range some {
					fetched(key)
				}
			}
		})
	}
	for _, name := range f.names {
		costs := f.costs[name]
		sort.Float64s(costs)
		fmt.Printf("%s\t%.0f\n", name, costs[rounds/2])
	}
}
