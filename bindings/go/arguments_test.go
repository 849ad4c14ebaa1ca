package kvlight_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

func Test_l09_strings_with_a_nul_are_refused(t *testing.T) {
	for part, settings := range map[string]kvlight.Settings{"name": {"cache.capacity\x00x": 5}, "value": {"read": "normal\x00x"}} {
		if _, err := kvlight.New(echo, settings); !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "NUL") {
			t.Error(part, err)
		}
	}
	sharing := kvlight.Sharing[string]{URL: "redis://localhost/?prefix=a\x00b"}
	sharing.Encode = func(value string) ([]byte, error) { return []byte(value), nil }
	sharing.Decode = func(bytes []byte) (string, error) { return string(bytes), nil }
	if _, err := kvlight.New(echo, nil, kvlight.ShareThrough(sharing)); !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), "NUL") {
		t.Error("URL:", err)
	}
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	for part, settings := range map[string]kvlight.Settings{"name": {"timeout_ms\x00x": 5}, "value": {"read": "normal\x00x"}} {
		if _, _, err := tasks.Fetch(ctx, "a", settings); !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), "NUL") {
			t.Error("fetch:", part, err)
		}
		if err := tasks.Refresh([]string{"a"}, settings); !errors.Is(err, kvlight.ErrBadValue) {
			t.Error("refresh:", part, err)
		}
	}
}

func Test_l09_a_bool_is_refused_where_a_setting_takes_a_number(t *testing.T) {
	if _, err := kvlight.New(echo, kvlight.Settings{"cache.capacity": true}); !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), "cache.capacity") {
		t.Error(err)
	}
	tasks := openTasks(t, echo, kvlight.Settings{"batch.omitted_is_null": true, "provider.idempotent": false})
	defer tasks.Close()
	if _, _, err := tasks.Fetch(ctx, "a", kvlight.Settings{"retry.count": false}); !errors.Is(err, kvlight.ErrBadValue) {
		t.Error(err)
	}
}

func Test_l09_a_nil_context_and_a_nil_option_are_refused(t *testing.T) {
	if tasks, err := kvlight.New(echo, nil, nil); tasks != nil || err == nil {
		t.Error(err)
	}
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	_, _ = tasks.Put("a", "a", kvlight.Terms{})
	var none context.Context
	if _, _, err := tasks.Fetch(none, "a"); !errors.Is(err, kvlight.ErrInvalidArg) {
		t.Error(err)
	}
	if _, err := tasks.FetchAll(none, []string{"a", "b"}); !errors.Is(err, kvlight.ErrInvalidArg) {
		t.Error(err)
	}
}

func Test_l09_an_unknown_condition_is_refused(t *testing.T) {
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	for _, condition := range []kvlight.Condition{-1, 3, 77} {
		if isStored, err := tasks.Put("a", "a", kvlight.Terms{OnlyIf: condition}); isStored || !errors.Is(err, kvlight.ErrBadValue) {
			t.Error(condition, isStored, err)
		}
	}
	if _, isFound, err := tasks.Get("a"); isFound || err != nil {
		t.Error(isFound, err)
	}
}

func Test_l09_a_tag_of_a_wrong_length_has_its_status(t *testing.T) {
	tasks := openTasks(t, echo, nil)
	defer tasks.Close()
	for _, tag := range []string{"", strings.Repeat("x", 256)} {
		if _, err := tasks.RemoveTag(tag); err != kvlight.ErrInvalidArg {
			t.Error(err)
		}
		if _, err := tasks.ExpireTag(tag); err != kvlight.ErrInvalidArg {
			t.Error(err)
		}
	}
}

func Test_l08_a_copy_keeps_the_cache_open(t *testing.T) {
	type service struct{ users kvlight.Tasks[string] }
	s := func() *service { return &service{*openTasks(t, echo, nil)} }()
	isClosed := func() bool {
		_, _, err := s.users.Get("a")
		return err != nil
	}
	for i := 0; i < 20; i++ {
		time.Sleep(time.Millisecond)
		runtime.GC()
	}
	if isClosed() {
		t.Fatal("the cache of the copy is closed")
	}
	s.users.Close()
	if !isClosed() {
		t.Error("the cache is open")
	}
}
