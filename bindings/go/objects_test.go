package kvlight_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

// A lookup reads the value after the call of the library has released it, so another goroutine may replace it in between.
func Test_s01_lookups_during_writes_of_the_same_keys_return_values_of_their_keys(t *testing.T) {
	tasks := openTasks(t, echo, kvlight.Settings{"cache.capacity": 100})
	defer tasks.Close()
	keys := testKeys(8)
	var writers, readers sync.WaitGroup
	var isDone atomic.Bool
	for w := 0; w < 2; w++ {
		writers.Add(1)
		go func(w int) {
			defer writers.Done()
			for i := 0; i < 5000; i++ {
				key := keys[i%len(keys)]
				_, _ = tasks.Put(key, key+"#"+strconv.Itoa(w)+"."+strconv.Itoa(i), kvlight.Terms{})
			}
		}(w)
	}
	for r := 0; r < 2; r++ {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for i := 0; !isDone.Load(); i++ {
				key := keys[i%len(keys)]
				value, found, err := tasks.Get(key)
				if i%2 == 0 {
					value, found, err = tasks.Fetch(ctx, key)
				}
				if err != nil || (found && value != key && !strings.HasPrefix(value, key+"#")) {
					t.Errorf("%s is %q, %v", key, value, err)
					return
				}
			}
		}()
	}
	writers.Wait()
	isDone.Store(true)
	readers.Wait()
}

func Test_l04_each_value_is_dropped_once_and_errors_never(t *testing.T) {
	const loads = 3000
	var created, dropped atomic.Int64
	counts := make(map[int64]int)
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]int64, error) {
		rows, failed := map[string]int64{}, kvlight.KeyErrors{}
		for _, key := range keys {
			if strings.HasSuffix(key, "7") {
				failed[key] = errors.New(key)
			} else {
				rows[key] = created.Add(1)
			}
		}
		return rows, failed
	}, kvlight.Settings{"cache.capacity": 100, "batch.max_keys": 64},
		// This function is called for one value at a time, so the map needs no lock.
		kvlight.Dropped(func(value int64) { counts[value]++; dropped.Add(1) }))
	for i := 0; i < loads; i += 100 {
		keys := make([]string, 100)
		for j := range keys {
			keys[j] = "k" + strconv.Itoa(i+j)
		}
		results, err := tasks.Results(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range results {
			if strings.HasSuffix(result.Key, "7") != (result.Err != nil && result.Err.Error() == result.Key) {
				t.Fatalf("%s: %v, %v", result.Key, result.Value, result.Err)
			}
		}
	}
	tasks.Close()
	if created.Load() != loads*9/10 || dropped.Load() != created.Load() || int64(len(counts)) != created.Load() {
		t.Fatalf("%d created, %d drops of %d values", created.Load(), dropped.Load(), len(counts))
	}
}

func Test_f15_a_finish_with_a_nil_error_fails_its_keys(t *testing.T) {
	tasks, err := kvlight.NewWithRequests(func(request *kvlight.Request[string]) { _ = request.FinishError(nil) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tasks.Close()
	if _, _, err := tasks.Fetch(ctx, "a"); !errors.Is(err, kvlight.ErrProvider) {
		t.Fatal(err)
	}
}

func Test_f19_an_engine_with_read_refresh_reloads_stored_keys(t *testing.T) {
	var loads atomic.Int64
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]int64, error) {
		return map[string]int64{"a": loads.Add(1)}, nil
	}, kvlight.Settings{"read": "refresh"})
	defer tasks.Close()
	for i := int64(1); i < 4; i++ {
		if value, _, err := tasks.Fetch(ctx, "a"); value != i || err != nil {
			t.Fatal(value, err)
		}
	}
}

func Test_s01_a_lookup_that_hits_allocates_nothing(t *testing.T) {
	if isRaceDetected {
		t.Skip("the race detector itself allocates")
	}
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	_, _ = tasks.Put("a", "value", kvlight.Terms{})
	for name, lookup := range map[string]func(){
		"Get":   func() { _, _, _ = tasks.Get("a") },
		"Fetch": func() { _, _, _ = tasks.Fetch(ctx, "a") },
	} {
		if n := testing.AllocsPerRun(1000, lookup); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	runtime.KeepAlive(tasks)
}

func Test_l09_settings_may_be_numbers_of_any_type_and_durations(t *testing.T) {
	for name, settings := range map[string]kvlight.Settings{
		"integers":  {"cache.capacity": int32(5), "batch.max_keys": uint(7), "tasks.max_running": uint8(2), "queue.max_keys": int64(9)},
		"fractions": {"retry.jitter": float32(0.5), "refresh.after": 0.5, "cache.ttl_ms": 60_000},
		"durations": {"cache.ttl_ms": time.Minute, "batch.linger_us": 30 * time.Microsecond, "timeout_ms": time.Nanosecond},
		"no limits": {"cache.ttl_ms": -time.Millisecond, "timeout_ms": -time.Millisecond},
		"kinds":     {"cache.timer": true, "read": mode("normal")},
	} {
		tasks, err := kvlight.New(echo, settings)
		if err != nil {
			t.Fatal(name, err)
		}
		tasks.Close()
	}
	for message, settings := range map[string]kvlight.Settings{
		`"cache.capacity" does not take a duration`: {"cache.capacity": time.Second},
		`"cache.ttl_ms" does not take -1ns`:         {"cache.ttl_ms": time.Duration(-1)},
		`"timeout_ms" does not take -1.5ms`:         {"timeout_ms": -1500 * time.Microsecond},
		"cannot call from Go":                       {"cache.capacity": func() {}},
		"not a <nil>":                               {"cache.ttl_ms": nil},
		"not a []int":                               {"cache.ttl_ms": []int{1}},
		"is at most":                                {"cache.capacity": uint64(1) << 63},
		"did you mean":                              {"cache.capcity": 5},
	} {
		if _, err := kvlight.New(echo, settings); !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", message, err)
		}
	}
}

type mode string

func Test_s11a_values_that_goroutines_replace_or_evict_do_not_pile_up(t *testing.T) {
	for _, isOneKey := range []bool{false, true} {
		tasks := openTasks(t, echo, kvlight.Settings{"cache.capacity": 100})
		var writers sync.WaitGroup
		mosts := make([]int, 16)
		for w := range mosts {
			writers.Add(1)
			go func(w int) {
				defer writers.Done()
				for i := 0; i < 10_000; i++ {
					key := "one"
					if !isOneKey {
						key = strconv.Itoa(w) + "." + strconv.Itoa(i)
					}
					_, _ = tasks.Put(key, key, kvlight.Terms{})
					if i%8 == 0 {
						if held := tasks.ObjectsInUse(); held > mosts[w] {
							mosts[w] = held
						}
					}
				}
			}(w)
		}
		writers.Wait()
		for _, most := range mosts {
			// 100 are stored, and as many may wait; the others are those of calls and of the writes until the next look.
			if most >= 400 {
				t.Errorf("%d objects were in use: far more than the 100 that are stored and 100 others", most)
			}
		}
		tasks.Close()
	}
}
