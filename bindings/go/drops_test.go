package kvlight_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

// droppedCounts counts how often each value was dropped.
type droppedCounts struct {
	mu     sync.Mutex
	counts map[string]int
}

func (d *droppedCounts) add(value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = map[string]int{}
	}
	d.counts[value]++
}

func (d *droppedCounts) of(value string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[value]
}

func Test_l03_a_slow_function_set_by_Dropped_delays_no_fetch(t *testing.T) {
	reached, proceed := make(chan struct{}, 100), make(chan struct{})
	tasks := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
		if keys[0] == "never" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return echo(ctx, keys)
	}, nil, kvlight.Dropped(func(string) { reached <- struct{}{}; <-proceed }))
	_, _ = tasks.Put("a", "a", kvlight.Terms{})
	_, _ = tasks.Remove("a")
	<-reached
	within(t, "a fetch", func() {
		if value, _, err := tasks.Fetch(ctx, "b"); value != "b" || err != nil {
			t.Error(value, err)
		}
	})
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	within(t, "a fetch whose context has ended", func() {
		if _, _, err := tasks.Fetch(short, "never"); err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
	close(proceed)
	tasks.Close()
	if len(reached) != 1 {
		t.Error(len(reached), "more values were dropped")
	}
}

func Test_l05_every_close_waits_for_the_values_that_are_dropped(t *testing.T) {
	reached, proceed := make(chan struct{}), make(chan struct{})
	tasks := openTasks(t, echo, nil, kvlight.Dropped(func(string) { close(reached); <-proceed }))
	_, _ = tasks.Put("a", "a", kvlight.Terms{})
	var running atomic.Int32
	running.Store(3)
	for i := 0; i < 3; i++ {
		go func() {
			tasks.Close()
			running.Add(-1)
		}()
	}
	<-reached
	time.Sleep(20 * time.Millisecond)
	if n := running.Load(); n != 3 {
		t.Errorf("%d of 3 closes have returned", 3-n)
	}
	close(proceed)
	eventually(t, func() bool { return running.Load() == 0 })
	within(t, "a later close", tasks.Close)
}

func Test_l01_the_function_set_by_Dropped_may_fetch_from_the_cache_and_close_it(t *testing.T) {
	var tasks *kvlight.Tasks[string]
	var dropped droppedCounts
	done := make(chan struct{})
	tasks = openTasks(t, echo, nil, kvlight.Dropped(func(value string) {
		dropped.add(value)
		if value != "a" {
			return
		}
		if value, _, err := tasks.Fetch(ctx, "b"); value != "b" || err != nil {
			t.Error(value, err)
		}
		tasks.Close()
		tasks.Close()
		close(done)
	}))
	_, _ = tasks.Put("a", "a", kvlight.Terms{})
	_, _ = tasks.Remove("a")
	within(t, "the function", func() { <-done })
	within(t, "the close", tasks.Close)
	if n := dropped.of("b"); n != 1 {
		t.Errorf("the value of the other key was dropped %d times", n)
	}
}

func Test_l04_values_that_the_cache_does_not_take_are_dropped(t *testing.T) {
	var dropped droppedCounts
	reached, proceed := make(chan struct{}), make(chan struct{})
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		switch keys[0] {
		case "late":
			close(reached)
			<-proceed
			return map[string]string{"late": "late"}, nil
		case "fails":
			return map[string]string{"fails": "with an error"}, errors.New("fails")
		}
		return map[string]string{"fails alone": "with an error of the key", "other": "not asked for"}, kvlight.KeyErrors{"fails alone": errors.New("fails")}
	}, kvlight.Settings{"batch.max_keys": 1}, kvlight.Dropped(dropped.add))
	expectDrop := func(value string) {
		t.Helper()
		eventually(t, func() bool { return dropped.of(value) > 0 })
	}
	for _, key := range []string{"fails", "fails alone"} {
		if _, _, err := tasks.Fetch(ctx, key); err == nil {
			t.Error(key)
		}
	}
	expectDrop("with an error")
	expectDrop("with an error of the key")
	expectDrop("not asked for")
	go func() { _, _, _ = tasks.Fetch(ctx, "late") }()
	<-reached
	tasks.Close()
	close(proceed)
	expectDrop("late")
	if isStored, err := tasks.Put("a", "put after the close", kvlight.Terms{}); isStored || err != kvlight.ErrClosed {
		t.Error(isStored, err)
	}
	expectDrop("put after the close")
	for value, n := range dropped.counts {
		if n != 1 {
			t.Errorf("%q was dropped %d times", value, n)
		}
	}
}

func Test_l04_an_answer_to_a_finished_request_is_dropped(t *testing.T) {
	var dropped droppedCounts
	tasks, err := kvlight.NewWithRequests(func(request *kvlight.Request[string]) {
		_ = request.Finish()
		if err := request.Resolve(0, "late"); err != kvlight.ErrAnswered {
			t.Error(err)
		}
	}, nil, kvlight.Dropped(dropped.add))
	if err != nil {
		t.Fatal(err)
	}
	defer tasks.Close()
	if _, isFound, err := tasks.Fetch(ctx, "a"); isFound || err != nil {
		t.Error(isFound, err)
	}
	eventually(t, func() bool { return dropped.of("late") == 1 })
}

func Test_l04_a_value_that_is_in_use_at_the_close_is_dropped_afterwards(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	var dropped droppedCounts
	reached, proceed := make(chan struct{}), make(chan struct{})
	tasks, err := kvlight.NewWithRequests(func(request *kvlight.Request[string]) {
		_, _ = request.Stale(0)
		close(reached)
		<-proceed
		_ = request.Finish()
	}, kvlight.Settings{"cache.ttl_ms": 60_000, "stale.ttl_ms": 60_000}, kvlight.Dropped(dropped.add))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = tasks.Put("stale", "stale", kvlight.Terms{})
	_, _ = tasks.Expire("stale")
	go func() { _, _, _ = tasks.Fetch(ctx, "stale") }()
	<-reached
	_, _ = tasks.Put("saved", "saved", kvlight.Terms{})
	if _, err := tasks.Save(filepath.Join(t.TempDir(), "cache"), func(value string) ([]byte, error) {
		tasks.Close()
		if value == "saved" && dropped.of(value) != 0 {
			t.Error("a value was dropped while it was being saved")
		}
		return []byte(value), nil
	}); err != nil && err != kvlight.ErrClosed {
		t.Error(err)
	}
	eventually(t, func() bool { return dropped.of("saved") == 1 })
	if dropped.of("stale") != 0 {
		t.Error("a value was dropped while the provider could read it")
	}
	close(proceed)
	eventually(t, func() bool { return dropped.of("stale") == 1 })
	if !collectUntil(func() bool { return runtime.NumGoroutine() <= goroutines && libraryThreads() == 0 }) {
		t.Errorf("%d goroutines became %d", goroutines, runtime.NumGoroutine())
	}
}
