package kvlight_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

var ctx = context.Background()

func echo(_ context.Context, keys []string) (map[string]string, error) {
	rows := make(map[string]string, len(keys))
	for _, key := range keys {
		rows[key] = key
	}
	return rows, nil
}

func openTasks[V any](t *testing.T, provider kvlight.Provider[V], settings kvlight.Settings, options ...kvlight.Option[V]) *kvlight.Tasks[V] {
	t.Helper()
	tasks, err := kvlight.New(provider, settings, options...)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

func testKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
	}
	return keys
}

// collectUntil collects garbage until a condition holds, for a minute at most, and reports whether it holds.
func collectUntil(condition func() bool) bool {
	for i := 0; i < 6000; i++ {
		runtime.GC()
		if condition() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// within fails the test if a function does not return within a minute.
func within(t *testing.T, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal(what, "has not returned after a minute")
	}
}

func countFiles(folder string) int {
	list, _ := os.ReadDir(folder)
	return len(list)
}

// ---- Functions that fail ----

func Test_l09b_a_nil_provider_is_rejected(t *testing.T) {
	if tasks, err := kvlight.New[int](nil, nil); tasks != nil || err == nil {
		t.Error(tasks, err)
	}
	if tasks, err := kvlight.NewWithRequests[int](nil, nil); tasks != nil || err == nil {
		t.Error(tasks, err)
	}
}

func Test_f01_a_provider_that_panics_fails_its_keys_alone(t *testing.T) {
	lost := errors.New("lost")
	tasks := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
		switch keys[0] {
		case "panics":
			panic(lost)
		case "exits":
			runtime.Goexit()
		}
		return echo(ctx, keys)
	}, kvlight.Settings{"batch.max_keys": 1})
	defer tasks.Close()
	var group sync.WaitGroup
	for _, key := range append(testKeys(20), "panics", "exits") {
		group.Add(1)
		go func(key string) {
			defer group.Done()
			value, _, err := tasks.Fetch(ctx, key)
			if strings.HasPrefix(key, "k") != (err == nil) || (err == nil && value != key) {
				t.Errorf("%s: %q, %v", key, value, err)
			}
		}(key)
	}
	group.Wait()
	_, _, err := tasks.Fetch(ctx, "panics")
	var panicked *kvlight.PanicError
	if !errors.Is(err, lost) || !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "kvlight_test.go") {
		t.Error(err)
	}
}

func Test_f15_a_provider_may_write_to_the_keys_it_receives(t *testing.T) {
	// As a program does that sorts, filters or prefixes in place.
	mangle := func(keys []string) {
		sort.Sort(sort.Reverse(sort.StringSlice(keys)))
		for i, key := range keys {
			keys[i] = "users:" + key
		}
	}
	answer := func(keys []string) map[string]string {
		rows := map[string]string{}
		for _, key := range keys {
			if key != "fails" {
				rows[key] = "user " + key
			}
		}
		return rows
	}
	failure := errors.New("fails")
	whole := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		rows := answer(keys)
		mangle(keys)
		return rows, kvlight.KeyErrors{"fails": failure}
	}, nil)
	defer whole.Close()
	single, err := kvlight.NewWithRequests(func(request *kvlight.Request[string]) {
		mangle(request.Keys())
		for i, key := range request.Keys() {
			if key == "fails" {
				_ = request.Fail(i, failure)
			} else {
				_ = request.Resolve(i, "user "+key)
			}
		}
		_ = request.Finish()
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()
	for name, tasks := range map[string]*kvlight.Tasks[string]{"a map": whole, "a request": single} {
		keys := []string{"b", "fails", "a", "c"}
		results, err := tasks.Results(ctx, keys)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, result := range results {
			if result.Key != keys[i] || (keys[i] == "fails") != (result.Err == failure) || (keys[i] != "fails" && result.Value != "user "+keys[i]) {
				t.Errorf("%s: %q is %q, %v", name, keys[i], result.Value, result.Err)
			}
		}
	}
}

func Test_f05_results_have_the_keys_of_the_call_though_its_slice_changes_meanwhile(t *testing.T) {
	keys := []string{"b", "a"}
	tasks := openTasks(t, func(ctx context.Context, asked []string) (map[string]string, error) {
		sort.Strings(keys)
		return echo(ctx, asked)
	}, nil)
	defer tasks.Close()
	all, err := tasks.FetchAll(ctx, keys)
	if err != nil || all["a"] != "a" || all["b"] != "b" {
		t.Error(all, err)
	}
}

func Test_f10b_a_timeout_has_the_error_of_the_last_attempt(t *testing.T) {
	lost := errors.New("lost")
	failing := func(context.Context, []string) (map[string]string, error) { return nil, lost }
	tasks := openTasks(t, failing, kvlight.Settings{"retry.count": 1, "retry.fixed_ms": 60000, "timeout_ms": 20})
	defer tasks.Close()
	_, _, err := tasks.Fetch(ctx, "a")
	var ended *kvlight.EndedError
	if !errors.Is(err, kvlight.ErrTimeout) || !errors.Is(err, lost) || !errors.As(err, &ended) || ended.Status != kvlight.ErrTimeout {
		t.Error(err)
	}
}

func Test_f01_a_panic_in_the_function_set_by_Dropped_affects_no_fetch_and_no_close(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	var dropped atomic.Int64
	tasks := openTasks(t, echo, kvlight.Settings{"cache.capacity": 10}, kvlight.Dropped(func(value string) {
		if dropped.Add(1)%2 == 0 {
			panic(value)
		}
		runtime.Goexit()
	}))
	all, err := tasks.FetchAll(ctx, testKeys(1000))
	if err != nil || len(all) != 1000 {
		t.Fatal(len(all), err)
	}
	if value, _, err := tasks.Fetch(ctx, "last"); value != "last" {
		t.Error(value, err)
	}
	tasks.Close()
	if dropped.Load() != 1001 {
		t.Error(dropped.Load(), "of 1001 values were dropped")
	}
}

func Test_f13f_each_of_a_thousand_concurrent_fetches_gets_its_answer(t *testing.T) {
	tasks := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
		time.Sleep(time.Millisecond)
		return echo(ctx, keys)
	}, nil)
	defer tasks.Close()
	var group sync.WaitGroup
	for _, key := range testKeys(1000) {
		group.Add(1)
		go func(key string) {
			defer group.Done()
			if value, _, err := tasks.Fetch(ctx, key); value != key {
				t.Error(key, value, err)
			}
		}(key)
	}
	group.Wait()
}

func Test_s12_each_position_of_a_fetch_is_one_lookup(t *testing.T) {
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		rows, _ := echo(ctx, keys)
		delete(rows, "none")
		return rows, nil
	}, nil)
	defer tasks.Close()
	for _, key := range []string{"a", "a", "none", "none"} {
		if _, _, err := tasks.Fetch(ctx, key); err != nil {
			t.Error(err)
		}
	}
	if _, err := tasks.FetchAll(ctx, []string{"a", "b", "b"}); err != nil {
		t.Error(err)
	}
	if counted, _ := tasks.Stats(); counted.Hits != 2 || counted.NullHits != 1 || counted.Misses != 4 {
		t.Errorf("%d hits, %d null hits, %d misses", counted.Hits, counted.NullHits, counted.Misses)
	}
}

func Test_f20_refresh_reloads_a_stored_key(t *testing.T) {
	var loads atomic.Int64
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]int64, error) {
		return map[string]int64{"a": loads.Add(1)}, nil
	}, nil)
	defer tasks.Close()
	for {
		if err := tasks.Refresh([]string{"a"}); err != nil {
			t.Fatal(err)
		}
		if value, _, _ := tasks.Get("a"); value > 1 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// ---- Engines that are never closed ----

func Test_l08_engines_that_are_never_closed_leak_no_thread_no_goroutine_and_no_descriptor(t *testing.T) {
	drop := func() {
		used := openTasks(t, echo, nil)
		if _, err := used.FetchAll(ctx, testKeys(10)); err != nil {
			t.Error(err)
		}
		openTasks(t, echo, nil)
		loading := openTasks(t, func(ctx context.Context, _ []string) (map[string]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil)
		if err := loading.Refresh([]string{"a"}); err != nil {
			t.Error(err)
		}
	}
	drop()
	// The pumps of the three engines end when these are collected.
	base := runtime.NumGoroutine()
	collectUntil(func() bool { return runtime.NumGoroutine() <= base-3 })
	goroutines, descriptors := runtime.NumGoroutine(), countFiles("/proc/self/fd")
	for i := 0; i < 20; i++ {
		drop()
	}
	// Go keeps its own threads that were blocked in C, so their total proves nothing: the library's threads are counted by name.
	if !collectUntil(func() bool {
		return runtime.NumGoroutine() <= goroutines && countFiles("/proc/self/fd") <= descriptors && libraryThreads() == 0
	}) {
		t.Errorf("%d goroutines became %d, %d descriptors %d, and %d threads of the library are left", goroutines, runtime.NumGoroutine(), descriptors,
			countFiles("/proc/self/fd"), libraryThreads())
	}
}

func libraryThreads() (n int) {
	list, _ := os.ReadDir("/proc/self/task")
	for _, thread := range list {
		name, _ := os.ReadFile("/proc/self/task/" + thread.Name() + "/comm")
		if strings.HasPrefix(string(name), "kvl-") {
			n++
		}
	}
	return n
}

func Test_l08_a_fetch_completes_though_nothing_refers_to_its_engine(t *testing.T) {
	started, proceed := make(chan struct{}), make(chan struct{})
	type answer struct {
		value string
		err   error
	}
	answers := make(chan answer)
	go func() {
		value, _, err := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
			close(started)
			<-proceed
			return echo(ctx, keys)
		}, nil).Fetch(ctx, "a")
		answers <- answer{value, err}
	}()
	<-started
	for i := 0; i < 5; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	close(proceed)
	if got := <-answers; got.value != "a" {
		t.Error(got)
	}
}

func Test_l05_many_goroutines_close_during_fetches(t *testing.T) {
	for round := 0; round < 20; round++ {
		tasks := openTasks(t, echo, kvlight.Settings{"batch.max_keys": 3})
		var group sync.WaitGroup
		for i := 0; i < 50; i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				if i%10 == 9 {
					tasks.Close()
				}
				if _, err := tasks.FetchAll(ctx, testKeys(i)); err != nil && !errors.Is(err, kvlight.ErrClosed) {
					t.Error(err)
				}
			}(i)
		}
		group.Wait()
		if _, _, err := tasks.Fetch(ctx, "a"); !errors.Is(err, kvlight.ErrClosed) {
			t.Error(err)
		}
	}
}

// ---- Memory ----

// settledBytes returns the memory of the process without the free pages of Go's heap: Go decides when to return those.
func settledBytes() int {
	runtime.GC()
	runtime.GC()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	return residentBytes() - int(heap.HeapSys-heap.HeapReleased) + int(heap.HeapAlloc)
}

func residentBytes() int {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}

func Test_l08_memory_is_flat_over_gets_loads_options_and_failures(t *testing.T) {
	if isRaceDetected {
		t.Skip("the race detector itself uses memory")
	}
	calls, err := strconv.Atoi(os.Getenv("KVL_CALLS"))
	if err != nil {
		calls = 100_000
	}
	tasks := openTasks(t, echo, kvlight.Settings{"cache.capacity": 1000})
	defer tasks.Close()
	failing := openTasks(t, func(context.Context, []string) (map[string]string, error) {
		return nil, fmt.Errorf("%0100d", 0)
	}, nil)
	defer failing.Close()
	file := t.TempDir() + "/cache"
	text := func(value string) ([]byte, error) { return []byte(value), nil }
	value := func(text []byte) (string, error) { return string(text), nil }
	for name, work := range map[string]func(int){
		"writes": func(i int) {
			key := "k" + strconv.Itoa(i%100)
			_, _ = tasks.Put(key, key, kvlight.Terms{OnlyIf: kvlight.Present, StaleTTL: time.Millisecond})
			_, _ = tasks.Touch(key, 0)
			_, _ = tasks.Expire(key)
		},
		"entries": func(i int) {
			if i%1000 == 0 {
				tasks.All()(func(kvlight.Result[string]) bool { return true })
				tasks.All()(func(kvlight.Result[string]) bool { return false })
			}
		},
		"files": func(i int) {
			if i%2000 == 0 {
				_, _ = tasks.Save(file, text)
				other := openTasks(t, echo, nil)
				_, _ = other.Load(file, value)
				other.Close()
				_, _ = tasks.Load("/missing", value)
			}
		},
		"breakers": func(i int) {
			if i%10 == 0 {
				_ = failing.ForceBreaker(kvlight.ForceNone)
				_, _ = failing.Breaker()
			}
		},
		"gets":    func(i int) { _, _, _ = tasks.Get("k" + strconv.Itoa(i%2000)) },
		"puts":    func(i int) { _, _ = tasks.Put("p"+strconv.Itoa(i%2000), "value", kvlight.Terms{}) },
		"loads":   func(i int) { _, _, _ = tasks.Fetch(ctx, "l"+strconv.Itoa(i)) },
		"options": func(i int) { _, _, _ = tasks.Fetch(ctx, "a", kvlight.Settings{"timeout_ms": 1000 + i}) },
		"fails":   func(i int) { _, _, _ = failing.Fetch(ctx, "f"+strconv.Itoa(i)) },
		"cancels": func(i int) {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, _, _ = failing.Fetch(ended, "c")
		},
		"engines": func(i int) {
			if i%200 == 0 {
				one := openTasks(t, echo, nil)
				_, _, _ = one.Fetch(ctx, "a")
				one.Close()
			}
		},
	} {
		for i := 0; i < calls && i < 100_000; i++ {
			work(i)
		}
		before := settledBytes()
		for i := 0; i < calls; i++ {
			work(calls + i)
		}
		if growth := settledBytes() - before; growth > 4<<20 {
			t.Errorf("%s: %.1f bytes for each call", name, float64(growth)/float64(calls))
		}
	}
}

func Test_s18_iteration_returns_each_entry_once_whatever_the_loop_changes(t *testing.T) {
	tasks := openTasks(t, echo, kvlight.Settings{"cache.capacity": 10_000})
	defer tasks.Close()
	keys := testKeys(1000)
	for _, key := range keys {
		if isStored, err := tasks.Put(key, key, kvlight.Terms{}); !isStored || err != nil {
			t.Fatal(isStored, err)
		}
	}
	if _, err := tasks.PutNull("none"); err != nil {
		t.Fatal(err)
	}
	visits, nulls, added := map[string]int{}, 0, 0
	tasks.All()(func(entry kvlight.Result[string]) bool {
		if entry.Found && entry.Value != entry.Key {
			t.Errorf("%q holds %q", entry.Key, entry.Value)
		}
		if !entry.Found {
			nulls++
		}
		visits[entry.Key]++
		tasks.Put("new "+strconv.Itoa(added), "new "+strconv.Itoa(added), kvlight.Terms{})
		added++
		return true
	})
	for _, key := range keys {
		if visits[key] != 1 {
			t.Errorf("%q was returned %d times", key, visits[key])
		}
	}
	if nulls != 1 {
		t.Errorf("%d keys known to be absent", nulls)
	}
	visited := 0
	tasks.All()(func(kvlight.Result[string]) bool { visited++; return visited < 3 })
	if visited != 3 {
		t.Errorf("the iteration stopped after %d entries", visited)
	}
	before := residentBytes()
	for i := 0; i < 300; i++ {
		tasks.All()(func(kvlight.Result[string]) bool { return true })
	}
	if growth := residentBytes() - before; growth > 16<<20 && !isRaceDetected {
		t.Errorf("iterations have used %d bytes", growth)
	}
	tasks.Close()
	tasks.All()(func(kvlight.Result[string]) bool { t.Error("a closed cache returned an entry"); return false })
}
