package kvlight_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

// brokenError is an error whose methods panic if the pointer is nil.
type brokenError struct{ cause error }

func (e *brokenError) Error() string      { return e.cause.Error() }
func (e *brokenError) Unwrap() error      { return e.cause }
func (e *brokenError) Is(error) bool      { return e.cause == nil }
func (e *brokenError) As(target any) bool { return e.cause == target }

func Test_f01_methods_of_an_error_that_panic_affect_its_keys_alone(t *testing.T) {
	broken := (*brokenError)(nil)
	tasks := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
		switch keys[0] {
		case "panics":
			panic(broken)
		case "fails":
			return nil, broken
		case "fails alone":
			return nil, kvlight.KeyErrors{keys[0]: broken}
		}
		return echo(ctx, keys)
	}, kvlight.Settings{"batch.max_keys": 1})
	defer tasks.Close()
	for _, key := range []string{"fails", "fails alone"} {
		if _, _, err := tasks.Fetch(ctx, key); err != error(broken) {
			t.Errorf("%s: %T", key, err)
		}
	}
	_, _, err := tasks.Fetch(ctx, "panics")
	if panicked, isPanic := err.(*kvlight.PanicError); !isPanic || panicked.Value != any(broken) {
		t.Errorf("%T", err)
	}
	if value, _, err := tasks.Fetch(ctx, "a"); value != "a" || err != nil {
		t.Error(value, err)
	}
}

// callingError is an error whose message calls a function.
type callingError func() string

func (e callingError) Error() string { return e() }

func Test_l01_the_methods_of_an_error_may_close_the_cache(t *testing.T) {
	var tasks *kvlight.Tasks[string]
	done := make(chan struct{})
	tasks = openTasks(t, func(context.Context, []string) (map[string]string, error) {
		return nil, callingError(func() string {
			tasks.Close()
			close(done)
			return "closed"
		})
	}, nil)
	if _, _, err := tasks.Fetch(ctx, "a"); !errors.Is(err, kvlight.ErrClosed) {
		t.Error(err)
	}
	<-done
}

func Test_f01_a_panic_with_nil_and_the_end_of_the_goroutine_are_told_apart(t *testing.T) {
	tasks := openTasks(t, func(_ context.Context, keys []string) (map[string]string, error) {
		if keys[0] == "panics" {
			panic(nil)
		}
		runtime.Goexit()
		return nil, nil
	}, nil)
	defer tasks.Close()
	var panicked *kvlight.PanicError
	if _, _, err := tasks.Fetch(ctx, "panics"); !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "errors_test.go") {
		t.Error(err)
	}
	if _, _, err := tasks.Fetch(ctx, "exits"); err == nil || errors.As(err, &panicked) || !strings.Contains(err.Error(), "ended its goroutine") {
		t.Error(err)
	}
}

func Test_f11_marks_around_the_errors_of_keys_apply_to_each_of_them(t *testing.T) {
	bad := errors.New("bad")
	load := func(mark func(error) error) (calls int32, took time.Duration) {
		var count atomic.Int32
		tasks := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
			if count.Add(1) == 1 {
				return nil, fmt.Errorf("some keys: %w", mark(kvlight.KeyErrors{"a": bad}))
			}
			return echo(ctx, keys)
		}, kvlight.Settings{"retry.count": 1, "retry.fixed_ms": 0})
		defer tasks.Close()
		begun := time.Now()
		if value, _, err := tasks.Fetch(ctx, "a"); value != "a" && err != bad {
			t.Error(value, err)
		}
		return count.Load(), time.Since(begun)
	}
	if calls, _ := load(func(err error) error { return err }); calls != 2 {
		t.Error("without a mark:", calls)
	}
	if calls, _ := load(kvlight.Permanent); calls != 1 {
		t.Error("Permanent:", calls)
	}
	if calls, _ := load(kvlight.Gone); calls != 1 {
		t.Error("Gone:", calls)
	}
	calls, took := load(func(err error) error { return kvlight.RetryAfter(err, 60*time.Millisecond) })
	if calls != 2 || took < 59*time.Millisecond {
		t.Error("RetryAfter:", calls, took)
	}
}

func Test_f17_marks_of_nil_are_nil(t *testing.T) {
	for name, err := range map[string]error{"Permanent": kvlight.Permanent(nil), "Gone": kvlight.Gone(nil), "RetryAfter": kvlight.RetryAfter(nil, time.Second)} {
		if err != nil {
			t.Error(name)
		}
	}
}

func Test_f10_a_timeout_is_a_deadline_that_was_exceeded(t *testing.T) {
	tasks := openTasks(t, func(ctx context.Context, _ []string) (map[string]string, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, kvlight.Settings{"timeout_ms": 5})
	defer tasks.Close()
	if _, _, err := tasks.Fetch(ctx, "a"); !errors.Is(err, kvlight.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ended := &kvlight.EndedError{Status: kvlight.ErrTimeout, Cause: errors.New("the last attempt")}
	if !errors.Is(ended, context.DeadlineExceeded) || errors.Is(kvlight.ErrClosed, context.DeadlineExceeded) {
		t.Error(ended)
	}
}

func Test_f10_the_context_of_a_provider_has_the_deadline_of_the_attempt(t *testing.T) {
	begun := time.Now()
	for _, timeout := range []time.Duration{0, 50 * time.Millisecond} {
		settings := kvlight.Settings{}
		if timeout > 0 {
			settings["attempt_timeout_ms"] = timeout
		}
		tasks := openTasks(t, func(ctx context.Context, keys []string) (map[string]string, error) {
			deadline, hasDeadline := ctx.Deadline()
			if hasDeadline != (timeout > 0) || (hasDeadline && (deadline.Before(begun) || time.Until(deadline) > timeout)) {
				t.Error(timeout, deadline, hasDeadline)
			}
			if !hasDeadline {
				return echo(ctx, keys)
			}
			inner, cancel := context.WithCancel(ctx)
			defer cancel()
			<-inner.Done()
			return nil, inner.Err()
		}, settings)
		// The attempt ends by its timeout, and not by what the provider returns at its deadline.
		if _, _, err := tasks.Fetch(ctx, "a"); (timeout > 0) != errors.Is(err, kvlight.ErrTimeout) {
			t.Error(timeout, err)
		}
		tasks.Close()
	}
}
