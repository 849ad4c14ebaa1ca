// The scenarios that every language has, and tests specific to Go, while a goroutine keeps each processor busy. Prints TAP.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kvlight/kvlight/bindings/go"
)

var ctx = context.Background()

type scenario struct {
	name string
	run  func()
}

// failed is the panic value of a check that fails.
type failed string

func equal[T any](got, wanted T, what string) {
	if any(got) != any(wanted) {
		panic(failed(fmt.Sprintf("%s: got %.300v, wanted %.300v", what, got, wanted)))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(failed(err.Error()))
	}
	return value
}

// eventually yields to other goroutines until a condition holds. The timeout of run.sh ends a test whose condition never holds.
func eventually(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

// userTasks returns an engine whose provider answers "user <key>" for keys that do not begin with "no", and the number of keys it was asked for.
func userTasks(settings kvlight.Settings) (*kvlight.Tasks[string], *atomic.Int64) {
	loaded := new(atomic.Int64)
	return must(kvlight.New(func(_ context.Context, keys []string) (map[string]string, error) {
		loaded.Add(int64(len(keys)))
		rows := map[string]string{}
		for _, key := range keys {
			if !strings.HasPrefix(key, "no") {
				rows[key] = "user " + key
			}
		}
		return rows, nil
	}, settings)), loaded
}

// unansweredTasks returns an engine whose provider leaves its requests unanswered, and the channel of those requests.
func unansweredTasks(settings kvlight.Settings) (*kvlight.Tasks[string], chan *kvlight.Request[string]) {
	requests := make(chan *kvlight.Request[string], 100)
	return must(kvlight.NewWithRequests(func(request *kvlight.Request[string]) { requests <- request }, settings)), requests
}

func mustFetch(tasks *kvlight.Tasks[string], key string) string {
	value, _, err := tasks.Fetch(ctx, key)
	return must(value, err)
}

func hit() {
	tasks, loaded := userTasks(nil)
	defer tasks.Close()
	equal(mustFetch(tasks, "7"), "user 7", "loaded")
	equal(mustFetch(tasks, "7"), "user 7", "from the store")
	equal(loaded.Load(), 1, "keys loaded")
	equal(must(tasks.Stats()).Hits, 1, "hits")
	equal(must(tasks.Put("8", "put", kvlight.Terms{TTL: time.Hour})), true, "put")
	equal(mustFetch(tasks, "8"), "put", "the value of the put")
}

func nullHit() {
	tasks, loaded := userTasks(nil)
	defer tasks.Close()
	for i := 0; i < 2; i++ {
		_, found, err := tasks.Fetch(ctx, "nobody")
		equal(found, false, "found")
		equal(err, nil, "error")
	}
	equal(loaded.Load(), 1, "keys loaded")
	equal(must(tasks.Stats()).NullHits, 1, "null hits")
	equal(must(tasks.PutNull("7")), true, "put")
	_, found, _ := tasks.Fetch(ctx, "7")
	equal(found, false, "found")
}

func miss() {
	tasks, loaded := userTasks(nil)
	defer tasks.Close()
	_, found, err := tasks.Get("7")
	equal(found, false, "a lookup")
	equal(err, nil, "error")
	results := must(tasks.Results(ctx, []string{"7"}, kvlight.Settings{"read": "cache_only"}))
	equal(results[0].Status, kvlight.Miss, "a cache-only fetch")
	equal(loaded.Load(), 0, "keys loaded")
	equal(must(tasks.Results(ctx, []string{"7"}))[0].Source, kvlight.FromProvider, "a fetch")
	equal(loaded.Load(), 1, "keys loaded")
}

func batchWithDuplicates() {
	tasks, loaded := userTasks(nil)
	defer tasks.Close()
	keys := []string{"1", "2", "1", "nobody", "2"}
	for i, result := range must(tasks.Results(ctx, keys)) {
		equal(result.Key, keys[i], "key")
		equal(result.Found, keys[i] != "nobody", "found")
		if result.Found {
			equal(result.Value, "user "+keys[i], "value")
		}
	}
	equal(loaded.Load(), 3, "keys loaded")
	equal(len(must(tasks.FetchAll(ctx, keys))), 2, "values in a map")
	equal(len(must(tasks.FetchAll(ctx, nil))), 0, "an empty batch")
}

var errBroken = errors.New("b is broken")

func oneFailingKey() {
	tasks := must(kvlight.New(func(context.Context, []string) (map[string]string, error) {
		return map[string]string{"a": "A", "c": "C"}, kvlight.KeyErrors{"b": errBroken}
	}, nil))
	defer tasks.Close()
	results := must(tasks.Results(ctx, []string{"a", "b", "c", "b"}))
	equal(results[0].Value+results[2].Value, "AC", "the keys that do not fail")
	equal(results[1].Status, kvlight.ErrProvider, "the key that fails")
	equal(results[1].Err, errBroken, "the same error")
	equal(results[3].Err, errBroken, "the same error")
	_, err := tasks.FetchAll(ctx, []string{"a", "b"})
	equal(err, errBroken, "what FetchAll returns")
}

func retryThenSuccess() {
	attempts := 0
	tasks := must(kvlight.New(func(context.Context, []string) (map[string]string, error) {
		if attempts++; attempts < 3 {
			return nil, errors.New("not yet")
		}
		return map[string]string{"a": "at last"}, nil
	}, kvlight.Settings{"retry.count": 5}))
	defer tasks.Close()
	result := must(tasks.Results(ctx, []string{"a"}))[0]
	equal(result.Value, "at last", "value")
	equal(result.Attempts, 3, "attempts")
	equal(attempts, 3, "calls of the provider")
}

func timeout() {
	tasks, requests := unansweredTasks(nil)
	defer tasks.Close()
	_, _, err := tasks.Fetch(ctx, "a", kvlight.Settings{"timeout_ms": 500})
	equal(errors.Is(err, kvlight.ErrTimeout), true, fmt.Sprint(err))
	equal((<-requests).Context().Err() == nil, true, "the load continues for the next fetch")
	within, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, _, err = tasks.Fetch(within, "b")
	equal(err, context.DeadlineExceeded, "a context's deadline")
}

func cancelled() {
	tasks, requests := unansweredTasks(nil)
	defer tasks.Close()
	within, cancel := context.WithCancel(ctx)
	one := make(chan error)
	other := make(chan string)
	go func() {
		_, _, err := tasks.Fetch(within, "a")
		one <- err
	}()
	request := <-requests
	go func() { other <- mustFetch(tasks, "a") }()
	eventually(func() bool { return must(tasks.Stats()).Misses == 2 })
	cancel()
	equal(<-one, context.Canceled, "the cancelled fetch")
	equal(request.Context().Err(), nil, "the request continues")
	equal(request.Resolve(0, "A"), nil, "an answer")
	equal(<-other, "A", "the other fetch")
	equal(request.Finish(), nil, "the finish")
	_, _, err := tasks.Fetch(within, "a", kvlight.Settings{"read": "refresh"})
	equal(err, context.Canceled, "a fetch with a cancelled context")
}

func closeWhileLoading() {
	tasks, requests := unansweredTasks(kvlight.Settings{"tasks.max_running": 1})
	delivered := make(chan error, 3)
	for i := 0; i < 3; i++ {
		go func(key string) {
			_, _, err := tasks.Fetch(ctx, key)
			delivered <- err
		}(fmt.Sprint("key ", i))
	}
	request := <-requests
	eventually(func() bool { return must(tasks.Stats()).Misses == 3 })
	tasks.Close()
	for i := 0; i < 3; i++ {
		equal(errors.Is(<-delivered, kvlight.ErrClosed), true, "each fetch is settled")
	}
	<-request.Context().Done()
	_, _, err := tasks.Fetch(ctx, "a")
	equal(err, error(kvlight.ErrClosed), "a fetch afterwards")
	equal(request.Resolve(0, "late"), error(kvlight.ErrClosed), "an answer afterwards")
	tasks.Close()
}

func tenThousandKeys() {
	tasks, loaded := userTasks(kvlight.Settings{"cache.capacity": 20_000, "batch.max_keys": 500})
	defer tasks.Close()
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprint("key ", i)
	}
	for round := 0; round < 2; round++ {
		for i, result := range must(tasks.Results(ctx, keys)) {
			equal(result.Value, "user "+keys[i], "value")
		}
		equal(loaded.Load(), 10_000, "keys loaded")
	}
}

func callbackThatFetches() {
	inner, loaded := userTasks(nil)
	defer inner.Close()
	outer := must(kvlight.New(func(ctx context.Context, keys []string) (map[string]string, error) {
		value, _, err := inner.Fetch(ctx, "b")
		return map[string]string{keys[0]: value + " for " + keys[0]}, err
	}, nil))
	defer outer.Close()
	chained := make(chan string)
	go func() { chained <- mustFetch(inner, mustFetch(outer, "a")+" once more") }()
	equal(<-chained, "user user b for a once more", "value")
	equal(loaded.Load(), 2, "keys loaded")
}

func objectsAreCounted() {
	type row struct{ name string }
	var dropped sync.Map
	var count, repeated atomic.Int64
	tasks := must(kvlight.New(func(_ context.Context, keys []string) (map[string]*row, error) {
		rows := map[string]*row{}
		for _, key := range keys {
			rows[key] = &row{key}
			count.Add(1)
		}
		return rows, nil
	}, kvlight.Settings{"cache.capacity": 10}, kvlight.Dropped(func(r *row) {
		if _, again := dropped.LoadOrStore(r, true); again {
			repeated.Add(1)
		}
		count.Add(-1)
	})))
	kept, _, err := tasks.Fetch(ctx, "key 1")
	equal(err, nil, "error")
	again, _, _ := tasks.Fetch(ctx, "key 1")
	equal(again, kept, "the same object")
	for i := 0; i < 100; i++ {
		r, _, err := tasks.Fetch(ctx, fmt.Sprint("key ", i))
		equal(must(r, err).name, fmt.Sprint("key ", i), "name")
	}
	equal(must(tasks.Remove("key 99")), true, "removed")
	tasks.Close()
	equal(repeated.Load(), 0, "objects that were dropped twice")
	equal(count.Load(), 0, "objects that were created and not dropped")
}

func wrongSettings() {
	provider := func(context.Context, []string) (map[string]string, error) { return nil, nil }
	_, err := kvlight.New(provider, kvlight.Settings{"cache.capacty": 10})
	equal(err != nil && strings.Contains(err.Error(), "cache.capacity"), true, fmt.Sprint(err))
	equal(errors.Is(err, kvlight.ErrBadValue), true, fmt.Sprint(err))
	_, err = kvlight.New(provider, kvlight.Settings{"validator": func() {}})
	equal(err != nil && strings.Contains(err.Error(), "cannot call from Go"), true, fmt.Sprint(err))
	tasks, _ := userTasks(nil)
	defer tasks.Close()
	_, _, err = tasks.Fetch(ctx, "a", kvlight.Settings{"timeout_ms": 0})
	equal(err != nil && strings.Contains(err.Error(), "timeout_ms"), true, fmt.Sprint(err))
}

func permanentErrors() {
	calls := 0
	tasks := must(kvlight.New(func(context.Context, []string) (map[string]string, error) {
		calls++
		return nil, kvlight.Permanent(errBroken)
	}, kvlight.Settings{"retry.count": 5}))
	defer tasks.Close()
	_, _, err := tasks.Fetch(ctx, "a")
	equal(errors.Is(err, errBroken), true, fmt.Sprint(err))
	equal(calls, 1, "calls of the provider")
}

func keysOfAnyBytes() {
	tasks, _ := userTasks(nil)
	defer tasks.Close()
	for _, key := range []string{"", "a\x00b", "\xff\xfe", strings.Repeat("x", 65_535)} {
		for i := 0; i < 2; i++ {
			equal(mustFetch(tasks, key), "user "+key, "value")
		}
	}
	_, _, err := tasks.Fetch(ctx, strings.Repeat("x", 65_536))
	equal(err, error(kvlight.ErrKeyTooLong), "a key that is too long")
}

func forgottenRequests() {
	tasks := must(kvlight.NewWithRequests(func(*kvlight.Request[string]) {}, nil))
	defer tasks.Close()
	delivered := make(chan error)
	go func() {
		_, _, err := tasks.Fetch(ctx, "a")
		delivered <- err
	}()
	for {
		select {
		case err := <-delivered:
			equal(errors.Is(err, kvlight.ErrUnanswered), true, fmt.Sprint(err))
			return
		default:
			runtime.GC()
		}
	}
}

func closeDuringFetches() {
	for round := 0; round < 3; round++ {
		tasks, loaded := userTasks(kvlight.Settings{"cache.capacity": 50})
		var all sync.WaitGroup
		for i := 0; i < 16; i++ {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				for n := 0; ; n++ {
					if _, _, err := tasks.Fetch(ctx, fmt.Sprint("key ", i*n%200)); err != nil {
						equal(errors.Is(err, kvlight.ErrClosed), true, fmt.Sprint(err))
						return
					}
				}
			}(i)
		}
		eventually(func() bool { return loaded.Load() > 100 })
		tasks.Close()
		all.Wait()
	}
}

func noThreadIsLeft() {
	before := runtime.NumGoroutine()
	for i := 0; i < 20; i++ {
		tasks, _ := userTasks(nil)
		mustFetch(tasks, "a")
		tasks.Close()
	}
	eventually(func() bool { return runtime.NumGoroutine() <= before })
	files, err := os.ReadDir("/proc/self/task")
	for _, file := range must(files, err) {
		name, _ := os.ReadFile("/proc/self/task/" + file.Name() + "/comm")
		equal(strings.HasPrefix(string(name), "kvl"), false, "a thread of the library is left")
	}
}

// shared is the number of scenarios that every language has; they come first.
const shared = 12

func main() {
	for i := 0; i < runtime.NumCPU(); i++ {
		go func() {
			for sum := 0; ; sum = (sum*31 + 7) % 1000003 {
			}
		}()
	}
	scenarios := []scenario{
		{"hit", hit},
		{"null hit", nullHit},
		{"miss", miss},
		{"batch with duplicates", batchWithDuplicates},
		{"one failing key in a batch", oneFailingKey},
		{"retry then success", retryThenSuccess},
		{"timeout", timeout},
		{"cancel", cancelled},
		{"close while loading", closeWhileLoading},
		{"10,000 keys", tenThousandKeys},
		{"callback that fetches", callbackThatFetches},
		{"object value whose destructor is counted", objectsAreCounted},
		{"a wrong setting is rejected with a message", wrongSettings},
		{"a permanent error is not retried", permanentErrors},
		{"keys of any bytes", keysOfAnyBytes},
		{"a request that becomes unreachable is finished", forgottenRequests},
		{"many goroutines fetch during a close", closeDuringFetches},
		{"a closed engine leaks no thread and no goroutine", noThreadIsLeft},
	}
	fmt.Printf("1..%d\n", len(scenarios))
	sharedPassed, isGood := 0, true
	for i, each := range scenarios {
		if reason := failure(each.run); reason == "" {
			fmt.Printf("ok %d - %s\n", i+1, each.name)
			if i < shared {
				sharedPassed++
			}
		} else {
			isGood = false
			fmt.Printf("not ok %d - %s\n# %s\n", i+1, each.name, reason)
		}
	}
	fmt.Printf("ROW Go | %s | next | %d of %d\n", strings.TrimPrefix(runtime.Version(), "go"), sharedPassed, shared)
	if !isGood {
		os.Exit(1)
	}
}

// failure runs a scenario and returns why it failed, or "".
func failure(run func()) (reason string) {
	defer func() {
		if panicked := recover(); panicked != nil {
			reason = fmt.Sprint(panicked)
		}
	}()
	run()
	return ""
}
