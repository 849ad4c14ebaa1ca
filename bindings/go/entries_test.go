package kvlight_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

type user struct {
	Name string
	Born int
}

func encodeUser(u user) ([]byte, error) { return json.Marshal(u) }

func decodeUser(bytes []byte) (u user, err error) {
	err = json.Unmarshal(bytes, &u)
	return u, err
}

func noUsers(context.Context, []string) (map[string]user, error) { return nil, nil }

func Test_s18_a_saved_cache_loads_with_its_values_and_ttls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache")
	tasks := openTasks(t, noUsers, kvlight.Settings{"cache.capacity": 10_000})
	defer tasks.Close()
	for i, key := range testKeys(5000) {
		_, _ = tasks.Put(key, user{key, i}, kvlight.Terms{TTL: time.Hour})
	}
	_, _ = tasks.PutNull("none")
	if saved, err := tasks.Save(file, encodeUser); saved != 5001 || err != nil {
		t.Fatal(saved, err)
	}
	other := openTasks(t, noUsers, kvlight.Settings{"cache.capacity": 10_000})
	defer other.Close()
	_, _ = other.Put("k3", user{"younger", 0}, kvlight.Terms{})
	if loaded, err := other.Load(file, decodeUser); loaded != 5000 || err != nil {
		t.Fatal(loaded, err)
	}
	for key, name := range map[string]string{"k3": "younger", "k7": "k7", "k4999": "k4999"} {
		if found, isFound, err := other.Get(key); found.Name != name || !isFound || err != nil {
			t.Error(key, found, isFound, err)
		}
	}
	other.All()(func(entry kvlight.Result[user]) bool {
		if entry.Found && entry.Key != "k3" && (entry.TTLLeft <= 0 || entry.TTLLeft > time.Hour+time.Second) {
			t.Error(entry)
		}
		return true
	})
	if count, err := other.Stats(); count.Entries != 5001 || err != nil {
		t.Error(count.Entries, err)
	}
}

// freedAddress returns the address of a block of 64 KiB that the garbage collector has freed.
func freedAddress() uintptr {
	var last uintptr
	for i := 0; i < 64; i++ {
		block := new([1 << 16]byte)
		last = uintptr(unsafe.Pointer(block))
	}
	runtime.GC()
	runtime.GC()
	return last
}

// The upper bits of an ID say how often its slot was used, so some IDs are addresses in Go's heap. A variable of a pointer type with the address of
// freed memory makes the garbage collector end the program.
func Test_s18_an_iteration_survives_the_garbage_collector_whatever_the_ids_are(t *testing.T) {
	if isRaceDetected {
		t.Skip("the race detector makes so many iterations slow")
	}
	const entries, iterations = 1000, 1000
	tasks := openTasks(t, echo, kvlight.Settings{"cache.capacity": entries})
	defer tasks.Close()
	tasks.SetNextIDs(freedAddress()|1, entries)
	for _, key := range testKeys(entries) {
		if isStored, err := tasks.Put(key, key, kvlight.Terms{}); !isStored || err != nil {
			t.Fatal(isStored, err)
		}
	}
	var isDone atomic.Bool
	hasEnded := make(chan struct{})
	go func() {
		defer close(hasEnded)
		for !isDone.Load() {
			runtime.GC()
		}
	}()
	for i := 0; i < iterations; i++ {
		count := 0
		tasks.All()(func(entry kvlight.Result[string]) bool {
			count++
			return entry.Key == entry.Value
		})
		if count != entries {
			t.Fatalf("%d entries of %d", count, entries)
		}
	}
	isDone.Store(true)
	<-hasEnded
}

func Test_s18_a_file_or_a_function_that_fails_returns_the_reason(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "cache")
	tasks := openTasks(t, noUsers, nil)
	defer tasks.Close()
	_, _ = tasks.Put("a", user{"a", 1}, kvlight.Terms{})
	_, _ = tasks.Put("b", user{"b", 1}, kvlight.Terms{})
	if _, err := tasks.Load(filepath.Join(folder, "missing"), decodeUser); !errors.Is(err, kvlight.ErrIO) || !strings.Contains(err.Error(), "missing") {
		t.Error(err)
	}
	_ = os.WriteFile(file, []byte("something else"), 0o600)
	if _, err := tasks.Load(file, decodeUser); !errors.Is(err, kvlight.ErrCorrupt) {
		t.Error(err)
	}
	refusal, calls := errors.New("no"), 0
	if _, err := tasks.Save(file, func(user) ([]byte, error) { calls++; return nil, refusal }); err != refusal || calls != 1 {
		t.Error(err, calls)
	}
	if _, err := tasks.Save(file, func(user) ([]byte, error) { panic("oh") }); err == nil || !strings.Contains(err.Error(), "oh") {
		t.Error(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "something else" {
		t.Error("a failed save has replaced the older file")
	}
	// A function may call the cache, and return no bytes.
	if saved, err := tasks.Save(file, func(u user) ([]byte, error) { _, _, err := tasks.Get("a"); return nil, err }); saved != 2 || err != nil {
		t.Error(saved, err)
	}
	_ = tasks.Clear()
	if loaded, err := tasks.Load(file, func(bytes []byte) (user, error) { return user{Born: len(bytes)}, nil }); loaded != 2 || err != nil {
		t.Error(loaded, err)
	}
	_ = tasks.Clear()
	if _, err := tasks.Load(file, func([]byte) (user, error) { return user{}, refusal }); err != refusal {
		t.Error(err)
	}
	// A function may close the cache: neither the save nor the close hangs.
	_, _ = tasks.Put("a", user{"a", 1}, kvlight.Terms{})
	if _, err := tasks.Save(file, func(user) ([]byte, error) { tasks.Close(); return nil, nil }); err != nil && err != kvlight.ErrClosed {
		t.Error(err)
	}
	if _, err := tasks.Save(file, encodeUser); err != kvlight.ErrClosed {
		t.Error(err)
	}
	if !collectUntil(func() bool { return libraryThreads() == 0 }) {
		t.Errorf("%d threads of the library are left", libraryThreads())
	}
}

func Test_l01_a_function_that_ends_its_goroutine_ends_a_save_or_a_load_without_a_trace(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "cache")
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	for _, key := range testKeys(100) {
		_, _ = tasks.Put(key, key, kvlight.Terms{})
	}
	text := func(value string) ([]byte, error) { return []byte(value), nil }
	if _, err := tasks.Save(file, text); err != nil {
		t.Fatal(err)
	}
	_ = tasks.Clear()
	for _, key := range testKeys(5) {
		_, _ = tasks.Put(key, key, kvlight.Terms{})
	}
	descriptors := countFiles("/proc/self/fd")
	for i := 0; i < 20; i++ {
		var hasEnded, hasReturned bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { hasEnded = true }()
			if i%2 == 0 {
				_, _ = tasks.Save(file, func(string) ([]byte, error) { runtime.Goexit(); return nil, nil })
			} else {
				_, _ = tasks.Load(file, func([]byte) (string, error) { runtime.Goexit(); return "", nil })
			}
			hasReturned = true
		}()
		<-done
		if !hasEnded || hasReturned {
			t.Error("the goroutine goes on")
		}
	}
	if files, now := countFiles(folder), countFiles("/proc/self/fd"); files != 1 || now > descriptors {
		t.Errorf("%d files; %d descriptors became %d", files, descriptors, now)
	}
	// Other caches are not affected, on whatever thread they are read.
	for i := 0; i < 20; i++ {
		within(t, "a fetch of another cache", func() {
			other := openTasks(t, echo, nil)
			defer other.Close()
			if value, _, err := other.Fetch(ctx, "a"); value != "a" || err != nil {
				t.Error(value, err)
			}
		})
	}
	if loaded, err := tasks.Load(file, func(text []byte) (string, error) { return string(text), nil }); loaded != 95 || err != nil {
		t.Error(loaded, err)
	}
	within(t, "the close", tasks.Close)
}

func Test_l07_a_panic_in_a_save_or_a_load_is_an_error_with_its_value_and_stack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache")
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	_, _ = tasks.Put("a", "a", kvlight.Terms{})
	if _, err := tasks.Save(file, func(value string) ([]byte, error) { return []byte(value), nil }); err != nil {
		t.Fatal(err)
	}
	_ = tasks.Clear()
	reason := errors.New("a reason")
	_, saved := tasks.Save(file, func(string) ([]byte, error) { panic(reason) })
	_, loaded := tasks.Load(file, func([]byte) (string, error) { panic(reason) })
	if saved != nil || loaded != nil {
		t.Error(saved, loaded, "though there is nothing to convert")
	}
	var panicked *kvlight.PanicError
	_, _ = tasks.Put("a", "a", kvlight.Terms{})
	_, saved = tasks.Save(file, func(string) ([]byte, error) { panic(reason) })
	if !errors.Is(saved, reason) || !errors.As(saved, &panicked) || !strings.Contains(string(panicked.Stack), "entries_test.go") ||
		strings.Contains(saved.Error(), "provider") {
		t.Error(saved)
	}
	if _, err := tasks.Save(file, func(value string) ([]byte, error) { return []byte(value), nil }); err != nil {
		t.Fatal(err)
	}
	_ = tasks.Clear()
	if _, loaded = tasks.Load(file, func([]byte) (string, error) { panic(reason) }); !errors.Is(loaded, reason) || !errors.As(loaded, &panicked) {
		t.Error(loaded)
	}
}

func Test_l09_a_path_with_a_nul_and_a_missing_function_are_refused(t *testing.T) {
	folder := t.TempDir()
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	path := filepath.Join(folder, "cache") + "\x00/../other"
	_, saved := tasks.Save(path, func(value string) ([]byte, error) { return []byte(value), nil })
	_, loaded := tasks.Load(path, func(text []byte) (string, error) { return string(text), nil })
	for _, err := range []error{saved, loaded} {
		var failure *kvlight.FileError
		if !errors.Is(err, kvlight.ErrInvalidArg) || !errors.As(err, &failure) || !strings.Contains(err.Error(), "NUL") {
			t.Error(err)
		}
	}
	if files := countFiles(folder); files != 0 {
		t.Error(files, "files were written")
	}
	if _, err := tasks.Save(filepath.Join(folder, "cache"), nil); !errors.Is(err, kvlight.ErrInvalidArg) {
		t.Error(err)
	}
	if _, err := tasks.Load(filepath.Join(folder, "cache"), nil); !errors.Is(err, kvlight.ErrInvalidArg) {
		t.Error(err)
	}
}

func Test_s17_touch_expire_and_conditional_puts_return_whether_they_changed_something(t *testing.T) {
	tasks := openTasks(t, echo, kvlight.Settings{"cache.ttl_ms": 60_000})
	defer tasks.Close()
	must := func(isChanged bool, err error) bool {
		if err != nil {
			t.Error(err)
		}
		return isChanged
	}
	if must(tasks.Put("a", "1", kvlight.Terms{OnlyIf: kvlight.Present})) || !must(tasks.Put("a", "1", kvlight.Terms{OnlyIf: kvlight.Absent})) ||
		must(tasks.Put("a", "2", kvlight.Terms{OnlyIf: kvlight.Absent})) {
		t.Error("a conditional put")
	}
	if !must(tasks.Touch("a", time.Hour)) || must(tasks.Touch("b", 0)) {
		t.Error("touch")
	}
	if !must(tasks.Put("a", "3", kvlight.Terms{KeepTTL: true, Priority: 2})) {
		t.Error("put")
	}
	results, err := tasks.Results(ctx, []string{"a"})
	if err != nil || results[0].Value != "3" || results[0].TTLLeft < 2*time.Minute {
		t.Error(results, err)
	}
	if !must(tasks.Expire("a")) || must(tasks.Expire("a")) {
		t.Error("expire")
	}
}

func Test_r04_a_fetch_states_how_long_it_waits_before_it_is_served_a_fallback(t *testing.T) {
	proceed := make(chan struct{})
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		<-proceed
		return map[string]string{keys[0]: "new"}, nil
	}, kvlight.Settings{"cache.ttl_ms": 60_000, "stale.ttl_ms": 60_000})
	defer tasks.Close()
	_, _ = tasks.Put("a", "old", kvlight.Terms{})
	_, _ = tasks.Expire("a")
	patient := make(chan string)
	go func() {
		value, _, _ := tasks.Fetch(ctx, "a")
		patient <- value
	}()
	results, err := tasks.Results(ctx, []string{"a"}, kvlight.Settings{"stale.timeout_ms": 0})
	if r := results[0]; err != nil || !r.IsStale || r.Value != "old" || r.Err != nil || r.LoadErr != nil {
		t.Errorf("%+v %v", r, err)
	}
	if value, _, err := tasks.Fetch(ctx, "a", kvlight.Settings{"stale.timeout_ms": 20}); value != "old" || err != nil {
		t.Error(value, err)
	}
	close(proceed)
	if value := <-patient; value != "new" {
		t.Error(value)
	}
	if value, found, err := tasks.Fetch(ctx, "a"); value != "new" || !found || err != nil {
		t.Error(value, found, err)
	}
	_, _, err = tasks.Fetch(ctx, "b", kvlight.Settings{"stale.timeout_ms": 5, "timeout_ms": 5})
	if !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), "stale.timeout_ms") {
		t.Error(err)
	}
}

func Test_r02_a_fallback_is_served_when_the_provider_fails(t *testing.T) {
	lost := errors.New("lost")
	var fails atomic.Bool
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		if !fails.Load() {
			return echo(ctx, keys)
		}
		errs := kvlight.KeyErrors{}
		for _, key := range keys {
			errs[key] = lost
			if key == "gone" {
				errs[key] = kvlight.Gone(lost)
			}
		}
		return nil, errs
	}, kvlight.Settings{"cache.ttl_ms": 60_000, "stale.ttl_ms": 60_000})
	defer tasks.Close()
	keys := []string{"a", "never", "gone"}
	if _, err := tasks.FetchAll(ctx, keys); err != nil {
		t.Fatal(err)
	}
	_, _ = tasks.Put("never", "never", kvlight.Terms{StaleTTL: -1})
	fails.Store(true)
	for _, key := range keys {
		if existed, err := tasks.Expire(key); !existed || err != nil {
			t.Error(key, existed, err)
		}
	}
	if value, found, err := tasks.Fetch(ctx, "a"); value != "a" || !found || err != nil {
		t.Error(value, found, err)
	}
	if values, err := tasks.FetchAll(ctx, []string{"a"}); values["a"] != "a" || err != nil {
		t.Error(values, err)
	}
	results, err := tasks.Results(ctx, []string{"a"}, kvlight.Settings{"read": "refresh"})
	if r := results[0]; err != nil || !r.IsStale || r.LoadErr != lost || r.Err != nil || r.Source != kvlight.FromStale || r.TTLLeft != 0 || r.Value != "a" {
		t.Errorf("%+v", r)
	}
	for _, key := range keys[1:] {
		if _, _, err := tasks.Fetch(ctx, key); !errors.Is(err, lost) {
			t.Error(key, err)
		}
	}
	fails.Store(false)
	results, _ = tasks.Results(ctx, []string{"a"}, kvlight.Settings{"read": "refresh"})
	if r := results[0]; r.IsStale || r.LoadErr != nil || r.Source != kvlight.FromProvider || r.TTLLeft <= 0 {
		t.Errorf("%+v", r)
	}
}

func Test_f11a_a_provider_sets_the_pause_before_a_retry(t *testing.T) {
	var begun []time.Time
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		if begun = append(begun, time.Now()); len(begun) == 1 {
			return nil, kvlight.RetryAfter(errors.New("later"), 60*time.Millisecond)
		}
		return echo(ctx, keys)
	}, kvlight.Settings{"retry.count": 1, "retry.fixed_ms": 1})
	defer tasks.Close()
	if value, _, err := tasks.Fetch(ctx, "a"); value != "a" || err != nil || begun[1].Sub(begun[0]) < 59*time.Millisecond {
		t.Error(value, err, begun)
	}
}

func Test_r07_the_circuit_breaker_can_be_read_and_forced(t *testing.T) {
	tasks := openTasks(t, func(context.Context, []string) (map[string]string, error) { return nil, errors.New("down") },
		kvlight.Settings{"breaker.consecutive": 1})
	defer tasks.Close()
	expectState := func(wanted kvlight.BreakerState) {
		t.Helper()
		if state, err := tasks.Breaker(); state != wanted || err != nil {
			t.Error(state, err)
		}
	}
	expectState(kvlight.BreakerClosed)
	_, _, _ = tasks.Fetch(ctx, "a")
	expectState(kvlight.BreakerOpen)
	if _, _, err := tasks.Fetch(ctx, "b"); !errors.Is(err, kvlight.ErrUnavailable) {
		t.Error(err)
	}
	for order, state := range map[kvlight.BreakerOrder]kvlight.BreakerState{kvlight.ForceOpen: kvlight.BreakerOpen, kvlight.ForceNone: kvlight.BreakerClosed} {
		if err := tasks.ForceBreaker(order); err != nil {
			t.Error(err)
		}
		expectState(state)
	}
}
